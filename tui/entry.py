"""Where the program begins: what has to be so before anything that takes time is imported."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from core.device.collector import hold_back_collector
from tui.command_line.early_signals import leave_on_signals


def reserve_standard_descriptors() -> None:
    """Let file descriptors 0 to 2 lead nowhere where they are closed. Else the next file that is opened gets such a
    number, a log for one, and what a library in C prints of its own accord would go into it. The processes that are
    started from here inherit them, which those of a descriptor that Python opens otherwise do not."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number that is free: this one


def keep_imports_from_this_folder() -> None:
    """Let the processes that are started from here import nothing from the folder that the user is in, as Python's own
    options `-c` and `-m` do: a random.py or a folder named core that lies there is the user's. A checkout that is run
    where it lies has nothing else to be imported from."""
    with suppress(OSError):  # a folder that is gone is none of ours
        if Path(__file__).parents[1].samefile("."):
            return
    os.environ.setdefault("PYTHONSAFEPATH", "1")


def main() -> None:
    """Run `mnist-tui`."""
    reserve_standard_descriptors()
    keep_imports_from_this_folder()
    leave_on_signals()
    hold_back_collector()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else every installed package is searched for some
    from tui.cli import app

    app()
