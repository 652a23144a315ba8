"""The lock of a study's journal: one that a killed process cannot leave behind."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from optuna.storages.journal._file import BaseJournalFileLock  # exported under no other name


class JournalLock(BaseJournalFileLock):
    """Held by the process that appends. Whoever gets it cuts off a last line that a crash has torn, so that what is
    appended starts a line of its own."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._handle = -1

    def acquire(self) -> bool:
        self._handle = os.open(self._journal.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        self._repair()
        return True

    def release(self) -> None:
        os.close(self._handle)

    def _repair(self) -> None:
        with self._journal.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            whole = end
            while whole > 0:
                start = max(0, whole - 4096)
                file.seek(start)
                newline = file.read(whole - start).rfind(b"\n")
                whole = start + newline + 1 if newline >= 0 else start
                if newline >= 0:
                    break
            if whole < end:
                file.truncate(whole)
