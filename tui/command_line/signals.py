"""Signals that stop work at the next point where it can be left cleanly."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from core.advice import Advice
from core.errors import Stopped
from tui.command_line.early_signals import heard_signals
from tui.command_line.exit_codes import stop_code


class StopFlag:
    """A `ShouldStop`: returns "" until a signal has come, then the signal's name."""

    def __init__(self) -> None:
        self._reason = ""

    def __call__(self) -> str:
        return self._reason

    def raise_flag(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal. A second Ctrl+C leaves at once, which is safe: files are whole at any moment."""
        if self._reason and number == signal.SIGINT:
            os._exit(stop_code("SIGINT"))
        self._reason = self._reason or signal.Signals(number).name


@contextmanager
def stop_on_signals(left_behind: str = "nothing had begun, so nothing was saved") -> Iterator[StopFlag]:
    """Within the block SIGINT, SIGTERM and SIGHUP raise the flag instead of ending the process.

    `left_behind` is the hint of work that raises `Stopped` before there is a run.
    """
    flag = StopFlag()
    previous = {number: signal.signal(number, flag.raise_flag) for number in heard_signals()}
    try:
        yield flag
    except Stopped as error:
        error.advice = error.advice or Advice(left_behind)
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
