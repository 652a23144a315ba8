"""Seeds that are trained at once: which is shown, stopping, continuing, and leaving while they are live."""

from __future__ import annotations

import threading
from itertools import chain

import pytest
from app_pilot import SMALL, make_run, opened, screen_text, wait_for, wait_for_text

from core.config import TrainConfig
from experiments.execution import replicate, runner
from experiments.execution.apart import train_on
from experiments.execution.replicate import TrainingPlan
from experiments.runs.folder import Meta
from experiments.runs.row import Status
from experiments.runs.store import Store
from tui.screens.dialogs import Ask


class _Workers:
    """Stands in for the workers of `replicate`: so many runs at a time, each until it is told to stop or to finish."""

    def __init__(self, script, size: int) -> None:
        self._script, self._size = script, size
        self.finish: set[int] = set()
        """Seeds that are to come to their end."""

    def plan(self, runner, planned, jobs):
        assert jobs is None
        return TrainingPlan("processes", self._size, f"{len(planned)} runs, {self._size} at a time")

    def train(self, runner, recorded, plan):
        return recorded.follow(self._train(runner, recorded))

    def _train(self, runner, recorded):
        waiting, live = list(recorded.tasks), {}
        while live or waiting:
            while waiting and len(live) < self._size:
                task = waiting.pop(0)
                config, run = task.spec.config, task.run
                recorded.begin(task)
                live[config.seed] = run
                with run.open_log() as log:
                    yield log.append(self._script.started(config=config.model_dump()))
                    yield log.append(self._script.progress(1, 100 + config.seed))
            for seed, run in list(live.items()):
                reason = runner.should_stop() or ("stop" if run.wants_stop() else "")
                if not reason and seed not in self.finish:
                    continue
                with run.open_log() as log:
                    yield log.append(self._script.stopped(1, reason) if reason else self._script.finished(1))
                run.release()
                del live[seed]
                if reason:
                    waiting.clear()
                    yield from recorded.stop_waiting(reason)
            threading.Event().wait(0.01)


@pytest.fixture
def workers(monkeypatch, script):
    """Room for two runs at a time."""
    made = _Workers(script, 2)
    monkeypatch.setattr(replicate, "plan_runs", made.plan)
    monkeypatch.setattr(replicate, "replicate", made.train)
    return made


async def _start(pilot, seeds: str = "0-2") -> None:
    pilot.app.screen.query_one("#field-seed").focus()
    await pilot.press(*seeds, "ctrl+r")
    await wait_for(pilot, lambda: pilot.app.session.job is not None and len(pilot.app.session.job.live_ids) == 2)
    await wait_for_text(pilot, "seed 0 (1 of 3)")


async def _end(pilot) -> None:
    pilot.app.session.stop("test")
    await wait_for(pilot, lambda: not pilot.app.session.live)


def _question(pilot) -> str:
    """What the dialog asks; empty while there is none."""
    found = pilot.app.screen.query(".question") if isinstance(pilot.app.screen, Ask) else ()
    return str(found[0].content) if found else ""


def _status_by_seed(store: Store) -> dict[int, Status]:
    return {run.config()["seed"]: run.status() for run in store.runs()}


@pytest.mark.parametrize("size", [SMALL, (120, 40)])
async def test_one_of_the_live_seeds_is_shown_and_n_and_p_turn_to_the_others(tmp_path, workers, size):
    async with opened(tmp_path, size) as pilot:
        await _start(pilot)
        await wait_for_text(pilot, "2 live")
        await pilot.press("n")
        await wait_for_text(pilot, "seed 1 (2 of 3)")
        await wait_for_text(pilot, "101/")
        await pilot.press("n")
        await wait_for_text(pilot, "seed 0 (1 of 3)")
        await pilot.press("p")
        await wait_for_text(pilot, "seed 1 (2 of 3)")
        await _end(pilot)


async def test_a_run_that_begins_or_ends_is_shown_before_painting_is_due(tmp_path, workers, monkeypatch):
    for limit in ("SHARE", "LONGEST"):
        monkeypatch.setattr(f"tui.app.app.{limit}", 1e9)
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        workers.finish.add(0)
        await wait_for_text(pilot, "seed 1 (2 of 3)")
        await _end(pilot)


async def test_when_the_seed_that_is_shown_has_ended_another_live_one_is(tmp_path, workers):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        workers.finish.add(0)
        await wait_for_text(pilot, "seed 1 (2 of 3)")
        workers.finish.add(1)
        await wait_for_text(pilot, "seed 2 (3 of 3)")
        assert "live" not in screen_text(pilot).splitlines()[0]
        workers.finish.add(2)
        await wait_for(pilot, lambda: len(pilot.app._notifications))
        (toast,) = pilot.app._notifications
    assert (toast.title, toast.message) == ("Finished", "conv9: 3 finished, best 99.00%")


async def test_a_seed_that_was_opened_from_runs_stays_on_the_screen(tmp_path, workers):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        workers.finish.add(0)
        await wait_for_text(pilot, "seed 1 (2 of 3)")
        pilot.app.run_watch.show(next(run for run in pilot.app.store.runs() if run.config()["seed"] == 0))
        workers.finish.add(1)
        await wait_for(pilot, lambda: pilot.app.run_watch.own.run.config()["seed"] == 2)
        await wait_for_text(pilot, "✓ finished")
        await _end(pilot)


async def test_runs_lists_every_live_seed(tmp_path, workers):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        await pilot.press("3", "r")
        await wait_for_text(pilot, "3 runs, 3 live")
        await _end(pilot)


async def test_x_stops_all_seeds_those_that_wait_too(tmp_path, workers):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        await pilot.press("x")
        await wait_for(pilot, lambda: "2 runs are being trained. Still to begin: seed 2." in _question(pilot))
        await pilot.press("enter")
        await wait_for(pilot, lambda: len(pilot.app._notifications))
        (toast,) = pilot.app._notifications
    assert (toast.title, toast.message) == ("Stopped", "conv9: 3 stopped")
    assert _status_by_seed(pilot.app.store) == {0: Status.STOPPED, 1: Status.STOPPED, 2: Status.STOPPED}


async def test_x_stops_one_seed_alone_and_the_others_go_on(tmp_path, workers):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        await pilot.press("n", "x", "down", "enter")
        await wait_for(pilot, lambda: len(pilot.app.session.job.live_ids) == 1)
        assert pilot.app.session.live
        assert _status_by_seed(pilot.app.store) == {0: Status.RUNNING, 1: Status.STOPPED, 2: Status.STOPPED}
        await _end(pilot)


@pytest.mark.parametrize(("downs", "continued"), [(0, [1]), (1, [1, 0, 2])])
async def test_c_continues_one_run_or_all_of_its_group_that_were_stopped(
    tmp_path, monkeypatch, script, downs, continued
):
    resumed: list[int] = []

    class Scripted:
        store = Store(tmp_path)

        def __init__(self, *_: object) -> None: ...

        def resume(self, run, *, epochs, arch, no_budget):
            resumed.append(run.config()["seed"])
            with run.open_log() as log:
                yield log.append(script.finished(1))

    def in_turn(runner, tasks, plan):
        return chain.from_iterable(train_on(runner, task.run, arch=task.arch) for task in tasks)

    monkeypatch.setattr(runner, "Runner", Scripted)
    monkeypatch.setattr(replicate, "plan_runs", lambda *_: replicate.IN_TURN)
    monkeypatch.setattr(replicate, "replicate", in_turn)
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for(pilot, lambda: pilot.app.catalog.loaded)
        await pilot.press("2")  # the list of runs knows none of what follows
        runs = [
            make_run(
                tmp_path,
                script,
                script.started(config=TrainConfig(seed=seed).model_dump()),
                script.stopped(1),
                seed=seed,
                meta=Meta("", (), "g1"),
            )
            for seed in range(3)
        ]
        make_run(tmp_path, script, script.started(), script.finished(1), seed=3, meta=Meta("", (), "g1"))
        make_run(tmp_path, script, script.started(), script.stopped(1), seed=4, meta=Meta("", (), "g2"))
        pilot.app.run_watch.show(runs[1])
        await pilot.press("c")
        await wait_for_text(pilot, "2 more of its group were stopped, too.")
        await pilot.press(*["down"] * downs, "enter")
        await wait_for(pilot, lambda: pilot.app.session.job is not None and not pilot.app.session.live)
    assert resumed == continued


async def test_the_question_on_leaving_counts_the_runs_and_names_the_seeds_that_wait(tmp_path, workers):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        first, second, _ = sorted(pilot.app.store.runs(), key=lambda run: run.config()["seed"])
        await pilot.press("q")
        question = "2 runs are being trained. Seed 2 will be trained only if you keep it running."
        await wait_for(pilot, lambda: question in _question(pilot))
        await wait_for(pilot, lambda: f"Discard deletes {first.id} and {second.id} for good" in _question(pilot))
        await pilot.press("enter")
        await wait_for(pilot, lambda: not pilot.app.session.live)
    assert pilot.app.leaving.farewell() == ""
    assert _status_by_seed(pilot.app.store) == {0: Status.STOPPED, 1: Status.STOPPED, 2: Status.STOPPED}


async def test_discard_deletes_the_seeds_that_were_live_and_no_other(tmp_path, workers):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        workers.finish.add(0)
        await wait_for_text(pilot, "seed 1 (2 of 3)")
        await wait_for(pilot, lambda: len(pilot.app.session.job.live_ids) == 2)
        await pilot.press("q", "down", "down", "enter")
        await wait_for(pilot, lambda: not pilot.app.session.live)
    assert "were discarded" in pilot.app.leaving.farewell()
    assert _status_by_seed(pilot.app.store) == {0: Status.FINISHED}


async def test_keep_them_running_hands_all_unfinished_seeds_to_one_process(tmp_path, workers, monkeypatch):
    handed: list[object] = []
    monkeypatch.setattr("tui.live.launch.start_detached", lambda runs, command: handed.extend([runs, command]) or 1)
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        workers.finish.add(0)
        await wait_for_text(pilot, "seed 1 (2 of 3)")
        group = pilot.app.session.job.group_id
        await pilot.press("q", "down", "enter")
        await wait_for(pilot, lambda: not pilot.app.session.live)
    assert pilot.app.leaving.farewell().startswith(f"{group} goes on; mnist-tui watch {group}")
    runs, command = handed
    assert sorted(run.config()["seed"] for run in runs) == [1, 2]
    assert command[-3:] == ("resume", group, "--quiet")
