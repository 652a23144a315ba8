"""Several curves in one chart, told apart by marker and label, and by colour where there is any."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from textual.binding import BindingType
from textual.content import Content

from experiments.reports.looks import COLOURS, colours
from experiments.reports.scale import limits
from tui.drawing.series import Series, Values, drawable_points
from tui.drawing.strokes import Stroke
from tui.widgets.charts.diagram import Diagram
from tui.widgets.charts.layout import Drawing
from tui.widgets.keys import bind

MARKERS = {False: "●▲■◆○△□◇", True: "ox+*#%@&"}
"""One for each of eight curves, in Unicode and in ASCII."""
MOST = len(COLOURS)
FAR = 5
"""Percentages so many times further below the median than the highest is above it do not lie with the others."""
BAND_GAP = {False: 4, True: 2}
"""Of the dots of the edge of a band one in so many is drawn."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in the order of x. `number` chooses marker and colour. Without `joined` there are only the markers,
    without `marked` only the line; without either the points are dots.

    `band` has lower and upper values around `ys`: beside a line they are dotted, through a marker they are a bar; where
    they are not finite there is none."""

    number: int
    xs: Values
    ys: Values
    joined: bool = True
    marked: bool = True
    band: tuple[Values, Values] | None = None

    def drawable(self, *, log: bool) -> Series:
        return drawable_points(Series("", "", self.xs, self.ys), log=log)

    def edges(self, *, log: bool) -> list[Series]:
        """The drawable parts of the lower and of the upper end of the band."""
        return [drawable_points(Series("", "", self.xs, ends), log=log) for ends in self.band or ()]


def least_together(values: Values) -> float:
    """The lowest of the percentages that lie together: one that is FAR below is not to press all others into a line."""
    if not len(values):
        return 0.0
    middle, best = float(np.median(values)), float(values.max())
    return float(values[values >= middle - FAR * max(best - middle, 0.1)].min())


def together(curves: Sequence[Curve], lowest: float = math.inf) -> tuple[tuple[float, float] | None, str]:
    """The range of those points of curves that lie together, with `lowest` whatever the others are, and a word on those
    below it; neither where all do."""
    values = np.concatenate([curve.ys for curve in curves if not curve.joined])
    least = min(least_together(values), lowest)
    below = int((values < least).sum())
    return (limits([least, float(values.max())], top=100.0), f"  {below} below") if below else (None, "")


@dataclass(frozen=True, slots=True)
class Readout:
    """How the place of the cursor is told: the word for x, and the names of curves by their number."""

    x_word: str = ""
    names: Mapping[int, str] = field(default_factory=dict)


class Overlay(Diagram):
    """Drawn again when data, size or theme have changed. The curve that is nearest to the mouse is named."""

    FOLLOWS_MOUSE = True

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("up", "other(1)"),
        bind("down", "other(-1)"),
    ]
    EMPTY: ClassVar[str] = "nothing to draw yet"

    def __init__(self, *, id: str, ascii_only: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, ascii_only=ascii_only)
        self._key: object = None
        self._curves: tuple[Curve, ...] = ()
        self._readout = Readout()
        self._chosen: int | None = None
        self.empty = self.EMPTY

    def show(
        self,
        key: object,
        curves: Sequence[Curve],
        *,
        title: str,
        axis: str,
        log: bool = False,
        target: float | None = None,
        bounds: tuple[float, float] | None = None,
        top: float = math.inf,
        readout: Readout | None = None,
        named: Sequence[Sequence[tuple[float, str]]] = (),
    ) -> None:
        """Show these curves. Nothing happens while `key`, which stands for all of it, is the same."""
        if key == self._key:
            return
        self._key, self._curves, self._readout = key, tuple(curves), readout or Readout()
        drawable = [(curve, points) for curve in curves if len((points := curve.drawable(log=log)).xs)]
        values = [points.ys for _, points in drawable]
        values += [edge.ys for curve, _ in drawable for edge in curve.edges(log=log)]
        strokes = [stroke for curve, _ in drawable for stroke in self._beside(curve, log=log)]
        strokes += [self._stroke(curve, points) for curve, points in drawable]
        told = [points.xs for curve, points in drawable if curve.number in self._readout.names]
        stops = np.unique(np.concatenate(told)) if told else np.array([])
        self.set_drawing(Drawing(strokes, values, target, log, bounds, top, stops, named), title, axis)
        self._tell(None)

    def _beside(self, curve: Curve, *, log: bool) -> Iterator[Stroke]:
        """A band or bars, which lines and markers lie over."""
        if curve.band is None:
            return
        if not curve.joined:
            yield Stroke(curve.number, curve.xs, curve.ys, "|", bars=curve.band)
            return
        for edge in curve.edges(log=log):
            yield Stroke(curve.number, edge.xs, edge.ys, "-", gap=BAND_GAP[self.ascii_only])

    def _stroke(self, curve: Curve, points: Series) -> Stroke:
        mark = MARKERS[self.ascii_only][curve.number % MOST] if curve.marked else None
        return Stroke(
            curve.number,
            points.xs,
            points.ys,
            ".",
            joined=curve.joined,
            mark=mark,
            thinned=curve.joined and curve.marked,
        )

    # --- The cursor

    def point(self, x: float | None) -> None:
        super().point(x)
        self._tell(None)

    def on_diagram_pointed(self, event: Diagram.Pointed) -> None:
        self._tell(event.y)

    def choose(self, number: int) -> None:
        """Name this curve from now on, where it is there."""
        self._chosen = number
        self._tell(None)

    def action_other(self, by: int) -> None:
        """To the next curve above or below at the cursor."""
        here = sorted(self._here(), key=lambda at: at[1])
        numbers = [number for number, _, _ in here]
        if not numbers:
            return
        place = numbers.index(self._chosen) + by if self._chosen in numbers else 0
        self._chosen = numbers[place % len(numbers)]
        self._tell(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "other":
            return self.cursor is not None
        return super().check_action(action, parameters)

    def _here(self) -> list[tuple[int, float, float]]:
        """The number of each named curve that has a point at the cursor, the point's height, and its x."""
        found = []
        for curve in self._curves:
            near = np.abs(curve.xs - (self.cursor or 0.0))
            good = np.isfinite(curve.ys)
            if curve.number in self._readout.names and good.any():
                place = int(np.where(good, near, np.inf).argmin())
                if near[place] <= self._reach(curve.xs):
                    found.append((curve.number, float(curve.ys[place]), float(curve.xs[place])))
        return found

    def _reach(self, xs: Values) -> float:
        """How far from the cursor a point may lie: half of what is usual between two."""
        return float(np.median(np.diff(xs))) / 2 if len(xs) > 1 else 0.0

    def _tell(self, y: float | None) -> None:
        """Name the curve that is nearest to a height, else the one that was named before."""
        if self.cursor is None:
            return
        here = self._here()
        if not here:
            self.say("")
            return
        numbers = [number for number, _, _ in here]
        if y is not None:
            self._chosen = min(here, key=lambda at: abs(at[1] - y))[0]
        place = numbers.index(self._chosen) if self._chosen in numbers else 0
        number, height, _ = here[place]
        sign = (MARKERS[self.ascii_only][number % MOST], colours()[number % MOST])
        x = f"{self.cursor:,.4g}" if self.cursor % 1 else f"{self.cursor:,.0f}"
        words = Content.assemble(f"{self._readout.x_word} {x}: ", sign, f" {self._readout.names[number]} {height:.4g}")
        self.say(words)
