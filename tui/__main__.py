"""``python -m tui`` is ``mnist-tui``."""

from tui.cli import app

app()
