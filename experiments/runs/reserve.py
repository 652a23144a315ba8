"""Space that is set aside in a run's folder, so that the end of the run can be written down when the disk is full.

The end is first written over what was set aside, which takes no new space. Half of that is then given up for the log.
Where another process takes even that, whoever looks at the run later still finds its end here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from core.errors import RunError
from core.events import RunFailed
from core.storage.files import open_to_write
from experiments.runs.eventlog import Entry, EventReader

KEPT, GIVEN_UP = 4096, 4096
"""Bytes for the end of a run, and for the last line of its log."""


def set_aside(path: Path) -> None:
    """Make the reserve, in the place of whatever there is of its name.

    Raises:
        OSError: when it cannot be written.
    """
    path.unlink(missing_ok=True)
    with os.fdopen(open_to_write(path, os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(b"\0" * (KEPT + GIVEN_UP))


def keep_end(path: Path, run_id: str, event: RunFailed) -> None:
    """Write the end of a run over the reserve, where there is one and it fits, before the log is tried."""
    entry = Entry(datetime.now(UTC).isoformat(timespec="milliseconds"), run_id, event)
    line = entry.to_json().encode() + b"\n"
    if len(line) > KEPT:
        return
    with suppress(OSError), os.fdopen(open_to_write(path, 0), "r+b", buffering=0) as file:
        file.write(line)
        os.fsync(file.fileno())
        file.truncate(KEPT)


def kept_end(path: Path) -> Entry | None:
    """The end of a run that its log had no space for."""
    with suppress(RunError):
        return next((entry for entry in EventReader(path).poll() if isinstance(entry.event, RunFailed)), None)
    return None
