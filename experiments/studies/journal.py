"""The journal of a study: Optuna's storage, with a lock that no killed process leaves behind and with errors of ours.

Only here more of Optuna is used than it documents: `JournalStorage._sync_with_backend`, which replays the lines of a
journal that are new. `tests/experiments/studies/test_journal.py` says so when a version has changed it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from filelock import FileLock, Timeout
from optuna.exceptions import OptunaError
from optuna.storages.journal import JournalFileBackend, JournalStorage

from core.errors import LabError, RunError, ShouldStop
from core.storage.files import open_regular, open_to_write
from experiments.studies.folder import ANOTHER, StudyFolder
from experiments.studies.locks import wait_for_lock, without_locks


class Journal(JournalStorage):
    """Optuna's storage of one study. `should_stop` is as for `JournalFile`.

    Raises:
        StorageError: from every method, when the journal cannot be written or is gone.
        RunError: from every method, when it is damaged.
    """

    def __init__(self, folder: StudyFolder, should_stop: ShouldStop | None = None) -> None:
        self._folder = folder
        super().__init__(JournalFile(folder, should_stop))

    def _sync_with_backend(self) -> None:
        try:
            super()._sync_with_backend()
            with open_regular(self._folder.journal) as file:  # a last line that is damaged is passed over by Optuna
                _whole_lines(file)
        except (OptunaError, LabError):
            raise
        except OSError as error:
            raise self._folder.unwritable(error) from error
        except Exception as error:  # whatever the replay of a damaged journal runs into
            raise damaged(self._folder, error) from error


class JournalFile(JournalFileBackend):
    """The journal's file, appended to by one process at a time.

    Before a line is appended, a last line that a crash has torn is cut off, so that what comes starts a line of its
    own; after a whole line that is damaged nothing is appended.

    While another process has the lock, one with `should_stop` says so once and waits; one without gives up after a
    second.
    """

    def __init__(self, folder: StudyFolder, should_stop: ShouldStop | None = None) -> None:
        os.close(open_to_write(folder.journal))  # Optuna would follow a link, and wait for a pipe
        super().__init__(str(folder.journal))
        self._folder = folder
        self._should_stop = should_stop

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append a line for each.

        Raises:
            StorageError: when the journal cannot be written, or is gone, or another process keeps its lock.
            RunError: when it is damaged.
            Stopped: when there is a reason to, while another process has its lock.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        try:
            with self._locked(), os.fdopen(open_to_write(self._folder.journal, 0), "rb+") as file:
                self._repair(file)
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._folder.unwritable(error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The operating system takes the lock from a process that ends. A file system without such locks is refused: a
        file as a lock would outlive its process."""
        path = self._folder.journal_lock
        os.close(open_to_write(path))  # no link, no pipe
        lock = FileLock(path, fallback_to_soft=False)

        def take() -> bool:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return False
            except (NotImplementedError, OSError) as error:
                raise without_locks(path) from error
            return True

        wait_for_lock(path, take, self._should_stop)
        try:
            yield
        finally:
            lock.release()

    def _repair(self, file: BinaryIO) -> None:
        """Leave the file at the end of its last whole line."""
        try:
            whole = _whole_lines(file)
        except ValueError as error:
            raise damaged(self._folder, error) from error
        if whole < file.seek(0, os.SEEK_END):
            file.truncate(whole)
            file.seek(whole)


def open_storage(folder: StudyFolder, should_stop: ShouldStop | None = None) -> JournalStorage:
    """Optuna's storage of a study, made where there is none. `should_stop` is as for `JournalFile`.

    Raises:
        StorageError: when it cannot be written.
        RunError: when it is damaged.
    """
    try:
        folder.make()
        return Journal(folder, should_stop)
    except OSError as error:
        raise folder.unwritable(error) from error


def name_within(storage: JournalStorage, folder: StudyFolder) -> str:
    """The name of a study in its journal: that of its folder when it began, before it was copied or renamed."""
    studies = storage.get_all_studies()
    return studies[0].study_name if studies else folder.name


def damaged(folder: StudyFolder, error: Exception) -> RunError:
    return RunError(f"{folder.journal}: damaged: {error}", hint=ANOTHER)


def _whole_lines(file: BinaryIO) -> int:
    """Where the whole lines end, a torn one left out; raises `ValueError` when the last of them is damaged."""
    whole = _line_start(file, file.seek(0, os.SEEK_END))
    if whole > 0:
        start = _line_start(file, whole - 1)
        file.seek(start)
        json.loads(file.read(whole - start))
    return whole


def _line_start(file: BinaryIO, position: int) -> int:
    """Where the line starts that a position of a file is in."""
    while position > 0:
        start = max(0, position - 4096)
        file.seek(start)
        newline = file.read(position - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0
