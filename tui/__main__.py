"""``python -m tui`` is ``mnist-tui``."""

from tui.entry import main

main()
