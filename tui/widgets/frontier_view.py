"""Accuracy against parameters, of everything in the home that was trained on full MNIST, beside published results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical

from experiments.store import Store
from tui.task import Task
from tui.widgets.line import Line
from tui.widgets.overlay import MARKERS, Curve, Overlay
from tui.widgets.series import Values

if TYPE_CHECKING:
    from experiments.frontier import Point

KINDS = {
    "group": (0, "group mean"),
    "run": (1, "single run"),
    "published": (4, "published (best epoch, optimistic)"),
}
"""Number of the curve, and words, for each kind of point."""
FRONT = 6


class FrontierView(Vertical):
    DEFAULT_CSS = """
    FrontierView > Overlay { height: 1fr; }
    FrontierView > Line { padding: 0 1; color: $text-muted; }
    """

    def __init__(self, store: Store, *, ascii_only: bool, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._store, self._ascii = store, ascii_only
        self._work: Task[list[Point]] | None = None

    def compose(self) -> ComposeResult:
        yield Overlay(id="frontier-chart")
        yield Line(id="frontier-words")

    def show(self) -> None:
        """Read the runs, once, and show where they lie."""
        if self._work is None:
            self._work = Task("frontier", lambda *_: _read(self._store))
        task, line = self._work, self.query_one(Line)
        if not task.done.is_set():
            line.show("reading the runs...")
        elif task.result is None:
            line.show(task.why_not())
        else:
            signs = MARKERS[self._ascii]
            words = "   ".join(f"{signs[number]} {words}" for number, words in KINDS.values())
            line.show(f"{words}   line: front")
            title = "Test accuracy % by parameters, full MNIST"
            self.query_one(Overlay).show(id(task), frontier_curves(task.result), title=title, axis="parameters")


def _read(store: Store) -> list[Point]:
    from experiments.frontier import frontier

    return frontier(store)


def _places(points: Sequence[Point]) -> tuple[Values, Values]:
    return np.array([float(p.params) for p in points]), np.array([100 * p.accuracy for p in points])


def frontier_curves(points: Sequence[Point]) -> list[Curve]:
    """Each kind of point as markers, and the front as a line."""
    front = [point for point in points if point.on_front]
    curves = [Curve(FRONT, *_places(front), marked=False)]
    for kind, (number, _) in KINDS.items():
        curves.append(Curve(number, *_places([point for point in points if point.kind == kind]), joined=False))
    return curves
