"""The journal of a study: a lock that a killed process cannot leave behind, and problems that are told as ours."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from optuna.exceptions import OptunaError
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.storages.journal._file import BaseJournalFileLock  # exported under no other name

from core.errors import LabError, RunError
from experiments.studies.folder import ANOTHER, StudyFolder


class Journal(JournalStorage):
    """Optuna's storage of one study.

    Raises:
        StorageError: from every method, when the journal cannot be written or is gone.
        RunError: from every method, when it is damaged.
    """

    def __init__(self, folder: StudyFolder, backend: JournalFileBackend) -> None:
        self._folder = folder
        super().__init__(backend)

    def _write_log(self, op_code: int, extra_fields: dict[str, Any]) -> None:
        try:
            super()._write_log(op_code, extra_fields)
        except OSError as error:
            raise self._folder.unwritable(error) from error

    def _sync_with_backend(self) -> None:
        try:
            super()._sync_with_backend()
            with self._folder.journal.open("rb") as file:  # a last line that is damaged is passed over by Optuna
                _whole_lines(file)
        except (OptunaError, LabError):
            raise
        except OSError as error:
            raise self._folder.unwritable(error) from error
        except Exception as error:  # whatever the replay of a damaged log runs into
            raise damaged(self._folder.journal, error) from error


def open_storage(folder: StudyFolder) -> JournalStorage:
    """Optuna's storage of a study, made where there is none.

    Raises:
        StorageError: when it cannot be written.
        RunError: when it is damaged.
    """
    try:
        folder.folder.mkdir(parents=True, exist_ok=True)
        return Journal(folder, JournalFileBackend(str(folder.journal), JournalLock(folder.journal)))
    except OSError as error:
        raise folder.unwritable(error) from error


def name_within(storage: JournalStorage, folder: StudyFolder) -> str:
    """What a study is called in its journal: as its folder was when it began, before it was copied or renamed."""
    studies = storage.get_all_studies()
    return studies[0].study_name if studies else folder.name


def damaged(journal: Path, error: Exception) -> RunError:
    return RunError(f"{journal}: damaged: {error}", hint=ANOTHER)


class JournalLock(BaseJournalFileLock):
    """Held by the process that appends. Whoever gets it cuts off a last line that a crash has torn, so that what is
    appended starts a line of its own, and appends nothing after a whole line that is damaged."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._handle = -1

    def acquire(self) -> bool:
        self._handle = os.open(self._journal.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            self._repair()
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        os.close(self._handle)

    def _repair(self) -> None:
        with self._journal.open("rb+") as file:
            try:
                whole = _whole_lines(file)
            except ValueError as error:
                raise damaged(self._journal, error) from error
            if whole < file.seek(0, os.SEEK_END):
                file.truncate(whole)


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
