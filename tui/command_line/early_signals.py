"""Signals before there is anything to stop, and what a command does of one that it does not handle itself."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def leave_on_signals() -> None:
    """From now on a signal ends the process at once: nothing has been begun."""
    for number in heard_signals():
        signal.signal(number, _leave)


def heard_signals() -> list[signal.Signals]:
    """The signals that this process was not told to ignore, as nohup or a shell in the background do."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def end_commands_by_exception() -> None:
    """Once there may be something to clean up, let signals unwind the program instead of cutting it off."""
    for number in SIGNALS:
        if signal.getsignal(number) is _leave:
            signal.signal(number, _unwind)


def _leave(number: int, _frame: object = None) -> None:
    """No exception: those raised while modules are imported do not always arrive."""
    _say(number, "before anything was begun")
    os._exit(128 + number)


def _unwind(number: int, _frame: object = None) -> None:
    for again in SIGNALS:
        signal.signal(again, lambda *_: os._exit(128 + number))  # for those who do not want to wait
    _say(number, "")
    raise SystemExit(128 + number)


def _say(number: int, when: str) -> None:
    words = ("stopped by", signal.Signals(number).name, when)
    with suppress(OSError):  # nobody may listen
        os.write(2, f"{' '.join(filter(None, words))}\n".encode())
