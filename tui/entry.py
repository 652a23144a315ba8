"""Where the program begins: what has to be so before anything that takes time is imported."""

from __future__ import annotations

import os

from tui.command_line.early_signals import leave_on_signals


def reserve_standard_descriptors() -> None:
    """Let file descriptors 0 to 2 lead nowhere where they are closed. Else the next file that is opened gets such a
    number, a log for one, and what a library in C prints of its own accord would go into it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one


def main() -> None:
    """Run `mnist-tui`."""
    reserve_standard_descriptors()
    leave_on_signals()
    from tui.cli import app

    app()
