"""Opens what is shown above the working screens. Imported here when it is first wanted: it needs numpy."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import App

from experiments.inference.network import StoredWeights
from experiments.runs.folder import Run


async def open_inspect(app: App[object], run: Run, source: StoredWeights | None = None) -> None:
    """Open the confusions of the run's network, its filters and feature maps: with these weights, or its newest."""
    from tui.screens.inspect import InspectScreen

    await app.push_screen(InspectScreen(run, source))


async def open_draw(app: App[object], run: Run) -> None:
    """Open a canvas for digits that the run's network classifies."""
    from tui.screens.draw import DrawScreen

    await app.push_screen(DrawScreen(run))


async def open_compare(app: App[object], references: Sequence[str]) -> None:
    """Open a comparison of runs and groups, by their ids."""
    from tui.screens.compare import CompareScreen

    await app.push_screen(CompareScreen(references))


async def open_study(app: App[object], name: str) -> None:
    """Open a sweep by its name."""
    from tui.screens.study import StudyScreen

    await app.push_screen(StudyScreen(name))
