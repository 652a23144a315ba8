"""Accuracy against parameters, of everything in the home that was trained on full MNIST, beside published results."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical

from experiments.results.frontier import FLOOR, Point, frontier
from experiments.runs.store import Store
from tui.drawing.series import Values
from tui.live.task import BackgroundTask
from tui.widgets.charts.overlay import MARKERS, Curve, Overlay, Readout, least_together
from tui.widgets.lines.line import Line

KINDS = {
    "group": (0, "group mean"),
    "run": (1, "single run"),
    "published": (4, "published best (optimistic)"),
    "published_second": (5, "last or mean"),
}
"""Number of the curve, and words, for each kind of point."""
FRONT = 6
AGAIN = 5.0
"""Seconds between two readings of the runs."""


class FrontierView(Vertical):
    DEFAULT_CSS = """
    FrontierView > Overlay { height: 1fr; }
    FrontierView > Line { padding: 0 1; color: $text-muted; }
    """

    def __init__(self, store: Store, *, ascii_only: bool, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._store, self._ascii = store, ascii_only
        self._work: BackgroundTask[list[Point]] | None = None
        self._points: list[Point] | None = None
        self._next = -math.inf

    def compose(self) -> ComposeResult:
        yield Overlay(id="frontier-chart", ascii_only=self._ascii)
        yield Line(id="frontier-words")

    def show(self) -> None:
        """Show where the runs lie, as they were read last, and read them again when that is due: one may have ended."""
        task, line = self._work, self.query_one(Line)
        if task is not None and task.done.is_set():
            self._points, self._work = task.result or self._points, None
            self._next = time.monotonic() + AGAIN
        if self._work is None and time.monotonic() >= self._next:
            self._work = BackgroundTask("frontier", lambda *_: frontier(self._store))
        if self._points is None:
            line.show(task.problem() if task is not None and task.done.is_set() else "reading the runs...")
        else:
            signs = MARKERS[self._ascii]
            line.show("   ".join(f"{signs[number]} {words}" for number, words in KINDS.values()))
            title, axis = "Test accuracy % by parameters, full MNIST", "parameters  line: front  bars: 95% intervals"
            names = Readout("parameters", dict(KINDS.values()))
            shown = in_sight(self._points)
            axis += f"  {len(self._points) - len(shown)} below" * (len(shown) < len(self._points))
            self.query_one(Overlay).show(
                tuple(self._points), frontier_curves(shown), title=title, axis=axis, top=100.0, readout=names
            )


def _places(points: Sequence[Point]) -> tuple[Values, Values]:
    return np.array([float(p.params) for p in points]), np.array([100 * p.accuracy for p in points])


def in_sight(points: Sequence[Point]) -> list[Point]:
    """All but those that lie far below the others, as a run that diverged does; published results stay."""
    scores = _places(points)[1]
    published = (100 * point.accuracy for point in points if point.kind.startswith("published"))
    least = min((least_together(scores), *published))
    return [point for point, score in zip(points, scores, strict=True) if score >= least]


def frontier_curves(points: Sequence[Point]) -> list[Curve]:
    """Each kind of point as markers with their intervals, and the front as a line."""
    front = [point for point in points if point.on_front]
    floor = min((FLOOR, *(point.accuracy for point in points)))
    curves = [Curve(FRONT, *_places(front), marked=False)]
    for kind, (number, _) in KINDS.items():
        shown = [point for point in points if point.kind == kind]
        curves.append(Curve(number, *_places(shown), joined=False, band=_intervals(shown, floor)))
    return curves


def _intervals(points: Sequence[Point], floor: float) -> tuple[Values, Values]:
    """The ends of the intervals; of unknown ones not a number. They are cut at `floor`, as one of two runs may reach
    down so far that nothing else could be told apart."""
    ends = np.array([(point.low, point.high) for point in points], dtype=np.float64).reshape(-1, 2)
    return 100 * np.maximum(ends[:, 0], floor), 100 * ends[:, 1]
