"""Starting a run, its failures before there is a run, and leaving while one is live."""

from __future__ import annotations

import json
import threading

import pytest
from app_pilot import SLOW, SMALL, WIDE, make_run, opened, screen_text, wait_for, wait_for_text
from waiting import wait_until

from core.advice import Action, Tip
from core.config import TrainConfig
from core.errors import DataError, LabError
from experiments.execution import runner
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.queue.line import Queue
from experiments.runs.eventlog import Entry
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.row import Status
from experiments.runs.store import Store
from tui.command_line.exit_codes import ExitCode
from tui.live.launch import hand_over
from tui.live.messages import OpenRequested
from tui.live.session import Job
from tui.screens.inspect import InspectScreen
from tui.screens.lab import LabScreen
from tui.screens.training import TrainingScreen
from tui.widgets.lines.paragraph import Paragraph


class _Scripted(Runner):
    """A runner without training: one run that goes on until it is told to stop."""

    script = None

    def run(self, config, meta, files):
        script, run = self.script, self.store.create(config, meta, {})
        try:
            with run.open_log() as log:
                yield log.append(script.started(config=config.model_dump()))
                yield log.append(script.progress(1, 100))
                while not self.should_stop():
                    threading.Event().wait(0.01)
                yield log.append(script.stopped(1, self.should_stop()))
        finally:
            run.release()


@pytest.fixture
def scripted(monkeypatch, script):
    monkeypatch.setattr(_Scripted, "script", script)
    monkeypatch.setattr(runner, "Runner", _Scripted)


async def _start(pilot) -> None:
    await pilot.press("ctrl+r")
    await wait_for_text(pilot, "epoch 1/20 loss=0.0123")


async def test_a_run_starts_and_x_stops_it(tmp_path, scripted):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        await pilot.press("1")
        await wait_for(pilot, lambda: "Ready; a start waits in line behind 1 job: " in verdict(pilot))
        await pilot.press("2", "x")
        await wait_for_text(pilot, "■ stopped")
        await wait_for_text(pilot, "Stopped")


async def test_runs_of_others_are_stopped_without_what_is_prepared_here(tmp_path, script, monkeypatch):
    runs = [make_run(tmp_path, script, script.started(), meta=Meta(name)) for name in ("a", "b")]
    async with opened(tmp_path) as pilot:
        session = pilot.app.session
        session.job = Job([RunSpec(TrainConfig(), Meta())])  # of which no run has begun
        monkeypatch.setattr(type(session), "live", property(lambda _: True))
        await pilot.app.run_control.stop_all(runs)
        assert not session.job.stopping
        assert all(run.wants_stop() for run in runs)
        await wait_for_text(pilot, "2 runs asked to stop")


async def test_a_note_that_is_not_saved_is_asked_about_before_the_end(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.finished(1), meta=Meta("alpha"))
    run.release()
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "alpha")
        await pilot.press("N", *"mine", "ctrl+q")
        await wait_for_text(pilot, "Leave the note?")
        await pilot.press("ctrl+q")  # again: the question stays
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: run.meta().note == "mine")
        await pilot.press("d")
        await wait_for_text(pilot, "Keep")
        await pilot.press("ctrl+q")
        await wait_for(pilot, lambda: pilot.app.return_value == ExitCode.DONE)


async def test_a_range_test_that_is_left_behind_has_ended_before_a_run_begins(tmp_path, scripted):
    tmp_path.joinpath("state.json").write_text(json.dumps({"form": SLOW}))
    async with opened(tmp_path) as pilot:
        await pilot.press("L")
        await wait_for(pilot, lambda: "learning rate 0.0" in screen_text(pilot), 100)
        (search,) = [thread for thread in threading.enumerate() if thread.name == "lr-find"]
        await pilot.app.switch_mode("runs")
        await pilot.app.run_control.start([RunSpec(TrainConfig(dataset="mnist-5k"), Meta())])
        assert not search.is_alive()
        await wait_for_text(pilot, "epoch 1/20 loss=0.0123")
        await pilot.app.switch_mode("lab")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        pilot.app.session.stop("test")
        await wait_for(pilot, lambda: not pilot.app.session.live)


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_c_while_another_run_is_trained_puts_a_stopped_one_in_line(tmp_path, scripted, script, size):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812), script.stopped(1))
    queue = Queue.of(tmp_path)
    with queue.held():  # by this process, which begins nothing
        async with opened(tmp_path, size) as pilot:
            await _start(pilot)
            pilot.app.post_message(OpenRequested(run))
            await wait_for_text(pilot, "98.12")
            await pilot.press("c")
            await wait_for_text(pilot, "one before it")
            (entry,) = queue.entries()
            assert (queue.runs(entry), list(entry.before)) == ([run], [run.id])
            await pilot.press("1")
            await wait_for(pilot, lambda: "behind 2 jobs: " in verdict(pilot))
            pilot.app.session.stop("test")
            await wait_for(pilot, lambda: not pilot.app.session.live)
            await wait_for(pilot, lambda: "behind 1 job: " in verdict(pilot))


def verdict(pilot) -> str:
    return str(pilot.app.screen.query_one("#verdict", Paragraph).content)


async def test_a_new_run_shows_its_charts_though_another_was_being_inspected(tmp_path, scripted):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        await pilot.press("x")
        await wait_for_text(pilot, "■ stopped")
        await pilot.press("i")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, InspectScreen))
        await pilot.press("1")
        await _start(pilot)
        assert isinstance(pilot.app.screen, TrainingScreen)
        pilot.app.session.stop("test")
        await wait_for(pilot, lambda: not pilot.app.session.live)


async def test_quit_asks_while_a_run_is_live_and_staying_changes_nothing(tmp_path, scripted):
    async with opened(tmp_path) as pilot:
        await _start(pilot)
        await pilot.press("q")
        await wait_for_text(pilot, "A run is being trained.")
        await pilot.press("escape")
        assert pilot.app.session.live
        pilot.app.session.stop("test")
        await wait_for(pilot, lambda: not pilot.app.session.live)


@pytest.mark.parametrize(("downs", "reason", "left"), [(0, "quit", 1), (2, "discard", 0)])
async def test_save_keeps_the_run_and_discard_does_not(tmp_path, scripted, downs, reason, left):
    async with opened(tmp_path) as pilot:
        app = pilot.app
        await _start(pilot)
        await pilot.press("q", *["down"] * downs, "enter")
        await wait_for(pilot, lambda: not app.session.live)
        assert app.return_value == ExitCode.DONE
    app.leaving.farewell()
    assert app.session.job.stopping == reason
    assert len(app.store.runs()) == left


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.parametrize("begun", [0, 1], ids=["before the first", "after the first"])
def test_what_a_stopped_job_has_left_is_trained_by_one_other_process(tmp_path, cache_home, monkeypatch, begun):
    """Really trained, to the end, on a few images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    locations = Locations.resolve(tmp_path / "home", tmp_path / "data")
    words = {"arch": "c4 gap fc10", "dataset": "mnist-5k", "limit_train": 256, "limit_test": 100, "epochs": 1}
    config = TrainConfig.checked({**words, "device": "cpu"})
    group = "g20260101-000000-aaaa"
    specs = [RunSpec(config.changed(seed=seed), Meta(f"try-{seed}", (), group)) for seed in (5, 6)]
    job = Job(specs)
    if begun:
        run = Runner(locations).create(specs[0].config, specs[0].meta)
        job.note_begun(run)
        run.release()
    assert hand_over(job, locations) == group
    runs = Store(locations.home).find_all(group)
    owners = {run.owner() for run in runs}
    wait_until(lambda: not any(run.is_alive() for run in runs))
    assert len(owners) == 1
    assert [(run.row().name, run.row().seed) for run in runs] == [("try-5", 5), ("try-6", 6)]
    assert [run.status() for run in runs] == [Status.FINISHED] * 2


def test_a_job_that_has_done_everything_leaves_nothing_to_hand_over(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1), script.finished(1))
    job = Job([RunSpec(TrainConfig(), Meta())])
    job.note_begun(run)
    assert hand_over(job, Locations.resolve(tmp_path, tmp_path / "data")) == ""


def test_when_not_all_can_be_handed_over_no_run_is_left_behind(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1), script.stopped(1))
    configs = [TrainConfig(), TrainConfig(seed=1), TrainConfig(seed=2, arch="no such")]
    job = Job([RunSpec(config, Meta()) for config in configs])
    job.note_begun(run)
    with pytest.raises(LabError):
        hand_over(job, Locations.resolve(tmp_path, tmp_path / "data"))
    assert Store(tmp_path).runs() == [run]
    assert run.status() is Status.STOPPED


async def test_without_a_live_run_q_just_quits(tmp_path):
    async with opened(tmp_path) as pilot:
        await pilot.press("q")
        await wait_for(pilot, lambda: pilot.app.return_value == ExitCode.DONE)


@pytest.mark.parametrize(
    ("error", "said"),
    [(DataError("mnist is not here", hint="use --data-dir"), "mnist is not here"), (ZeroDivisionError("oh"), "defect")],
)
async def test_a_run_that_cannot_start_says_why(tmp_path, monkeypatch, error, said):
    class Failing(_Scripted):
        def run(self, config, meta, files):
            raise error
            yield

    monkeypatch.setattr(runner, "Runner", Failing)
    async with opened(tmp_path) as pilot:
        await pilot.press("ctrl+r")
        await wait_for_text(pilot, said)
        await wait_for_text(pilot, "The run could not start")
        assert pilot.app.is_running
        await pilot.press("1")
        pilot.app.clear_notifications()  # it lies over the verdict
        await wait_for_text(pilot, "Ready")


async def test_the_toast_of_a_failed_run_says_why(tmp_path, monkeypatch, script):
    class Failing(_Scripted):
        def run(self, config, meta, files):
            run = self.store.create(config, meta, {})
            with run.open_log() as log:
                yield log.append(script.started(config=config.model_dump()))
                yield log.append(script.failed(1))
            run.release()

    monkeypatch.setattr(runner, "Runner", Failing)
    async with opened(tmp_path) as pilot:
        await pilot.press("ctrl+r")
        await wait_for(pilot, lambda: len(pilot.app._notifications))
        (toast,) = pilot.app._notifications
    assert (toast.title, toast.message) == ("Failed", "conv9: the loss is not finite")


async def test_a_failure_that_could_not_be_written_down_is_told_all_the_same(tmp_path, monkeypatch, script):
    advice = ("free some space, then go on with ", Tip(Action.RESUME, "ID"))

    class Failing(_Scripted):
        def run(self, config, meta, files):
            run = self.store.create(config, meta, {})
            with run.open_log() as log:
                yield log.append(script.started(config=config.model_dump()))
            run.release()
            yield Entry("", run.id, script.failed(1, "disk full", *advice))

    monkeypatch.setattr(runner, "Runner", Failing)
    async with opened(tmp_path) as pilot:
        await pilot.press("ctrl+r")
        await wait_for_text(pilot, "Failed in epoch 1: disk full. Free some space, then go on with key c in Runs.")
        (toast,) = pilot.app._notifications
    assert (toast.title, toast.message) == ("Failed", "conv9: disk full")


async def test_a_run_that_cannot_go_on_stays_on_the_screen(tmp_path, monkeypatch, script):
    class Failing(_Scripted):
        def resume(self, run, *, epochs, arch, no_budget):
            raise DataError("mnist is not here", hint="use --data-dir")
            yield

    monkeypatch.setattr(runner, "Runner", Failing)
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812), script.stopped(1))
    async with opened(tmp_path) as pilot:
        pilot.app.post_message(OpenRequested(run))
        await wait_for_text(pilot, "9812/10000")
        await pilot.press("c")
        await wait_for_text(pilot, "mnist is not here")
        assert "9812/10000" in screen_text(pilot)


async def test_help_and_palette_know_the_keys_of_the_screen(tmp_path):
    async with opened(tmp_path) as pilot:
        await pilot.press("question_mark")
        await wait_for_text(pilot, "Type a network of your own")
        await wait_for_text(pilot, "kernel 1, padding 1, stride 2, dilation 2")
        await pilot.press("escape", "ctrl+p")
        await wait_for_text(pilot, "Type a network of your own (key e)")
        assert "Copy selected text" not in screen_text(pilot)
        await pilot.press(*"theme")
        await wait_for_text(pilot, "Light, dark and others")
        await pilot.press("escape")


async def test_the_theme_is_remembered(tmp_path):
    async with opened(tmp_path) as pilot:
        pilot.app.theme = "textual-light"
        await pilot.pause()
        pilot.app.save_state()
    async with opened(tmp_path) as pilot:
        assert pilot.app.theme == "textual-light"


async def test_a_home_that_cannot_be_written_is_told_once(tmp_path):
    home = tmp_path / "file"
    home.write_text("in the way")
    async with opened(home) as pilot:
        await pilot.press("down")
        pilot.app.save_state()
        pilot.app.save_state()
        await wait_for_text(pilot, "Not remembered")
        assert len(pilot.app._notifications) == 1
