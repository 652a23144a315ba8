"""The lock of a study's journal: waited for, and missing on some file systems."""

from __future__ import annotations

import fcntl
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.advice import Action, Advice, Tip
from core.errors import ShouldStop, Stopped, StorageError

POLL = 0.02
"""Seconds between two attempts at a lock. An append to a journal takes less."""
PATIENCE = 1.0
"""Seconds without the lock after which that is said."""
_log = logging.getLogger(__name__)


def wait_for_lock(path: Path, take: Callable[[], bool], should_stop: ShouldStop | None) -> None:
    """Try to `take` a lock again and again. So a signal is heard between two attempts. After `PATIENCE` it is said once
    that another process has the lock.

    Args:
        path: the lock's file, to be named.
        should_stop: None for work that is given up instead.

    Raises:
        Stopped: when there is a reason to.
        StorageError: when it is given up.
    """
    began, is_said = time.monotonic(), False
    while not take():
        if should_stop is not None:
            Stopped.check(should_stop)
        if time.monotonic() - began > PATIENCE and not is_said:
            if should_stop is None:
                raise StorageError(f"{path}: another process has locked it", hint="try again when that has ended")
            _log.warning("%s: another process has locked it; waiting for that", path)
            is_said = True
        time.sleep(POLL)


def check_locks(folder: Path) -> None:
    """Find out whether there are file locks where a folder is, or is to be made.

    Raises:
        StorageError: when there are none.
        OSError: when nothing can be written there.
    """
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    with tempfile.NamedTemporaryFile(prefix=".locks.", dir=there) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise without_locks(there) from error


def without_locks(path: Path) -> StorageError:
    another = Advice(Tip(Action.START_WITH, "home", "a folder on another file system"))
    return StorageError(f"{path}: its file system has no file locks, which a sweep needs", hint=another)
