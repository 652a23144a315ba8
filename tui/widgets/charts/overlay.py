"""Several curves in one chart, told apart by marker and label, and by colour where there is any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing.picture import Ink, palette_of, theme_colour
from tui.drawing.raster import BRAILLE, rasterise
from tui.drawing.series import Axis, Series, Values, bucketed, drawable_points, limits, log_ticks, ticks

MARKERS = {False: "●▲■◆○△□◇", True: "ox+*#%@&"}
"""One for each of eight curves, in Unicode and in ASCII."""
BAND = {False: (BRAILLE, BRAILLE), True: ("|", "-")}
"""The characters of bars and of the edges of bands, in Unicode and in ASCII."""
COLOURS = ("primary", "warning", "success", "error", "accent", "secondary", "foreground", "text-muted")
MOST = len(COLOURS)
_Grid = list[list[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in the order of x. `number` chooses marker and colour. Without `joined` there are only the markers,
    without `marked` only the line.

    `band` has lower and upper values around `ys`: beside a line they are dotted, through a marker they are a bar; where
    they are not finite there is none."""

    number: int
    xs: Values
    ys: Values
    joined: bool = True
    marked: bool = True
    band: tuple[Values, Values] | None = None

    def edges(self, *, log: bool) -> list[Series]:
        """The drawable parts of the lower and of the upper end of the band."""
        return [drawable_points(Series("", "", self.xs, ends), log=log) for ends in self.band or ()]


class Overlay(Widget, can_focus=True):
    """Drawn again when data, size or theme have changed."""

    DEFAULT_CSS = """
    Overlay { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    Overlay:focus { border: round $primary; }
    """
    EMPTY: ClassVar[str] = "nothing to draw yet"

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._key: object = None
        self._drawn_for: object = None
        self._curves: tuple[Curve, ...] = ()
        self._log = False
        self._strips: list[list[Segment]] = []
        self.empty = self.EMPTY

    def show(self, key: object, curves: Sequence[Curve], *, title: str, axis: str, log: bool = False) -> None:
        """Show these curves. Nothing happens while `key`, which stands for all of it, is the same."""
        if key == self._key:
            return
        self._key, self._curves, self._log = key, tuple(curves), log
        self.border_title, self.border_subtitle = title, axis
        self.refresh()

    def render_line(self, y: int) -> Strip:
        key = (self._key, self.size, self.app.theme)
        if key != self._drawn_for:
            self._drawn_for = key
            self._strips = self._draw(*self.size)
        line = self._strips[y] if y < len(self._strips) else []
        return Strip(line).apply_style(self.rich_style).adjust_cell_length(self.size.width, self.rich_style)

    def _draw(self, width: int, height: int) -> list[list[Segment]]:
        drawable = [
            (curve, points)
            for curve in self._curves
            if len((points := drawable_points(Series("", "", curve.xs, curve.ys), log=self._log)).xs)
        ]
        if not drawable or width < 20 or height < 5:
            return [[Segment(self.empty if not drawable else "too small", Style(dim=True))]]
        edges = [edge for curve, _ in drawable for edge in curve.edges(log=self._log) if len(edge.xs)]
        low, high = limits([*(points for _, points in drawable), *edges], None, log=self._log)
        rows = height - 2
        levels = log_ticks(low, high, max(2, rows // 3)) if self._log else ticks(low, high, max(2, rows // 4))
        labels = [f"{level:.5g}" for level in levels]
        margin = max(map(len, labels)) + 1
        columns = width - margin - 1
        first = min(float(points.xs.min()) for _, points in drawable)
        last = max(float(points.xs.max()) for _, points in drawable)
        if first == last:
            first, last = first - 1, last + 1
        across, up = Axis(first, last, columns), Axis(low, high, rows, log=self._log)
        grid: _Grid = [[(" ", -1)] * columns for _ in range(rows)]
        self._plot(grid, drawable, across, up)
        places = {rows - 1 - round(up.place(level)): label for level, label in zip(levels, labels, strict=True)}
        quiet = Style(dim=True)
        lines = []
        for y, row in enumerate(grid):
            label = places.get(y, "")
            lines.append([Segment(f"{label:>{margin - 1}} ", quiet), Segment("┤" if label else "│", quiet)])
            lines[-1] += self._segments(row)
        whole = last - first >= 2 or all(bool((points.xs % 1 == 0).all()) for _, points in drawable)
        marks = ticks(first, last, max(2, min(8, columns // 12)), min_step=1 if whole else 0)
        rule, numbers = ["─"] * columns, [" "] * (columns + margin + 1)
        for mark in marks:
            place = round(across.place(mark))
            if 0 <= place < columns:
                rule[place] = "┬"
                text = f"{mark:,.0f}" if marks[-1] - marks[0] >= len(marks) else f"{mark:g}"
                start = max(0, min(margin + 1 + place - len(text) // 2, len(numbers) - len(text)))
                numbers[start : start + len(text)] = text
        lines.append([Segment(" " * margin + "└" + "".join(rule), quiet)])
        lines.append([Segment("".join(numbers), quiet)])
        return lines

    def _plot(self, grid: _Grid, drawable: list[tuple[Curve, Series]], across: Axis, up: Axis) -> None:
        rows, columns = len(grid), len(grid[0])
        plain = palette_of(self.app).ink is Ink.ASCII

        def put(number: int, x: Values, y: Values, marker: str, *, joined: bool = False) -> None:
            for column, row, sign in zip(*rasterise(x, y, columns, rows, marker=marker, joined=joined), strict=True):
                grid[rows - 1 - row][column] = (sign, number)

        for curve, _ in drawable:  # first, so that lines and markers lie over them
            for x, y in _bars(curve, across, up) if not curve.joined else _dots(curve, across, up):
                put(curve.number, x, y, BAND[plain][curve.joined])
        for curve, points in drawable:
            if curve.joined:
                thin = bucketed(points, 2 * columns)
                marker = "." if plain else BRAILLE
                put(curve.number, across.fractions(thin.xs), up.fractions(thin.ys), marker, joined=True)
        for curve, points in drawable:
            if not curve.marked:
                continue
            xs, ys = points.xs, points.ys
            if curve.joined:  # a marker now and then, those of different curves not at the same places
                most = max(2, columns // 9)
                step = max(1, len(xs) // most)
                chosen = np.arange(min(curve.number * step // MOST, len(xs) - 1), len(xs), step)
                xs, ys = xs[chosen], ys[chosen]
            put(curve.number, across.fractions(xs), up.fractions(ys), MARKERS[plain][curve.number % MOST])

    def _segments(self, row: list[tuple[str, int]]) -> list[Segment]:
        """A row of the grid, neighbours of one colour as one segment."""
        segments: list[Segment] = []
        start = 0
        for place in range(1, len(row) + 1):
            if place == len(row) or row[place][1] != row[start][1]:
                text = "".join(sign for sign, _ in row[start:place])
                segments.append(Segment(text, curve_style(self, row[start][1])))
                start = place
        return segments


def _dots(curve: Curve, across: Axis, up: Axis) -> Iterator[tuple[Values, Values]]:
    """Each edge of a band as dots in every other column, which a line does not look like."""
    for edge in curve.edges(log=up.log):
        x, y = across.fractions(edge.xs), up.fractions(edge.ys)
        places = np.arange(x.min(initial=1.0), x.max(initial=0.0), 2 / (across.places - 1))
        yield places, np.interp(places, x, y)


def _bars(curve: Curve, across: Axis, up: Axis) -> Iterator[tuple[Values, Values]]:
    """Dots at every height from the lower to the upper end of each interval."""
    if curve.band is None:
        return
    lower, upper = (up.fractions(ends) for ends in curve.band)
    known = np.isfinite(lower) & np.isfinite(upper)
    heights = np.linspace(lower[known], upper[known], 4 * up.places)
    yield np.tile(across.fractions(curve.xs[known]), len(heights)), heights.ravel()


def curve_style(widget: Widget, number: int) -> Style:
    """The colour of a curve; of none, nothing."""
    if number < 0:
        return Style()
    colour = theme_colour(widget.app, COLOURS[number % MOST], palette_of(widget.app).full)
    return Style(color=RichColor.from_rgb(*colour))
