"""Folders that one process at a time works on, of runs, of studies and of the claims."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import replace
from threading import Timer

import pytest

from core.config import TrainConfig
from core.errors import InvalidValue, StorageError
from experiments.runs.folder import Meta, Run
from experiments.runs.owner import OwnedFolder, Owner, is_locked
from experiments.runs.store import Store
from experiments.studies.folder import StudyFolder

HOLD = """
import sys
from pathlib import Path
from experiments.runs.owner import OwnedFolder
with OwnedFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_by_one_process_until_that_ends_however_it_does(tmp_path):
    folder = OwnedFolder(tmp_path / "claims")
    command = [sys.executable, "-c", HOLD, str(folder.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert (folder.owner().pid, folder.is_alive(), folder.is_owned_here()) == (other.pid, True, False)
        for block in (folder.held(), folder.locked()):
            with pytest.raises(InvalidValue, match=r"^claims = .*: another process works on it"), block:
                pytest.fail("two at a time")
        assert folder.owner().pid == other.pid
        other.kill()
    assert (folder.owner().pid, folder.is_alive()) == (other.pid, False)
    with folder.held():
        assert folder.is_owned_here()
    assert folder.owner() is None


STAND_BY = "import sys; print('here', flush=True); sys.stdin.read()"


@pytest.fixture
def other():
    """Another process of this machine, which does nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", STAND_BY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "here\n"
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the start of a process is told by the clock")
def test_a_process_is_alive_whatever_the_clock_was_set_to_since(tmp_path, other):
    folder = OwnedFolder(tmp_path)
    owner = Owner.of(other.pid)
    folder.hand_over(replace(owner, started=owner.started - 3600))  # as it looks when the clock was set an hour ahead
    assert folder.is_alive()
    other.kill()
    other.wait()
    assert not folder.is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the start of a process is told by the clock")
def test_a_process_that_has_the_id_of_a_dead_one_is_not_taken_for_it(tmp_path, other):
    folder = OwnedFolder(tmp_path)
    owner = Owner.of(other.pid)
    namespace, _, ticks = owner.birth.rpartition(" ")
    folder.hand_over(replace(owner, birth=f"{namespace} {int(ticks) - 1}"))
    assert not folder.is_alive()


def seen_from_elsewhere(owner):
    """The owner as it looks from a container of the same host name, from after a reboot, and from another machine."""
    boot, namespace, ticks = owner.birth.split(" ")
    return [
        replace(owner, birth=f"{boot} pid:[1] {ticks}"),
        replace(owner, birth=f"an-earlier-boot {namespace} {ticks}"),
        replace(owner, host="elsewhere"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere containers are not told apart")
def test_a_process_that_cannot_be_seen_from_here_is_alive_by_its_lock_or_else_by_its_heartbeat(tmp_path, other):
    for owner in seen_from_elsewhere(Owner.of(other.pid)):
        folder = OwnedFolder(tmp_path)
        folder.hand_over(owner)
        assert folder.is_alive()
        assert not folder.is_owned_here()
        os.utime(folder.owner_file, (0, 0))  # stopped or frozen for a long time
        assert not folder.is_alive()
        with folder.lock_file.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert folder.is_alive()
        assert not folder.is_alive()


def test_a_record_of_an_older_version_is_read_by_the_clock_and_by_the_lock(tmp_path, other):
    folder = OwnedFolder(tmp_path)
    owner = replace(Owner.of(other.pid), birth="")
    folder.hand_over(owner)
    assert folder.is_alive()
    folder.hand_over(replace(owner, started=owner.started - 3600))
    assert not folder.is_alive()
    with folder.lock_file.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert folder.is_alive()


def test_a_lock_is_waited_for_while_another_process_looks_whether_it_is_taken(tmp_path):
    folder = OwnedFolder(tmp_path)
    folder.lock_file.touch()
    with folder.lock_file.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        ends = Timer(0.05, fcntl.flock, (looking, fcntl.LOCK_UN))
        ends.start()
        with folder.locked():
            assert is_locked(folder.lock_file)
        ends.join()
    assert not is_locked(folder.lock_file)


def test_a_run_whose_log_another_process_writes_to_is_not_removed_whatever_its_owner_file_says(tmp_path):
    store = Store(tmp_path)
    run = store.create(TrainConfig(arch="conv5"), Meta(), {})
    with run.open_log():
        run.disown()
        with pytest.raises(InvalidValue, match="is running"):
            store.remove(run)
        assert run.log.exists()
    store.remove(run)
    assert store.runs() == []


def test_every_kind_of_folder_says_in_the_same_file_who_owns_it(tmp_path):
    for folder in (Run(tmp_path / "run"), StudyFolder(tmp_path / "study"), OwnedFolder(tmp_path / "claims")):
        folder.folder.mkdir()
        folder.hand_over(Owner("there", 1, 2.5))
        assert json.loads((folder.folder / "owner.json").read_text()) == {"host": "there", "pid": 1, "started": 2.5}
        os.utime(folder.owner_file, (0, 0))
        assert not folder.is_alive()  # the last sign of life is too long ago
        folder.beat()
        assert folder.is_alive()
        folder.disown()
        folder.disown()
        assert list(folder.folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "claims").write_text("")
    with pytest.raises(StorageError, match="claims: cannot be written"), OwnedFolder(tmp_path / "claims").held():
        pytest.fail("there is no folder")
