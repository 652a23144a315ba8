"""The loop that all training through an executor shares: what it begins, waits for, tries again and stops."""

from __future__ import annotations

import pytest

from core.errors import RunError, StorageError
from experiments.execution.executor import Ended
from experiments.execution.fleet import MAX_DEATHS, Fleet
from experiments.execution.runner import Runner
from experiments.runs.folder import Meta


class Script:
    """An executor with room for two, whose runs end as a test says, one at each wait; asked to stop, all end."""

    def __init__(self, ends=()) -> None:
        self.ends = list(ends)
        self.calls: list[str] = []
        self.runs = []

    def has_room(self) -> bool:
        return len(self.runs) < 2

    def start(self, run) -> None:
        self.calls.append(f"start {run.meta().name}")
        self.runs.append(run)

    def wait(self, seconds: float) -> list[Ended]:
        if "stop" in self.calls[-1] and self.runs:
            return [self._end("") for _ in list(self.runs)]
        return [self._end(self.ends.pop(0))] if self.ends and self.runs else []

    def stop(self, reason: str) -> None:
        self.calls.append(f"stop: {reason}")

    def close(self) -> None:
        self.calls.append("close")

    def _end(self, worker_died: str) -> Ended:
        run = self.runs.pop(0)
        run.release()
        return Ended(run.id, worker_died=worker_died)


class Runs(Fleet[str]):
    """Runs by name, made when they begin; one of the name `broken` cannot be. No names are damage."""

    def __init__(self, runner: Runner, config, executor: Script, names: list[str]) -> None:
        super().__init__(executor)
        self.names = names
        self._make = lambda name: runner.create(config, Meta(name))

    def prepare(self) -> None:
        if not self.names:
            raise RunError("damaged")

    def has_more(self) -> bool:
        return bool(self.names)

    def begin(self):
        if not self.names:
            return None
        name = self.names.pop(0)
        if name == "broken":
            raise StorageError("the disk is full")
        self.train(self._make(name))
        return [f"{name} begun"]

    def follow(self, run):
        return [f"{run.meta().name} followed"]

    def retry_reason(self, run, ended: Ended) -> str:
        return ended.worker_died

    def end(self, run, ended: Ended):
        return [f"{run.meta().name} ended"]

    def lose(self, run, reason: str, *, is_retried: bool):
        yield f"{run.meta().name} lost: {reason}, {is_retried}"
        if is_retried:
            self.train(run)


@pytest.fixture
def runs(locations, tiny):
    return lambda executor, *names: Runs(Runner(locations), tiny, executor, list(names))


def told(fleet: Runs, should_stop=lambda: "") -> list[str]:
    return [words for words in fleet.drive(should_stop) if "followed" not in words]


def test_a_run_begins_when_there_is_room_and_is_looked_at_before_its_end_is_told(runs):
    executor = Script(["", "", ""])
    entries = list(runs(executor, "a", "b", "c").drive(lambda: ""))
    assert entries[:5] == ["a begun", "b begun", "a followed", "b followed", "a ended"]
    assert [words for words in entries if "followed" not in words][3:] == ["c begun", "b ended", "c ended"]
    assert executor.calls == ["start a", "start b", "start c", "close"]


def test_a_run_goes_on_with_another_worker_until_it_has_lost_too_many(runs):
    executor = Script(["killed"] * MAX_DEATHS)
    lost = [f"a lost: killed, {number < MAX_DEATHS}" for number in range(1, MAX_DEATHS + 1)]
    assert told(runs(executor, "a")) == ["a begun", *lost]
    assert executor.calls == ["start a"] * MAX_DEATHS + ["close"]


def test_a_reason_to_stop_is_passed_on_once_and_nothing_begins_after_it(runs):
    executor, reasons = Script(), []
    entries = []
    for words in runs(executor, "a", "b", "c").drive(lambda: "".join(reasons)):
        entries.append(words)
        if words == "b followed":
            reasons[:] = ["SIGINT"]
    assert entries[-2:] == ["a ended", "b ended"]
    assert executor.calls == ["start a", "start b", "stop: SIGINT", "close"]


def test_a_worker_that_dies_after_a_reason_to_stop_is_not_replaced(runs):
    executor = Script()
    executor.stop = lambda reason: executor.ends.append("killed")
    assert told(runs(executor, "a"), lambda: "SIGINT" * bool(executor.runs)) == ["a begun", "a lost: killed, False"]


def test_who_hears_no_reason_to_stop_is_not_waited_for_for_ever(runs, monkeypatch):
    monkeypatch.setattr("experiments.execution.fleet.STOP_PATIENCE", 0.0)
    executor = Script()
    executor.stop = lambda reason: executor.calls.append("not heard")
    assert told(runs(executor, "a"), lambda: "SIGINT" * bool(executor.runs)) == ["a begun"]
    assert executor.calls == ["start a", "not heard", "close"]


def test_an_error_stops_the_other_runs_and_what_they_did_is_told_before_it_is_raised(runs):
    executor = Script()
    fleet = runs(executor, "a", "broken")
    entries = []
    with pytest.raises(StorageError, match="the disk is full"):
        entries.extend(fleet.drive(lambda: ""))
    assert entries == ["a begun", "a followed"]
    assert executor.calls == ["start a", "stop: the disk is full", "close"]
    assert executor.runs == []


def test_the_executor_is_closed_when_it_cannot_be_found_out_what_to_do(runs):
    executor = Script()
    with pytest.raises(RunError, match="damaged"):
        list(runs(executor).drive(lambda: ""))
    assert executor.calls[-1] == "close"
