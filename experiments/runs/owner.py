"""Which process works on a folder, that of a run or a study, and whether it still does.

Where locks work the folder's lock decides: whoever has it is at work, stopped or frozen though it may be. A process
that has yet to take the lock, or works where locks do nothing, is known by the kernel's own record of it, which no step
of the clock moves; one of another kernel or container by its heartbeat.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from core.errors import InvalidValue, StorageError, reason_of
from core.storage.files import open_regular, open_to_write
from core.storage.trust import make_private_folder
from experiments.runs.json_files import read_json, write_json

BEAT_INTERVAL = 5.0
"""Seconds between two heartbeats."""
HEARTBEAT_LIMIT = 120.0
"""Seconds without a heartbeat after which a process of another machine counts as dead."""
CLOCK_DIFFERENCE = 3600.0
"""Seconds that another machine's clock may be ahead; a heartbeat from further in the future is none."""
LOCK_ATTEMPTS = 20
"""Attempts at a lock, 10 ms apart, before it counts as another process's."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its host, its id there, and when it started, because ids are used again.

    `started` is in seconds since 1970, and moves with the clock on Linux. There `birth` says it exactly (`_birth`);
    it is empty on other systems, and in records of older versions.
    """

    host: str
    pid: int
    started: float
    birth: str = ""

    @classmethod
    def this_process(cls) -> Self:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Self:
        """A process of this machine."""
        return cls(socket.gethostname(), pid, _start_time(pid) or time.time(), _birth(pid))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self | None:
        host, pid, started, birth = (values.get(key) for key in ("host", "pid", "started", "birth"))
        if not isinstance(host, str) or type(pid) is not int or not isinstance(started, int | float):
            return None
        try:
            return cls(host, pid, float(started), birth if isinstance(birth, str) else "")
        except OverflowError:
            return None

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        return values if self.birth else {key: value for key, value in values.items() if key != "birth"}

    def is_this_process(self) -> bool:
        return (self.host, self.pid) == (socket.gethostname(), os.getpid()) and self.birth in ("", _birth(self.pid))

    def is_at_work_here(self) -> bool | None:
        """Whether the process runs, by its id and start; None when it is not one that can be seen from here: of another
        machine or container, or of a boot before this one."""
        if self.host != socket.gethostname():
            return None
        if self.birth and (here := _namespace()):
            return _birth(self.pid) == self.birth if self.birth.startswith(f"{here} ") else None
        started = _start_time(self.pid)
        return started is not None and abs(started - self.started) < 2  # the clock behind it is coarse

    def is_alive(self, *, heartbeat: Path, lock: Path | None) -> bool:
        """Whether the process works on a folder, by the folder's two files: it runs here, or somebody has the lock, or
        it cannot be seen from here and has shown lately that it is alive. No `lock` where this process has it itself.
        """
        at_work = self.is_at_work_here()
        if at_work or (lock is not None and is_locked(lock)):
            return True
        if at_work is False:
            return False
        try:
            return -CLOCK_DIFFERENCE < time.time() - heartbeat.lstat().st_mtime < HEARTBEAT_LIMIT
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

    @property
    def lock_file(self) -> Path:
        return self.folder / "lock"

    def owner(self) -> Owner | None:
        """The process that works on it, dead or alive; None when none does."""
        return Owner.from_json(read_json(self.owner_file))

    def is_alive(self) -> bool:
        """Whether the process that works on it is still there."""
        owner = self.owner()
        return owner is not None and owner.is_alive(heartbeat=self.owner_file, lock=self.lock_file)

    def is_owned_here(self) -> bool:
        """Whether this process is the one that works on it, now or when its turn comes."""
        owner = self.owner()
        return owner is not None and owner.is_this_process()

    def is_owned_elsewhere(self, *, has_lock: bool = False) -> bool:
        """Whether a process other than this one works on it. `has_lock` says that this one has taken the lock."""
        owner = self.owner()
        if owner is None or owner.is_this_process():
            return False
        return owner.is_alive(heartbeat=self.owner_file, lock=None if has_lock else self.lock_file)

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
            os.utime(self.owner_file, follow_symlinks=False)

    def disown(self) -> None:
        """Say that no process works on it any more."""
        with suppress(OSError):
            self.owner_file.unlink(missing_ok=True)

    def make(self) -> None:
        """Make the folder, and the home that it is in for this user alone, where they are missing.

        Raises:
            OSError: when they cannot be made.
        """
        make_private_folder(self.folder.parent.parent)
        self.folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within the block no other process has the folder's lock. Makes the folder where there is none.

        Raises:
            InvalidValue: while another process has it.
            StorageError: when the folder cannot be written.
        """
        try:
            self.make()
            handle = open_to_write(self.lock_file)
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
        text = f"{path or self.folder}: cannot be written: {reason_of(error)}"
        return StorageError(text, hint="check the home folder, or free some space there")

    def _beat_until(self, is_over: Event) -> None:
        while not is_over.wait(BEAT_INTERVAL):
            self.beat()


def take_lock(handle: int) -> bool:
    """Lock an open file until it is closed, or until its process ends; False while another process has the lock.

    `is_locked` takes a lock for an instant, so this tries again for a short while.
    """
    for attempt in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.01 if attempt + 1 < LOCK_ATTEMPTS else 0)
        except OSError:  # a file system without locks
            return True
    return False


def is_locked(path: Path) -> bool:
    """Whether a process has the lock of a file; False where there is no such file, and where locks do nothing."""
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


@cache
def _namespace() -> str:
    """What tells the process ids of here from all others: this boot of this kernel and the container; on Linux only."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _birth(pid: int) -> str:
    """Where and when a process of this machine started: the namespace and, from /proc/PID/stat (field 22, proc(5)), the
    clock ticks since the boot. Empty when there is none (a zombie is none), and on other systems than Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return f"{_namespace()} {fields[19]}" if _namespace() and fields[0] not in "ZX" else ""
    except (OSError, IndexError):
        return ""


def _start_time(pid: int) -> float | None:
    """When a process of this machine started, in seconds since 1970; None when there is none (a zombie is none)."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError, OverflowError):
        return None
