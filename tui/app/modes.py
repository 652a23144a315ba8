"""The four working screens by mode. Only the Lab is there at first sight: what the others need is imported behind it,
or when a key asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module

from textual.screen import Screen

from tui.screens.lab import LabScreen


def _training() -> Screen[None]:
    from tui.screens.training import TrainingScreen

    return TrainingScreen()


def _runs() -> Screen[None]:
    from tui.screens.runs.screen import RunsScreen

    return RunsScreen()


def _sweeps() -> Screen[None]:
    from tui.screens.sweeps import SweepsScreen

    return SweepsScreen()


MODES: dict[str, Callable[[], Screen[None]]] = {
    "lab": LabScreen,
    "training": _training,
    "runs": _runs,
    "sweeps": _sweeps,
}


def import_other_screens(is_busy: Callable[[], object]) -> None:
    """Import what the screens beside the Lab need, so that the first key to them finds it; not as long as a run
    is prepared, say, which the imports would make slower."""
    while is_busy():
        time.sleep(0.1)
    for module in ("tui.screens.training", "tui.screens.runs.screen", "tui.screens.sweeps"):
        import_module(module)
