"""Training in a process of its own that outlives the terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from core.errors import StorageError
from experiments.owner import Owner
from experiments.run import Run


def start_detached(run: Run, command: Sequence[str]) -> int:
    """Start `command`, which resumes `run`, in a session of its own; what it prints goes to the run's output.log.

    Returns the process's id. A terminal that closes sends it no signal, and it reads nothing from one.

    Raises:
        StorageError: when the process cannot be started.
    """
    try:
        run.forget_stop()
        with run.output.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
    except OSError as error:
        raise StorageError(f"{run.folder}: {command[0]}: {error.strerror}", hint="check the home folder") from error
    run.hand_over(Owner.of(process.pid))
    return process.pid
