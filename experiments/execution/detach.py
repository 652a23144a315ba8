"""Training in a process of its own that outlives the terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import StorageError
from core.storage.files import open_to_write
from core.storage.trust import make_private_folder
from experiments.runs.folder import Run
from experiments.runs.owner import Owner

_WAIT_AND_BECOME = ("/bin/sh", "-c", 'read _ && exec "$@" < /dev/null', "sh")
"""A process that becomes the command that follows once it reads a line, and ends if its starter does before that."""


def start_detached(runs: Sequence[Run], command: Sequence[str]) -> int:
    """Start `command`, which resumes `runs` one after the other, in a session of its own; what it prints goes to the
    first run's output.log.

    Returns the process's id. It owns all the runs before it does anything. A terminal that closes sends it no signal,
    and it reads nothing from one.

    Raises:
        StorageError: when the process cannot be started.
    """

    def own(owner: Owner) -> None:
        for run in runs:
            run.forget_stop()
            run.hand_over(owner)

    return start_process(runs[0].output, command, own)


def start_process(output: Path, command: Sequence[str], own: Callable[[Owner], None]) -> int:
    """Start a command that does nothing before `own` has given it what it is for."""
    try:
        make_private_folder(output.parents[2])
        output.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(open_to_write(output, os.O_CREAT | os.O_APPEND), "ab") as file:
            process = subprocess.Popen(
                (*_WAIT_AND_BECOME, *command),
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        assert process.stdin is not None
        with process.stdin as gate:
            own(Owner.of(process.pid))
            gate.write(b"go\n")
    except OSError as error:
        hint = "check the home folder"
        raise StorageError(f"{output.parent}: {command[0]}: {error.strerror}", hint=hint) from error
    return process.pid
