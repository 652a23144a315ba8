"""The process that drives a study: starting one that outlives the terminal, and stopping it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from core.errors import InvalidValue, RunError
from experiments.execution.detach import start_process
from experiments.runs.owner import Owner
from experiments.studies.folder import StudyFolder


def start_sweep_detached(study: StudyFolder, command: Sequence[str]) -> int:
    """Start `command`, which drives a study, as `start_detached` does; what it prints goes to the study's output.log.

    Raises:
        InvalidValue: while another process drives the study.
        StorageError: when the process cannot be started.
    """

    def own(owner: Owner) -> None:
        with study.locked():
            study.hand_over(owner)

    return start_process(study.output, command, own)


def stop_study(home: Path, name: str) -> None:
    """Ask the driver of a study to stop: its trials save a checkpoint and stay open, to be taken up again.

    Raises:
        InvalidValue: when nobody drives it, or somebody on another machine.
        RunError: when the driver belongs to another user.
    """
    study = StudyFolder.of(home, name)
    owner = study.owner()
    if owner is None or not study.is_alive():
        raise InvalidValue("study", name, "no process is at work on it", hint="there is nothing to stop")
    if not owner.is_at_work_here():  # its id may be another process's here
        hint = f"stop process {owner.pid} there"
        raise InvalidValue("study", name, f"is driven on another machine or container, {owner.host}", hint=hint)
    try:
        os.kill(owner.pid, signal.SIGTERM)
    except ProcessLookupError:
        return  # it has just ended by itself
    except PermissionError as error:
        raise RunError(f"process {owner.pid} belongs to another user", hint="stop it as that user") from error
