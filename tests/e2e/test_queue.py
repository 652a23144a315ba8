"""The process that works the line off is killed, with real jobs in it: none is lost, and none is trained twice."""

from __future__ import annotations

import os
import signal

import pytest
from waiting import wait_until

from experiments.queue.line import Queue
from experiments.runs.row import Status
from experiments.runs.store import Store

pytestmark = pytest.mark.timeout(900)


def kill_worker(queue: Queue) -> None:
    """End the process that works the line off, as nothing can be done about."""
    wait_until(queue.is_alive)
    os.kill(queue.owner().pid, signal.SIGKILL)
    wait_until(lambda: not queue.is_alive())


def test_killed_in_the_middle_of_a_job_and_between_them_it_loses_none_and_trains_none_twice(lab, endless):
    words = [*endless, "--engine", "eager", "--queue", "--epochs"]
    for seed, epochs in ((0, "60"), (1, "4"), (2, "4")):
        assert lab.run(*words, epochs, "--seed", str(seed)).returncode == 0
    queue, store = Queue.of(lab.home), Store(lab.home)
    runs = sorted(store.runs(), key=lambda run: run.config()["seed"])
    assert len(queue.entries()) == 3
    wait_until(lambda: runs[0].view().epochs)
    kill_worker(queue)
    assert lab.run("queue").returncode == 0  # who looks starts another
    wait_until(queue.is_alive)
    wait_until(lambda: runs[0].view().end is not None, 240)
    kill_worker(queue)
    assert lab.run("queue").returncode == 0
    wait_until(lambda: not queue.entries() and not any(run.is_alive() for run in runs), 240)
    assert [run.status() for run in runs] == [Status.FINISHED] * 3
    assert len(store.runs()) == 3
    for run in runs:
        begun = [line for line in run.log.read_text().splitlines() if '"run_started"' in line]
        assert len(begun) == 1, f"{run.id} was begun {len(begun)} times"
