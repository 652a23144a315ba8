"""The failures a user can cause or meet, each with one message and advice on what to do.

Anything else that is raised is a bug and is not caught.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import ClassVar

from core.advice import Action, Advice, Hint, Tip


class LabError(Exception):
    """An expected failure: `message` says what is wrong, `advice` what to do about it."""

    def __init__(self, message: str, *, hint: Hint = "") -> None:
        self.message = printable(message)
        self.advice = Advice.of(hint).cleaned(printable)
        super().__init__(self.message)

    @property
    def hint(self) -> str:
        """The advice as a log has it; a front end words it by itself."""
        return str(self.advice)


class InvalidValue(LabError):
    """A field holds a value that is not allowed."""

    FORM: ClassVar = "{field} = {value}: {allowed}"

    def __init__(self, field: str, value: object, allowed: str, *, hint: Hint = "") -> None:
        super().__init__(self.FORM.format(field=field, value=shown(value), allowed=allowed), hint=hint)
        self.field = field
        self.value = value
        self.allowed = allowed


class SpecError(InvalidValue):
    """An architecture spec that cannot be built; `token` is the one at fault, `position` counts from 1."""

    def __init__(self, spec: str, token: str, position: int, reason: str, *, hint: Hint = "") -> None:
        self.token = shown(token, 40)
        hint = hint or Tip(Action.EXPLAIN_LAYERS)
        super().__init__("arch", spec, f"{self.token} at position {position}: {reason}", hint=hint)
        self.position = position
        self.reason = reason


class OverBudget(LabError):
    """More parameters or epochs than the budget allows."""


class DataError(LabError):
    """A data set is missing, unreachable or corrupt."""


class RunError(LabError):
    """No such run, group or study, or its files are damaged."""


class StorageError(LabError):
    """The home folder cannot be written."""


class TrainingFailed(LabError):
    """A run that started and could not go on: diverged, out of memory, storage gone."""


ShouldStop = Callable[[], str]
"""Called again and again during long work: returns the reason to stop, empty to go on."""


class Stopped(LabError):
    """Work was stopped for the reason that a `ShouldStop` returned."""

    @classmethod
    def check(cls, should_stop: ShouldStop) -> None:
        """Raise `Stopped` when there is a reason to."""
        if reason := should_stop():
            raise cls(reason)


def printable(text: str) -> str:
    """The text on one line, with control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_full(error: OSError) -> bool:
    """Whether it says that there is no space left, or none for this user or this file."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def reason_of(error: OSError) -> str:
    """What the system says of it, or else what the error itself says."""
    return error.strerror or one_line(error) or type(error).__name__


def one_line(text: object, width: int = 160) -> str:
    """Foreign text, such as an exception's message, on one line of at most `width` characters."""
    line = printable(" ".join(str(text).split()))
    return line if len(line) <= width else line[: width - 3] + "..."


def shown(value: object, width: int = 120) -> str:
    """A value as its user typed it, on one line of at most `width` characters."""
    if isinstance(value, str) and value.isprintable() and value.strip():
        return one_line(value, width)
    try:
        return one_line(repr(value), width)
    except ValueError:  # Python does not print whole numbers of thousands of digits
        return "a number of thousands of digits"
    except RecursionError:
        return "a value of thousands of parts within parts"
