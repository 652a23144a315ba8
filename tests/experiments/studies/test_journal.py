"""What the journal of a study relies on in Optuna, and the lock of its file.

The first three tests name what a version of Optuna has changed, to be mended in `experiments.studies.journal`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import subprocess
import sys

import optuna
import pytest
from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from core.errors import RunError, Stopped, StorageError
from experiments.studies.folder import StudyFolder
from experiments.studies.journal import JournalFile, open_storage

VERSION = f"optuna {optuna.__version__} has changed"


@pytest.fixture
def folder(tmp_path) -> StudyFolder:
    return StudyFolder.of(tmp_path, "s")


def test_what_is_replayed_goes_through_the_method_that_tells_of_damage(folder, monkeypatch):
    storage, calls = open_storage(folder), []
    monkeypatch.setattr(type(storage), "_sync_with_backend", lambda self: calls.append(JournalStorage))
    storage.get_all_studies()
    assert calls, f"{VERSION}: JournalStorage reads its journal without _sync_with_backend"


def test_what_is_written_goes_through_the_backend(folder):
    storage = open_storage(folder)
    study = optuna.create_study(storage=storage, study_name="s")
    study.tell(study.ask({"lr": optuna.distributions.FloatDistribution(0.1, 1.0)}), 0.5)
    lines = [json.loads(line) for line in folder.journal.read_text().splitlines()]
    assert len(lines) >= 3, f"{VERSION}: not all that a study does is appended by append_logs"
    assert all({"op_code", "worker_id"} <= line.keys() for line in lines), f"{VERSION}: the lines of a journal"


def test_optuna_reads_what_was_appended_and_the_other_way_round(folder):
    study = optuna.create_study(storage=open_storage(folder), study_name="s", direction="maximize")
    study.enqueue_trial({"lr": 0.25})
    plain = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(folder.journal))))
    assert [trial.state.name for trial in plain.trials] == ["WAITING"], f"{VERSION}: the format of a journal"
    plain.tell(plain.ask(), 0.75)
    assert optuna.load_study(study_name="s", storage=open_storage(folder)).best_value == 0.75, VERSION


def test_an_append_waits_for_the_process_that_holds_the_lock_and_not_for_one_that_was_killed(folder):
    folder.folder.mkdir(parents=True)
    lock = folder.journal.with_suffix(".lock")
    code = f"from filelock import FileLock; lock = FileLock({str(lock)!r}); lock.acquire(); print(flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(TimeoutError):
            FileLock(lock).acquire(blocking=False)
        holder.kill()
    JournalFile(folder).append_logs([{"op_code": 0}])
    assert folder.journal.read_text() == '{"op_code":0}\n'


def test_whoever_waits_for_the_lock_says_so_once_and_hears_of_a_reason_to_stop(folder, caplog):
    folder.folder.mkdir(parents=True)
    reasons = []
    file = JournalFile(folder, lambda: reasons[0] if reasons else "")
    said = logging.getLogger("experiments")

    class Stopping(logging.Handler):
        def emit(self, record):
            reasons.append("SIGTERM")

    stopping = Stopping()
    said.addHandler(stopping)
    try:
        with FileLock(folder.journal_lock), pytest.raises(Stopped, match="SIGTERM"):
            file.append_logs([{"op_code": 0}])
    finally:
        said.removeHandler(stopping)
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder.journal_lock}: another process has locked it; waiting for that"
    ]
    assert folder.journal.read_text() == ""


def test_whoever_adds_to_a_journal_that_stays_locked_gives_up_and_names_the_file(folder):
    folder.folder.mkdir(parents=True)
    with FileLock(folder.journal_lock), pytest.raises(StorageError, match=r"journal\.lock: another process has locked"):
        JournalFile(folder).append_logs([{"op_code": 0}])


def test_a_file_that_is_damaged_or_gone_is_not_appended_to(folder):
    folder.folder.mkdir(parents=True)
    file = JournalFile(folder)
    folder.journal.write_text("damage\n")
    with pytest.raises(RunError, match=r"journal\.jsonl: damaged"):
        file.append_logs([{}])
    assert folder.journal.read_text() == "damage\n"
    folder.journal.unlink()
    with pytest.raises(StorageError, match="cannot be written"):
        file.append_logs([{}])
    assert not folder.journal.exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EPERM, errno.EIO])
def test_on_a_file_system_without_locks_no_folder_is_made_and_that_is_the_reason(folder, monkeypatch, number):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    for attempt in (folder.locked, folder.held):
        with (
            pytest.raises(StorageError, match="its file system has no file locks, which a sweep needs") as refusal,
            attempt(),
        ):
            pass
        assert "another file system" in refusal.value.hint
        assert list(folder.folder.parent.parent.iterdir()) == []
    with pytest.raises(StorageError, match="no file locks"):
        open_storage(folder).create_new_study([], "first")
