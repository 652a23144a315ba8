"""The status of a run: what its log says, else whether the process that trains it is still there."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from core.errors import StorageError
from experiments.runs.owner import CLOCK_DIFFERENCE, HEARTBEAT_LIMIT, Owner
from experiments.runs.row import Status

MAKE_A_RUN_AND_WAIT = """
import sys
from pathlib import Path
from core.config import TrainConfig
from experiments.runs.store import Meta, Store
print(Store(Path(sys.argv[1])).create(TrainConfig(), Meta(), {}).id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(store):
    """A process that owns a run of the store; ends with the test."""
    command = [sys.executable, "-c", MAKE_A_RUN_AND_WAIT, str(store.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def own(run, **values: object) -> None:
    """Say that somebody else trains the run."""
    owner = {**Owner.this_process().to_json(), **values}
    (run.folder / "owner.json").write_text(json.dumps(owner))


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_run_that_nobody_trains_any_more_has_the_status_of_its_end(new_run, script):
    assert new_run(script.started(), script.finished()).status() is Status.FINISHED
    assert new_run(script.started(), script.stopped()).status() is Status.STOPPED
    assert new_run(script.started(), script.failed()).status() is Status.FAILED


def test_a_run_that_has_ended_is_running_while_a_process_goes_on_with_it(new_run, script):
    run = new_run(script.started(), script.stopped())
    own(run)
    assert run.status() is Status.RUNNING


def test_an_end_in_the_log_decides_after_the_process_is_gone(new_run, script):
    run = new_run(script.started(), script.finished())
    own(run, pid=dead_pid())
    assert run.status() is Status.FINISHED


def test_without_an_end_a_run_lives_as_long_as_its_process(new_run, script):
    run = new_run(script.started(), script.epoch(1))
    assert run.status() is Status.RUNNING
    own(run, pid=dead_pid())
    assert run.status() is Status.CRASHED


def test_a_resumed_run_is_running_whatever_its_log_said_before(new_run, script):
    assert new_run(script.started(), script.stopped(), script.started()).status() is Status.RUNNING


def test_a_run_of_another_process_is_running_until_that_is_killed(other_process, store):
    run = store.run(other_process.stdout.readline().strip())
    assert run.status() is Status.RUNNING
    other_process.send_signal(signal.SIGKILL)
    while psutil.pid_exists(other_process.pid) and psutil.Process(other_process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert run.status() is Status.CRASHED  # while its parent has not taken notice yet
    other_process.wait()
    assert run.status() is Status.CRASHED


def test_a_process_that_has_the_id_of_a_dead_one_does_not_bring_its_run_to_life(new_run, script):
    run = new_run(script.started())
    own(run, started=psutil.Process().create_time() - 3600, birth="")  # as an older version wrote it
    assert run.status() is Status.CRASHED


def test_a_run_of_another_host_lives_as_long_as_its_files_are_written_to(new_run, script):
    run = new_run(script.started())
    own(run, host=f"not-{socket.gethostname()}", pid=dead_pid())
    assert run.status() is Status.RUNNING
    long_ago = run.log.stat().st_mtime - HEARTBEAT_LIMIT - 60
    for path in run.folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    assert run.status() is Status.CRASHED
    run.beat()
    assert run.status() is Status.RUNNING


@pytest.mark.parametrize(
    ("ahead", "status"), [(CLOCK_DIFFERENCE - 60, Status.RUNNING), (CLOCK_DIFFERENCE + 60, Status.CRASHED)]
)
def test_the_clock_of_another_host_may_be_wrong_but_not_keep_a_run_alive_for_ever(new_run, script, ahead, status):
    run = new_run(script.started())
    own(run, host=f"not-{socket.gethostname()}")
    os.utime(run.folder / "owner.json", (time.time() + ahead,) * 2)
    assert run.status() is status


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "{}", "null", '"x"'),
        *('{"host": 3, "pid": 1, "started": 1}', '{"host": "HERE", "pid": "1", "started": 1}'),
        *('{"host": "HERE", "pid": true, "started": 1}', '{"host": "HERE", "pid": 1, "started": null}'),
        *('{"host": "HERE", "pid": -1, "started": 1}', '{"host": "HERE", "pid": 0, "started": 1}'),
        '{"host": "HERE", "pid": 99999999999999999999999, "started": 1e400}',
    ],
)
def test_a_damaged_owner_is_nobody(new_run, script, content):
    run = new_run(script.started())
    (run.folder / "owner.json").write_text(content.replace("HERE", socket.gethostname()))
    assert run.status() is Status.CRASHED


def test_without_an_owner_file_nobody_trains_the_run(new_run, script):
    run = new_run(script.started())
    (run.folder / "owner.json").unlink()
    assert run.status() is Status.CRASHED


def test_a_wish_to_stop_that_cannot_be_taken_back_is_an_error_of_the_folder(new_run):
    run = new_run()
    (run.folder / "stop").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        run.forget_stop()
