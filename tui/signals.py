"""Signals as a wish to stop, which work looks at when it can be left cleanly."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tui.exit_codes import stop_code

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StopFlag:
    """A `ShouldStop`: empty until a signal has come, then its name."""

    def __init__(self) -> None:
        self._reason = ""

    def __call__(self) -> str:
        return self._reason

    def raise_flag(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal. Someone who presses Ctrl+C twice does not want to wait; files are whole at any moment."""
        if self._reason and number == signal.SIGINT:
            os._exit(stop_code("SIGINT"))
        self._reason = self._reason or signal.Signals(number).name


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """Within the block SIGINT, SIGTERM and SIGHUP raise the flag instead of ending the process."""
    flag = StopFlag()
    previous = {number: signal.signal(number, flag.raise_flag) for number in _SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
