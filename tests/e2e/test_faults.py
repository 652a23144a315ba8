"""Runs that are killed, torn and starved of space, and still end with the weights of a run that was left in peace."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import fault_worker
import pytest

from core.events import RunFailed, RunFinished, RunStarted, StepProgress
from core.storage.checkpoint import load_checkpoint
from experiments.locations import Locations
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Run
from experiments.runs.row import Status

STEPS_PER_EPOCH = 8


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cache_home) -> str:
    """The final weights' hash of a run that nothing happened to."""
    home = tmp_path_factory.mktemp("undisturbed")
    run = fault_worker.train_to_the_end(Locations(home, home / "data", cache_home))
    return final_hash(run)


@pytest.fixture
def locations(tmp_path: Path, cache_home: Path) -> Locations:
    return Locations(tmp_path / "home", tmp_path / "data", cache_home)


def final_hash(run: Run) -> str:
    end = run.view().end
    assert isinstance(end, RunFinished)
    return end.weights_sha256


def tear_logs(run: Run) -> None:
    """What a crash in the middle of a write leaves behind."""
    if run.log.exists():
        with run.log.open("ab") as file:
            file.write(b'{"event": "step_progress", "time": "2026-')


def check_opens(run: Run) -> None:
    """A killed run has its config, says that it crashed, and has a whole checkpoint or none."""
    assert run.config()
    assert run.status() in (Status.CRASHED, Status.FINISHED)
    load_checkpoint(run.checkpoint)


def steps_done_again(run: Run) -> list[int]:
    """For each resume, how many of the steps in the log before it came once more after it."""
    done, again, resumed = 0, [], False
    for entry in EventReader(run.log).poll():
        match entry.event:
            case RunStarted():
                resumed = True
            case StepProgress(epoch=epoch, step=step):
                position = (epoch - 1) * STEPS_PER_EPOCH + step
                if resumed:
                    again.append(done - position + 1)
                resumed, done = False, position
            case _:
                pass
    return again[1:]


def train_until_killed(locations: Locations, **kill: int) -> bool:
    """Train the home's run, or make one, in a process that kills itself; whether it came to that."""
    run = fault_worker.only_run(locations)
    child = fault_worker.start(locations, run.id if run else "", **kill)
    child.join(120)
    run = fault_worker.only_run(locations)
    if run is not None:  # else it was killed before there was one
        tear_logs(run)
        check_opens(run)
    return child.exitcode == -signal.SIGKILL


def check_ends_undisturbed(locations: Locations, undisturbed: str) -> None:
    run = fault_worker.train_to_the_end(locations)
    assert final_hash(run) == undisturbed
    assert all(again <= STEPS_PER_EPOCH for again in steps_done_again(run))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("call", range(200, 110_200, 1_100))  # an epoch calls some 11,000 functions
def test_a_run_killed_at_any_moment_ends_with_the_same_weights(locations, undisturbed, call):
    assert train_until_killed(locations, kill_at_call=call)
    check_ends_undisturbed(locations, undisturbed)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("operation", range(2, 120))
def test_a_run_killed_at_a_file_operation_ends_with_the_same_weights(locations, undisturbed, operation):
    assert train_until_killed(locations, kill_at=operation)
    check_ends_undisturbed(locations, undisturbed)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(10))
def test_a_run_killed_again_and_again_ends_with_the_same_weights(locations, undisturbed, seed):
    rng = random.Random(seed)
    killed = [train_until_killed(locations, kill_at_call=rng.randrange(500, 20_000)) for _ in range(4)]
    assert all(killed)
    check_ends_undisturbed(locations, undisturbed)


def test_a_run_whose_disk_fills_up_fails_intact_and_goes_on_later(locations, undisturbed):
    child = fault_worker.start(locations, file_limit=14_000)  # the log is the first to outgrow it
    child.join(120)
    run = fault_worker.only_run(locations)
    lines = run.log.read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    assert len(list(EventReader(run.log).poll())) == len(lines)
    view = run.view()
    assert view.end is None or isinstance(view.end, RunFailed)
    assert view.progress is not None
    assert final_hash(fault_worker.train_to_the_end(locations)) == undisturbed


def test_a_damaged_checkpoint_gives_way_to_the_one_before(locations, undisturbed):
    assert train_until_killed(locations, kill_in_epoch=4)
    run = fault_worker.only_run(locations)
    newest = load_checkpoint(run.checkpoint).state["epoch"]
    assert newest == 3
    content = bytearray(run.checkpoint.read_bytes())
    content[-1] ^= 1
    run.checkpoint.write_bytes(content)
    assert load_checkpoint(run.checkpoint).state["epoch"] == newest - 1
    assert final_hash(fault_worker.train_to_the_end(locations)) == undisturbed
