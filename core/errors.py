"""The failures a user can cause or meet, each with one message and one hint.

Anything else that is raised is a bug and is not caught.
"""

from __future__ import annotations

from collections.abc import Callable


class LabError(Exception):
    """An expected failure: `message` says what is wrong, `hint` what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidValue(LabError):
    """A field holds a value that is not allowed."""

    def __init__(self, field: str, value: object, allowed: str, *, hint: str = "") -> None:
        super().__init__(f"{field} = {shown(value)}: {allowed}", hint=hint)
        self.field = field
        self.value = value
        self.allowed = allowed


class SpecError(InvalidValue):
    """An architecture spec that cannot be built; `token` is the one at fault, `position` counts from 1."""

    def __init__(self, spec: str, token: str, position: int, reason: str, *, hint: str = "") -> None:
        super().__init__("arch", spec, f"{token} at position {position}: {reason}", hint=hint)
        self.token = token
        self.position = position
        self.reason = reason


class OverBudget(LabError):
    """More parameters or epochs than the budget allows."""


class DataError(LabError):
    """A data set is missing, unreachable or corrupt."""


class RunError(LabError):
    """No such run, or its files are damaged."""


class StorageError(LabError):
    """The home folder cannot be written."""


class TrainingFailed(LabError):
    """A run that started and could not go on: diverged, out of memory, storage gone."""


ShouldStop = Callable[[], str]
"""Asked again and again during work of any length: why to stop, or nothing to go on."""


class Stopped(LabError):
    """Work was given up because `ShouldStop` gave this reason."""

    @classmethod
    def check(cls, should_stop: ShouldStop) -> None:
        """Raise when there is a reason to stop."""
        if reason := should_stop():
            raise cls(reason)


def shown(value: object, width: int = 120) -> str:
    """The value as its user typed it, on one line of at most `width` characters."""
    text = value if isinstance(value, str) and value.isprintable() and value.strip() else repr(value)
    return text if len(text) <= width else text[: width - 3] + "..."
