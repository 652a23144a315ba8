"""The charts of a run. What is drawn while it is trained is drawn no more often than it is worth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from textual.content import Content

from experiments.reports.looks import HELD_OUT, TEST, TRAIN, colours, target_colour
from tui.drawing.series import Series, Values, bucketed, drawable_points
from tui.drawing.strokes import Stroke
from tui.widgets.charts.diagram import Diagram
from tui.widgets.charts.layout import Drawing

LEAST_INTERVAL = 0.5
"""Seconds between two drawings, at least."""
SHARE = 400
"""A drawing that takes long is given so many times its own time: what it costs, training on the CPU loses twice."""
MOST_POINTS = 500
"""Of more points that are not joined, the lowest and the highest of so many parts are drawn."""


@dataclass(frozen=True, slots=True)
class SeriesKind:
    """How a kind of series is drawn: as a curve of this look, `dotted` or with its points `crossed`; its sign in the
    legend, and that in ASCII."""

    look: int
    dotted: bool
    crossed: bool
    sign: str
    plain: str


KINDS = {
    "train": SeriesKind(TRAIN, dotted=True, crossed=False, sign="⠐⠂", plain="*"),
    "line": SeriesKind(TRAIN, dotted=False, crossed=False, sign="⠒⠒", plain="*"),
    "test": SeriesKind(TEST, dotted=False, crossed=True, sign="⠲⠖", plain="o"),
    "held out": SeriesKind(HELD_OUT, dotted=False, crossed=True, sign="⠲⠖", plain="+"),
}


class Chart(Diagram):
    """Series over x, drawn when they have changed and not more often than every half second."""

    def __init__(self, title: str, empty: str, *, id: str, ascii_only: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, ascii_only=ascii_only)
        self.border_title = title
        self.empty = empty
        self._key: object = None
        self._make: Callable[[], Sequence[Series]] = tuple
        self._rest: tuple[str, str, Drawing] = (title, "", Drawing())
        self._drawn_at = -math.inf
        self._cost = 0.0
        self._waiting = False

    def show(
        self,
        key: object,
        series: Callable[[], Sequence[Series]],
        *,
        title: str,
        target: float | None = None,
        log: bool = False,
        bounds: tuple[float, float] | None = None,
        top: float = math.inf,
        stops: Values | None = None,
        note: str = "",
        now: bool = False,
    ) -> None:
        """Show these series, made when they are drawn: when that is due, or `now`.

        Nothing happens while `key`, which stands for the data, is the same. For `bounds`, `top` and `stops` see
        `Drawing`; without stops the cursor goes from point to point. The legend ends with the `note`.
        """
        if key == self._key:
            return
        self._key, self._make = key, series
        target = target if target is not None and (target > 0 or not log) else None
        drawing = Drawing(
            target=target, log=log, bounds=bounds, top=top, stops=np.array([]) if stops is None else stops
        )
        self._rest = title, note, drawing
        if now:
            self._take()
        elif not self._waiting:
            self._take_when_due()

    def _take_when_due(self) -> None:
        wait = self._drawn_at + max(LEAST_INTERVAL, SHARE * self._cost) - time.monotonic()
        self._waiting = wait > 0
        if self._waiting:
            self.set_timer(wait, self._take)
        else:
            self._take()

    def _take(self) -> None:
        """Make the series, and paint them next."""
        started = time.monotonic()
        self._waiting = False
        title, note, rest = self._rest
        series = tuple(self._make())
        drawable = [one for one in (drawable_points(one, log=rest.log) for one in series) if len(one.xs)]
        joined = [one for one in drawable if one.joined]
        stops = rest.stops if len(rest.stops) or not joined else np.unique(np.concatenate([s.xs for s in joined]))
        values = [one.ys for one in drawable if one.fitted]
        strokes = [_stroke(one) for one in sorted(drawable, key=lambda one: one.joined)]
        drawing = Drawing(strokes, values, rest.target, rest.log, rest.bounds, rest.top, stops)
        self.set_drawing(drawing, title, self._legend(series, rest.target, rest.bounds, note) if drawable else "")
        self._cost, self._drawn_at = time.monotonic() - started, time.monotonic()

    def _lay_out(self) -> None:
        before, started = self._laid_for, time.monotonic()
        super()._lay_out()
        if self._laid_for != before:
            self._cost += time.monotonic() - started

    def _legend(
        self, series: Sequence[Series], target: float | None, bounds: tuple[float, float] | None, note: str
    ) -> Content:
        labels = []
        for one in series:
            if one.label:
                kind = KINDS[one.kind]
                sign = (kind.plain if self.ascii_only else kind.sign, colours()[kind.look])
                labels.append(Content.assemble(sign, f" {one.label}{_outside(one, bounds)}"))
        if target is not None and labels:
            labels.append(Content.assemble(("-" if self.ascii_only else "╌", target_colour()), f" target {target:.4g}"))
        return Content("  ").join([*labels, *([Content(note)] if note and labels else [])])


def _outside(series: Series, bounds: tuple[float, float] | None) -> str:
    """A word on a series of which nothing can be seen, because all of it is below a range or above."""
    known = series.ys[np.isfinite(series.ys)]
    if bounds is None or not len(known) or ((known >= bounds[0]) & (known <= bounds[1])).any():
        return ""
    return " (below)" if (known < bounds[0]).all() else " (above)" if (known > bounds[1]).all() else ""


def _stroke(series: Series) -> Stroke:
    kind = KINDS[series.kind]
    mark = "" if kind.crossed and series.marked else None
    if series.joined:
        return Stroke(kind.look, series.xs, series.ys, kind.plain, gap=2 if kind.dotted else 1, mark=mark)
    xs, ys = bucketed(series.xs, series.ys, MOST_POINTS)
    return Stroke(kind.look, xs, ys, ".", joined=False, mark=mark)
