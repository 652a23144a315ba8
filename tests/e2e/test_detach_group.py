"""A group that one process trains in turn, detached or not, and what becomes of the runs it has not come to."""

import os
import re
import signal
import subprocess

import pytest
from waiting import wait_until

from experiments.runs.row import Status
from experiments.runs.store import Store


@pytest.fixture
def group(lab, endless):
    """The id of a group whose first run is in training, and its runs."""
    detached = lab.run(*endless, "--seeds", "3-5", "--name", "x", "--detach")
    group_id = detached.stdout.strip()
    assert re.fullmatch(r"g[0-9]{8}-[0-9]{6}-[0-9a-f]{8}", group_id), detached.stderr
    runs = Store(lab.home).find_all(group_id)
    try:
        wait_until(lambda: runs[0].row().epochs_done > 0)
        yield group_id, runs
    finally:
        end(lab, runs)


def end(lab, runs):
    """Kill the process that trains them."""
    for run in runs:
        if run.is_alive():
            os.kill(run.owner().pid, signal.SIGKILL)
            wait_until(lambda run=run: not run.is_alive())


def statuses(runs):
    return [run.status() for run in runs]


def test_the_runs_of_a_detached_group_wait_their_turn_are_stopped_together_and_resumed(lab, group):
    group_id, runs = group
    assert [(run.row().name, run.row().seed) for run in runs] == [("x-3", 3), ("x-4", 4), ("x-5", 5)]
    assert statuses(runs) == [Status.RUNNING] * 3
    assert len({run.owner() for run in runs}) == 1
    stopped = lab.run("stop", group_id)
    assert (stopped.returncode, stopped.stderr.count(" is stopped")) == (0, 3)
    assert statuses(runs) == [Status.STOPPED] * 3
    assert [run.checkpoint.exists() for run in runs] == [True, False, False]

    assert lab.run("resume", group_id, "--detach").stdout == f"{group_id}\n"
    assert statuses(runs) == [Status.RUNNING] * 3
    assert lab.run("stop", runs[0].id).returncode == 0
    wait_until(lambda: runs[1].row().epochs_done > 0)  # the others are still to be trained
    assert statuses(runs) == [Status.STOPPED, Status.RUNNING, Status.RUNNING]


def test_when_a_detached_group_is_killed_none_of_its_runs_stays_live(lab, group):
    group_id, runs = group
    end(lab, runs)
    assert statuses(runs) == [Status.CRASHED] * 3
    refused = lab.run("stop", group_id)
    assert (refused.returncode, refused.stdout) == (2, "")


def test_a_signal_stops_all_runs_of_a_detached_group(lab, group):
    _, runs = group
    os.kill(runs[0].owner().pid, signal.SIGTERM)
    wait_until(lambda: Status.RUNNING not in statuses(runs))
    assert [run.view().end.reason for run in runs] == ["SIGTERM"] * 3


@pytest.fixture
def resumed(lab, group):
    """The group stopped, and a process in the foreground that goes on with it, the first of its runs in training."""
    group_id, runs = group
    lab.run("stop", group_id)
    before = runs[0].row().epochs_done
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([*lab.command, "resume", group_id], text=True, env=lab.environment, **pipes) as process:
        try:
            wait_until(lambda: process.poll() is not None or runs[0].row().epochs_done > before)
            yield process
        finally:
            process.kill()


def test_a_group_resumed_in_the_foreground_is_stopped_as_a_whole(lab, group, resumed):
    group_id, runs = group
    assert statuses(runs) == [Status.RUNNING] * 3
    stopped = lab.run("stop", group_id)
    assert (stopped.returncode, stopped.stderr.count(" is stopped")) == (0, 3)
    resumed.communicate(timeout=60)
    assert resumed.returncode == 143
    assert statuses(runs) == [Status.STOPPED] * 3
    assert [run.row().epochs_done > 0 for run in runs] == [True, False, False]


def test_a_signal_to_a_group_resumed_in_the_foreground_leaves_those_that_wait_as_they_were(lab, group, resumed):
    _, runs = group
    before = [run.log.read_bytes() for run in runs[1:]]
    resumed.send_signal(signal.SIGINT)
    _, said = resumed.communicate(timeout=60)
    assert (resumed.returncode, "Traceback" in said) == (130, False)
    assert statuses(runs) == [Status.STOPPED] * 3
    assert runs[0].view().end.reason == "SIGINT"
    assert [run.log.read_bytes() for run in runs[1:]] == before
