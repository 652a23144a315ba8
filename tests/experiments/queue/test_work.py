"""Working the line off: one job at a time, each begun once, whatever dies."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from core.config import TrainConfig
from experiments.execution.supervision import ABANDONED
from experiments.queue.line import Queue
from experiments.queue.work import MAX_STARTS, Drain, jobs_at_work
from experiments.runs.folder import Meta
from experiments.runs.owner import Owner
from experiments.runs.row import Status
from experiments.runs.store import Store


class Hands:
    """Starts processes that own runs and do nothing, until they are told to end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gpus: list[str] = []
        self.processes: list[subprocess.Popen] = []

    def begin(self, entry, left) -> None:
        self.begun.append(entry.id)
        self.gpus.append(entry.gpu)
        self.take(left)

    def take(self, runs) -> None:
        self.processes.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        for run in runs:
            run.hand_over(Owner.of(self.processes[-1].pid))

    def end(self, number: int = -1) -> None:
        process = self.processes[number]
        process.kill()
        process.wait()
        process.stdin.close()


@pytest.fixture
def hands():
    made = Hands()
    yield made
    for number in range(len(made.processes)):
        made.end(number)


@pytest.fixture
def queue(store) -> Queue:
    return Queue.of(store.home)


@pytest.fixture
def drain(queue, hands):
    return Drain(queue, hands.begin, lambda _: [])


def finish(script, run, *events) -> None:
    with run.open_log() as log:
        for event in events or (script.started(), script.epoch(1), script.finished(1)):
            log.append(event)
    run.release()


def test_one_is_trained_after_the_other_and_then_there_is_no_more_to_do(queue, drain, hands, new_run, script):
    runs = [new_run(), new_run()]
    entries = [queue.add([run], "test") for run in runs]
    for number in range(2):
        assert drain.step()
        assert drain.step()
        assert hands.begun == [entry.id for entry in entries[: number + 1]]
        assert [entry.id for entry in queue.entries()] == [entry.id for entry in entries[number:]]
        hands.end()
        finish(script, runs[number])
    assert not drain.step()
    assert queue.entries() == []


def test_the_next_waits_for_a_job_that_was_not_in_line(store, queue, drain, hands, new_run, script):
    other = new_run(script.started())
    hands.take([other])
    queue.add([new_run()], "test")
    assert jobs_at_work(store, queue.entries()) == {other.id}
    drain.step()
    assert hands.begun == []
    hands.end()
    finish(script, other, script.stopped(1))
    drain.step()
    assert len(hands.begun) == 1


def test_while_a_job_is_at_work_the_runs_of_the_home_are_not_searched_again(
    queue, drain, hands, new_run, script, monkeypatch
):
    other = new_run(script.started())
    hands.take([other])
    queue.add([new_run()], "test")
    drain.step()
    with monkeypatch.context() as patch:
        patch.setattr(Store, "owned", lambda _: pytest.fail("of which there may be very many"))
        assert drain.step()
    assert hands.begun == []
    hands.end()
    finish(script, other, script.stopped(1))
    hands.take([new_run(script.started())])  # another one has come in between
    drain.step()
    assert hands.begun == []


def test_a_group_is_one_job(store, new_run, script, hands):
    hands.take([new_run(script.started(), group_id="g1"), new_run(script.started(), group_id="g1")])
    assert jobs_at_work(store, []) == {"g1"}


def test_who_takes_over_from_one_that_was_killed_begins_nothing_twice(queue, drain, hands, new_run, script):
    run = new_run()
    queue.add([run], "test")
    drain.step()
    successor = Drain(queue, hands.begin, lambda _: [])
    successor.step()
    assert len(hands.begun) == 1
    hands.end()
    finish(script, run)
    assert not successor.step()


def test_a_job_whose_process_is_killed_is_begun_again_and_after_so_many_times_given_up(queue, drain, hands, new_run):
    run = new_run()
    queue.add([run], "test")
    for _ in range(MAX_STARTS):
        assert drain.step()
        hands.end()
    assert not drain.step()
    assert len(hands.begun) == MAX_STARTS
    assert run.status() is Status.CRASHED  # it is there, and can be gone on with


@pytest.mark.parametrize(("reason", "again"), [("SIGTERM", 2), ("abandoned", 2), (ABANDONED, 2), ("stop", 1)])
def test_a_run_that_somebody_stopped_is_over_and_one_that_a_signal_ended_is_not(
    queue, drain, hands, new_run, script, reason, again
):
    run = new_run()
    queue.add([run], "test")
    drain.step()
    hands.end()
    finish(script, run, script.started(), script.stopped(1, reason))
    drain.step()
    assert len(hands.begun) == again


def test_a_run_that_is_stopped_while_it_waits_is_out_of_line_and_kept(queue, drain, hands, new_run, script):
    other, run = new_run(script.started()), new_run()
    hands.take([other])
    queue.add([run], "test")
    drain.step()
    assert run.is_owned_here()
    run.ask_to_stop()
    drain.step()
    assert run.status() is Status.STOPPED
    assert not drain.step()


@pytest.mark.parametrize(
    ("visible", "given"), [(None, ["", "1", "2"]), ("2,3,5", ["", "3", "5"]), ("GPU-8932f937,GPU-12", ["", "GPU-12"])]
)
def test_of_the_gpus_that_there_are_for_it_each_has_a_job(queue, hands, new_run, script, monkeypatch, visible, given):
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(given))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    drain = Drain(queue, hands.begin)
    for _ in range(5):
        queue.add([new_run()], "test")
    for _ in range(5):
        drain.step()
    assert hands.gpus == given
    hands.end(0)
    drain.step()
    assert hands.gpus == [*given, visible.split(",")[0] if visible else "0"]


def test_a_job_that_names_its_gpu_waits_for_the_others(queue, hands, store, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    for _ in range(2):
        queue.add([store.create(TrainConfig(device="cuda:1"), Meta(), {})], "test")
    drain = Drain(queue, hands.begin)
    for _ in range(3):
        drain.step()
    assert hands.gpus == [""]


def test_only_one_process_works_a_line_off(queue, drain, hands, new_run):
    queue.add([new_run()], "test")
    with queue.held():
        assert queue.is_alive()
    drain.run(lambda: "stop")
    assert not queue.is_alive()
    assert hands.begun == []
    assert len(queue.entries()) == 1


def test_the_seeds_of_a_group_that_have_ended_are_not_begun_again(queue, drain, hands, new_run, script):
    runs = [new_run(group_id="g1") for _ in range(3)]
    queue.add(runs, "test")
    drain.step()
    hands.end()
    finish(script, runs[0])
    left: list[list[str]] = []
    again = Drain(queue, lambda _, found: left.append([run.id for run in found]), lambda _: [])
    again.step()
    assert left == [[run.id for run in runs[1:]]]
    assert replace(Meta(), group_id="g1") == runs[1].meta()


def put_again(queue, run):
    """Put a run that is there in line, as somebody does who goes on with it and lives on."""
    return queue.add([run], "test", before={run.id: run.view().updated_at})


@pytest.mark.parametrize("reason", ["stop", "SIGTERM"])
def test_the_end_that_a_run_had_before_is_no_end_of_its_turn(queue, drain, hands, new_run, script, reason):
    run = new_run(script.started(), script.epoch(1), script.stopped(1, reason))
    put_again(queue, run)
    drain.step()
    assert len(hands.begun) == 1
    hands.end()  # killed before it has gone on
    drain.step()
    assert len(hands.begun) == 2
    hands.end()
    finish(script, run, script.started(), script.stopped(1, "stop"))
    assert not drain.step()
    assert (len(hands.begun), run.status()) == (2, Status.STOPPED)


@pytest.mark.parametrize("ended", ["finished", "stopped", "SIGTERM"])
def test_one_that_is_stopped_while_it_waits_to_go_on_is_out_of_line_as_it_was(
    queue, drain, hands, new_run, script, ended
):
    end = script.finished(1) if ended == "finished" else script.stopped(1, ended)
    other, run = new_run(script.started()), new_run(script.started(), script.epoch(1), end)
    hands.take([other, run])  # the run by whoever has put it in line
    before = run.log.read_bytes()
    put_again(queue, run)
    drain.step()
    assert run.is_owned_here()
    run.ask_to_stop()
    drain.step()
    assert not drain.step()
    assert (run.log.read_bytes(), run.owner()) == (before, None)
