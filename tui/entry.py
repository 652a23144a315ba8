"""Where the program begins: signals are handled before anything that takes time is imported."""

from __future__ import annotations

from tui.command_line.early_signals import leave_on_signals


def main() -> None:
    """Run `mnist-tui`."""
    leave_on_signals()
    from tui.cli import app

    app()
