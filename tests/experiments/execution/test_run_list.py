"""Lists of runs that are trained to their ends, whatever they were broken off by."""

import numpy as np
import pytest
from own_data import draw

from core.errors import InvalidValue
from core.events import RunStopped
from experiments.execution.executor import Ended, Slot
from experiments.execution.fleet import MAX_DEATHS
from experiments.execution.local_executor import LocalExecutor
from experiments.execution.run_list import find_runs, train_all
from experiments.execution.runner import Runner
from experiments.execution.supervision import REQUESTED
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.row import Status

OWN = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
"""


class Here:
    """An executor with one place, which trains in this process while it is waited for.

    `should_stop` is asked as in any training; `deaths` says how often a run's worker dies before it does anything.
    """

    def __init__(self, locations, should_stop=lambda: "", deaths: int = 0) -> None:
        self.runner = Runner(locations, should_stop)
        self.deaths = deaths
        self.started: list[str] = []
        self.is_closed = False
        self._run = None

    def has_room(self) -> bool:
        return self._run is None

    def start(self, run) -> None:
        assert self._run is None
        self._run = run
        self.started.append(run.id)

    def wait(self, seconds: float) -> list[Ended]:
        run, self._run = self._run, None
        if run is None:
            return []
        if self.deaths:
            self.deaths -= 1
            return [Ended(run.id, worker_died="killed")]
        try:
            list(self.runner.resume(run))
        except InvalidValue as error:
            return [Ended(run.id, error=error.message)]
        return [Ended(run.id)]

    def stop(self, reason: str) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def wanted(tiny):
    return [RunSpec(tiny.changed(seed=seed), Meta(f"x-{seed}", ("x",), "g1")) for seed in range(3)]


def never() -> str:
    return ""


def after(calls: int):
    left = iter(range(calls))
    return lambda: "" if next(left, None) is not None else "SIGTERM"


def statuses(store) -> list[tuple[int, Status]]:
    return sorted((row.seed, status) for row, status in store.rows())


def test_a_list_is_trained_in_its_order_and_never_again(locations, store, wanted):
    executor = Here(locations)
    trained = list(train_all(Runner(locations), executor, wanted, never))
    assert [one.spec for one in trained] == wanted
    assert [one.run.id for one in trained] == executor.started
    assert statuses(store) == [(seed, Status.FINISHED) for seed in range(3)]
    assert {row.group_id for row, _ in store.rows()} == {"g1"}
    again = Here(locations)
    assert list(train_all(Runner(locations), again, wanted, never)) == []
    assert (again.started, again.is_closed) == ([], True)


def test_a_list_that_was_broken_off_goes_on_with_the_same_runs(locations, store, wanted):
    whole = Here(locations)
    stopped = list(train_all(Runner(locations), Here(locations, after(12)), wanted, after(4)))
    left = statuses(store)
    assert 0 < len(left) < 3
    assert Status.STOPPED in {status for _, status in left}
    assert len(stopped) == len(left)
    before = {row.run_id for row, _ in store.rows()}
    list(train_all(Runner(locations), whole, wanted, never))
    assert statuses(store) == [(seed, Status.FINISHED) for seed in range(3)]
    assert before < {row.run_id for row, _ in store.rows()}


def test_nothing_more_is_begun_once_there_is_a_reason_to_stop(locations, store, wanted):
    assert list(train_all(Runner(locations), Here(locations), wanted, lambda: "SIGINT")) == []
    assert store.rows() == []


def test_a_run_whose_worker_dies_is_tried_again_but_not_for_ever(locations, store, wanted):
    executor = Here(locations, deaths=MAX_DEATHS - 1)
    trained = list(train_all(Runner(locations), executor, wanted[:1], never))
    assert (executor.started, [one.problem for one in trained]) == ([trained[0].run.id] * MAX_DEATHS, [""])
    executor = Here(locations, deaths=MAX_DEATHS)
    trained = list(train_all(Runner(locations), executor, wanted[1:2], never))
    assert [one.problem for one in trained] == ["killed"]
    assert len(executor.started) == MAX_DEATHS
    assert len(store.rows()) == 2


def test_a_run_that_somebody_stopped_is_left_alone_until_the_list_is_asked_for_again(locations, store, wanted):
    trained = list(train_all(Runner(locations), Here(locations, after(4)), wanted[:1], never))
    assert [one.run.status() for one in trained] == [Status.STOPPED]
    list(train_all(Runner(locations), Here(locations), wanted[:1], never))
    assert statuses(store) == [(0, Status.FINISHED)]


def test_a_run_that_was_asked_to_stop_while_a_worker_trained_it_goes_on_when_the_list_is_asked_for_again(
    locations, store, wanted
):
    class Stopped(LocalExecutor):
        """Somebody asks each run to stop that was given to a worker."""

        def start(self, run) -> None:
            super().start(run)
            run.ask_to_stop()

    runner = Runner(locations)
    (stopped,) = train_all(runner, Stopped(locations, [Slot(0)]), wanted[:1], never)
    assert isinstance(stopped.run.view().end, RunStopped)
    assert stopped.run.view().end.reason == REQUESTED
    (trained,) = train_all(runner, LocalExecutor(locations, [Slot(0)]), wanted[:1], never)
    assert (trained.run, trained.run.status()) == (stopped.run, Status.FINISHED)


def test_runs_are_known_by_tags_seed_and_recipe(locations, store, wanted, tiny):
    list(train_all(Runner(locations), Here(locations), wanted[:1], never))
    mine = store.rows()[0][0].run_id
    others = [
        RunSpec(tiny.changed(lr=0.5), Meta("x-0", ("x",))),
        RunSpec(tiny.changed(seed=5), Meta("x-0", ("x",))),
        RunSpec(tiny, Meta("x-0", ("x", "y"))),
        RunSpec(tiny, Meta("another name", ("x",), "g7")),
        RunSpec(tiny.changed(max_epochs=19), Meta("", ())),
    ]
    found = find_runs(store, others)
    assert [None if run is None else run.id for run in found] == [None, None, None, mine, mine]
    store.run(mine).change_meta(tags=())
    assert find_runs(store, wanted[:1]) == [None]


@pytest.mark.parametrize(
    ("arch", "dataset"), [("conv9", "emnist-letters"), ("net.py:Net", "mnist-5k"), ("conv9", "letters.npz")]
)
def test_a_run_is_known_whose_network_is_recorded_in_other_words(
    locations, store, tiny, arch, dataset, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(OWN)
    images, labels = draw(40, 28, classes=5)
    np.savez(tmp_path / "letters.npz", images=images, labels=labels)
    config = tiny.changed(
        max_params=30_000, arch=arch, dataset=dataset if dataset != "letters.npz" else str(tmp_path / dataset)
    )
    spec = RunSpec(config, Meta("x-0", ("x",)))
    run = Runner(locations).create(spec.config, spec.meta)
    assert find_runs(store, [spec]) == [run]
    (tmp_path / "letters.npz").unlink()
    assert len(find_runs(store, [spec])) == 1


def test_of_several_the_one_that_has_come_furthest_counts(locations, store, wanted, new_run, script):
    runner = Runner(locations)
    one = wanted[0]
    runs = [runner.create(one.config, one.meta) for _ in range(3)]
    for run, end in zip(runs, (script.stopped(1), script.finished(2), script.failed(1)), strict=True):
        script.write(run, script.started(config=one.config.model_dump()), end)
        run.release()
    assert find_runs(store, [one])[0].id == runs[1].id
    store.remove(runs[1])
    assert find_runs(store, [one])[0].id == runs[0].id


def test_a_worker_that_dies_once_its_run_is_finished_leaves_no_problem(locations, wanted):
    class DiesLate(Here):
        def wait(self, seconds):
            return [Ended(end.run_id, worker_died="killed") for end in super().wait(seconds)]

    executor = DiesLate(locations)
    (trained,) = train_all(Runner(locations), executor, wanted[:1], never)
    assert (trained.run.status(), trained.problem, len(executor.started)) == (Status.FINISHED, "", 1)


def test_a_run_that_another_process_finishes_meanwhile_is_not_trained_once_more(locations, wanted):
    runner = Runner(locations)
    second = runner.create(wanted[1].config, wanted[1].meta)
    second.release()

    class Meanwhile(Here):
        def wait(self, seconds):
            if second.status() is not Status.FINISHED:
                list(Runner(locations).resume(second))
            return super().wait(seconds)

    executor = Meanwhile(locations)
    trained = list(train_all(runner, executor, wanted[:2], never))
    assert [(one.run.status(), one.problem) for one in trained] == [(Status.FINISHED, "")] * 2
    assert second.id not in executor.started


def test_who_stops_does_not_wait_for_ever_for_a_worker_that_hears_nothing(locations, wanted, monkeypatch):
    class Deaf(Here):
        def wait(self, seconds):
            return []

    monkeypatch.setattr("experiments.execution.fleet.STOP_PATIENCE", 0.0)
    executor = Deaf(locations)
    assert list(train_all(Runner(locations), executor, wanted, after(1))) == []
    assert executor.is_closed
