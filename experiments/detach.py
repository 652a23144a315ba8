"""Training in a process of its own that outlives the terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from core.errors import StorageError
from experiments.owner import Owner
from experiments.run import Run

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
    folder = runs[0].folder
    try:
        with runs[0].output.open("ab") as output:
            process = subprocess.Popen(
                (*_WAIT_AND_BECOME, *command),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        assert process.stdin is not None
        with process.stdin as gate:
            owner = Owner.of(process.pid)
            for run in runs:
                run.forget_stop()
                run.hand_over(owner)
            gate.write(b"go\n")
    except OSError as error:
        raise StorageError(f"{folder}: {command[0]}: {error.strerror}", hint="check the home folder") from error
    return process.pid
