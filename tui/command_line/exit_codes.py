"""The exit codes of the process. Scripts rely on these numbers."""

from __future__ import annotations

from enum import IntEnum

from core.errors import DataError, LabError, OverBudget, RunError, Stopped, TrainingFailed


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    OVER_BUDGET = 3
    DATA = 4
    NO_RUN = 5
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143


_BY_ERROR: dict[type[LabError], ExitCode] = {
    TrainingFailed: ExitCode.FAILED,
    OverBudget: ExitCode.OVER_BUDGET,
    DataError: ExitCode.DATA,
    RunError: ExitCode.NO_RUN,
}


def exit_code_of(error: LabError) -> ExitCode:
    """The exit code of an expected failure. A wrong value and a home that cannot be written count as wrong usage."""
    if isinstance(error, Stopped):
        return stop_code(error.message)
    return next((code for kind, code in _BY_ERROR.items() if isinstance(error, kind)), ExitCode.USAGE)


def stop_code(reason: str) -> ExitCode:
    """The exit code of a run that was stopped: that of the signal, or of SIGTERM where it was no signal."""
    return ExitCode[reason] if reason in ("SIGINT", "SIGTERM", "SIGHUP") else ExitCode.SIGTERM
