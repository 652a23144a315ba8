"""Which process works on a folder, that of a run or a study, and whether it still does."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from core.errors import InvalidValue, StorageError
from experiments.runs.json_files import read_json, write_json

BEAT_INTERVAL = 5.0
"""Seconds between two heartbeats."""
HEARTBEAT_LIMIT = 120.0
"""Seconds without a heartbeat after which a process of another machine counts as dead."""
CLOCK_DIFFERENCE = 3600.0
"""Seconds that another machine's clock may be ahead; a heartbeat from further in the future is none."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its host, its id there, and when it started (seconds since 1970), because ids are used again."""

    host: str
    pid: int
    started: float

    @classmethod
    def this_process(cls) -> Self:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Self:
        """A process of this machine."""
        return cls(socket.gethostname(), pid, _start_time(pid) or time.time())

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self | None:
        host, pid, started = values.get("host"), values.get("pid"), values.get("started")
        if not isinstance(host, str) or type(pid) is not int or not isinstance(started, int | float):
            return None
        try:
            return cls(host, pid, float(started))
        except OverflowError:
            return None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def is_this_process(self) -> bool:
        return self.host == socket.gethostname() and self.pid == os.getpid()

    def is_alive(self, *, heartbeat: Path) -> bool:
        """Whether the process runs; of one on another host, whether the file `heartbeat` was written to lately."""
        if self.host == socket.gethostname():
            started = _start_time(self.pid)
            return started is not None and abs(started - self.started) < 2  # the clock behind it is coarse
        try:
            return -CLOCK_DIFFERENCE < time.time() - heartbeat.stat().st_mtime < HEARTBEAT_LIMIT
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A folder that one process at a time works on. Its file owner.json names that process, and the file's time is the
    process's heartbeat; its file lock, where the folder has no other, is locked meanwhile."""

    folder: Path

    @property
    def owner_file(self) -> Path:
        return self.folder / "owner.json"

    def owner(self) -> Owner | None:
        """The process that works on it, dead or alive; None when none does."""
        return Owner.from_json(read_json(self.owner_file))

    def is_alive(self) -> bool:
        """Whether the process that works on it is still there."""
        owner = self.owner()
        return owner is not None and owner.is_alive(heartbeat=self.owner_file)

    def is_owned_here(self) -> bool:
        """Whether this process is the one that works on it, now or when its turn comes."""
        owner = self.owner()
        return owner is not None and owner.is_this_process()

    def hand_over(self, owner: Owner) -> None:
        """Say which process works on it from now on.

        Raises:
            StorageError: when that cannot be written.
        """
        try:
            write_json(self.owner_file, owner.to_json())
        except OSError as error:
            raise self.unwritable(error, self.owner_file) from error

    def beat(self) -> None:
        """Show that the process that works on it is alive."""
        with suppress(OSError):
            os.utime(self.owner_file)

    def disown(self) -> None:
        """Say that no process works on it any more."""
        with suppress(OSError):
            self.owner_file.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within the block no other process has the folder's lock. Makes the folder where there is none.

        Raises:
            InvalidValue: while another process has it.
            StorageError: when the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self.unwritable(error) from error
        try:
            if not take_lock(handle):
                raise self.busy()
            yield
        finally:
            os.close(handle)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block this process works on it, has its lock, and shows that it is alive whatever it does.

        Raises:
            InvalidValue, StorageError: as `locked`.
        """
        with self.locked():
            self.hand_over(Owner.this_process())
            is_over = Event()
            beating = Thread(target=self._beat_until, args=(is_over,), daemon=True)
            beating.start()
            try:
                yield
            finally:
                is_over.set()
                beating.join()
                self.disown()

    def busy(self) -> InvalidValue:
        """The error while another process has the lock."""
        return InvalidValue(self.folder.name, str(self.folder), "another process works on it", hint="wait for it")

    def unwritable(self, error: OSError, path: Path | None = None) -> StorageError:
        """The error when the folder, or a file in it, cannot be written."""
        text = f"{path or self.folder}: cannot be written: {error.strerror}"
        return StorageError(text, hint="check the home folder, or free some space there")

    def _beat_until(self, is_over: Event) -> None:
        while not is_over.wait(BEAT_INTERVAL):
            self.beat()


def take_lock(handle: int) -> bool:
    """Lock an open file until it is closed, or until its process ends; False while another process has the lock."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def _start_time(pid: int) -> float | None:
    """When a process of this machine started, None when there is none (a zombie is none)."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError, OverflowError):
        return None
