"""Accuracy against parameters, of all in the home that was trained on one data set; for full MNIST beside published
results."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical

from experiments.results.frontier import DATASET, FLOOR, Point, frontier
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
        self._work: BackgroundTask[tuple[str, list[Point]]] | None = None
        self._points: list[Point] | None = None
        self._next = -math.inf
        self._dataset = DATASET

    def compose(self) -> ComposeResult:
        yield Overlay(id="frontier-chart", ascii_only=self._ascii)
        yield Line(id="frontier-words")

    def show(self, dataset: str, elsewhere: Collection[str] = ()) -> None:
        """Show where the runs on this data set lie, as they were read last, and read them again when that is due: one
        may have ended. `elsewhere` are the names of those compared that are on other data, or on a part of it."""
        if dataset != self._dataset:
            self._dataset, self._points, self._next = dataset, None, -math.inf
        task, line = self._work, self.query_one(Line)
        if task is not None and task.done.is_set():
            found, self._work = task.result, None
            if found is not None and found[0] == dataset:
                self._points = found[1]
                self._next = time.monotonic() + AGAIN
        if self._work is None and time.monotonic() >= self._next:
            self._work = BackgroundTask("frontier", lambda *_: (dataset, frontier(self._store, dataset)))
        if self._points is None:
            line.show(task.problem() if task is not None and task.done.is_set() else "reading the runs...")
            return
        signs, is_mnist = MARKERS[self._ascii], dataset == DATASET
        kinds = [known for kind, known in KINDS.items() if is_mnist or not kind.startswith("published")]
        data = "full MNIST" if is_mnist else dataset
        words = [f"{signs[number]} {kind}" for number, kind in kinds]
        if elsewhere:
            named = next(iter(elsewhere)) if len(elsewhere) == 1 else f"{len(elsewhere)} of those compared"
            words.append(f"not on {data}, so not here: {named}")
        line.show("   ".join(words))
        title, axis = f"Test accuracy % by parameters, {data}", "parameters  line: front  bars: 95% intervals"
        names = Readout("parameters", dict(kinds))
        shown = in_sight(self._points)
        axis += f"  {len(self._points) - len(shown)} below" * (len(shown) < len(self._points))
        self.query_one(Overlay).show(
            (dataset, *self._points), frontier_curves(shown), title=title, axis=axis, top=100.0, readout=names
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
