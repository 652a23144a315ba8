"""Runs that are killed, torn and starved of space, and still end with the weights of a run that was left in peace."""

from __future__ import annotations

import random
import time
from pathlib import Path

import fault_worker
import pytest

from core.events import CheckpointSaved, RunFailed, RunFinished, RunStarted, StepProgress
from core.storage.checkpoint import load_checkpoint
from experiments.locations import Locations
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Run
from experiments.runs.row import Status

STEPS_PER_EPOCH = 8
KILLS_AT_RANDOM = 15
KILLS_AT_FILES = 15


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


def kill_until_finished(locations: Locations, rng: random.Random, kills: int) -> int:
    """Train with a kill now and then until a run is whole; returns how often it was killed."""
    killed = 0
    while True:
        run = fault_worker.only_run(locations)
        if run is not None and isinstance(run.view().end, RunFinished):
            return killed
        child = fault_worker.start(locations, run.id if run is not None else "")
        if killed < kills:
            time.sleep(rng.uniform(0.05, 0.4))
            child.kill()
        child.join(120)
        killed += child.exitcode != 0
        run = fault_worker.only_run(locations)
        if run is not None:
            tear_logs(run)
            check_opens(run)


def test_a_run_killed_at_random_moments_ends_with_the_same_weights(locations, undisturbed, tmp_path):
    rng = random.Random(4)
    killed = 0
    for attempt in range(KILLS_AT_RANDOM):
        if killed >= KILLS_AT_RANDOM:
            break
        home = Locations(tmp_path / f"home{attempt}", tmp_path / "data", locations.cache)
        killed += kill_until_finished(home, rng, KILLS_AT_RANDOM - killed)
        run = fault_worker.only_run(home)
        assert final_hash(run) == undisturbed
        assert all(again <= STEPS_PER_EPOCH for again in steps_done_again(run))
    assert killed >= KILLS_AT_RANDOM


@pytest.mark.parametrize("operation", random.Random(7).sample(range(2, 120), KILLS_AT_FILES))
def test_a_run_killed_at_a_file_operation_ends_with_the_same_weights(locations, undisturbed, operation):
    child = fault_worker.start(locations, kill_at=operation)
    child.join(120)
    assert child.exitcode == -9
    run = fault_worker.only_run(locations)
    if run is not None:  # else it was killed before there was one
        tear_logs(run)
        check_opens(run)
    run = fault_worker.train_to_the_end(locations)
    assert final_hash(run) == undisturbed
    assert all(again <= STEPS_PER_EPOCH for again in steps_done_again(run))


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
    child = fault_worker.start(locations, kill_at=100)
    child.join(120)
    run = fault_worker.only_run(locations)
    saved = [e.event for e in EventReader(run.log).poll() if isinstance(e.event, CheckpointSaved)]
    assert len(saved) >= 2, "killed too early for two checkpoints"
    content = bytearray(run.checkpoint.read_bytes())
    content[-1] ^= 1
    run.checkpoint.write_bytes(content)
    assert load_checkpoint(run.checkpoint).state["epoch"] == saved[-2].epoch
    assert final_hash(fault_worker.train_to_the_end(locations)) == undisturbed
