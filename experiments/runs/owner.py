"""Who trains a run, and whether they still do."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

HEARTBEAT_LIMIT = 120.0
"""Seconds without a heartbeat after which a run of another machine counts as dead."""
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


def _start_time(pid: int) -> float | None:
    """When a process of this machine started, None when there is none (a zombie is none)."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError, OverflowError):
        return None
