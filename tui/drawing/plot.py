"""Small charts of lines, in braille dots or in ASCII, with a label here and there: parts of a screen and of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.drawing.raster import NOTHING, Raster
from tui.drawing.series import Axis, Values
from tui.drawing.strokes import Stroke, draw_rule, draw_strokes, draw_upright

Spans = list[tuple[str, str]]
"""Texts one behind the other, each with its kind, which a colour can be chosen by."""


@dataclass(frozen=True, slots=True)
class PlotLine:
    """A curve of a plot, on top of those before it. It is cut off where it leaves the plot."""

    kind: str
    xs: Values
    ys: Values
    joined: bool = True


@dataclass(frozen=True, slots=True)
class LinePlot:
    """Axes, curves, a place on the lower axis to be `marked` by an upright line, and a value that is the `rule` by a
    level one, which what is above or below it never touches; labels by the values they are at.

    With `ascii_only` it is drawn in characters that any font has.
    """

    across: tuple[float, float]
    up: tuple[float, float]
    layers: Sequence[PlotLine]
    x_labels: Mapping[float, str]
    y_labels: Mapping[float, str]
    log: bool = False
    marked: float | None = None
    rule: float | None = None
    ascii_only: bool = False

    def lines(self, width: int, height: int) -> list[Spans]:
        """The plot in so many characters and lines, of which the lowest has the labels of x."""
        margin = max((len(label) for label in self.y_labels.values()), default=0) + 1
        columns, rows = width - margin - 1, height - 1
        if columns < 2 or rows < 1:
            return []
        raster = Raster(columns, rows, ascii_only=self.ascii_only)
        dots = raster.dots
        across, up = Axis(*self.across, dots[0], log=self.log), Axis(*self.up, dots[1], split=self.rule)
        kinds = ["mark", "rule", *(layer.kind for layer in self.layers)]
        if self.marked is not None:
            draw_upright(raster, across, self.marked, 0)
        draw_rule(raster, up, 1)
        strokes = [
            Stroke(number, layer.xs, layer.ys, "*" if layer.joined else ".", joined=layer.joined)
            for number, layer in enumerate(self.layers, start=2)
        ]
        draw_strokes(raster, strokes, across, up)
        fine_x, fine_y = raster.fine
        labels = {rows - 1 - up.dot(value) // fine_y: label for value, label in self.y_labels.items()}
        bar = "|" if self.ascii_only else "▏"
        lines = [
            [
                (labels.get(row, "").rjust(margin - 1) + " ", "label"),
                (bar, "axis"),
                *((text, "" if layer == NOTHING else kinds[layer]) for text, layer in cells),
            ]
            for row, cells in enumerate(raster.cells())
        ]
        return [*lines, [(" " * (margin + 1) + self._below(across, columns, fine_x), "label")]]

    def _below(self, across: Axis, columns: int, fine: int) -> str:
        """The labels of x in a line, each about its place; one for which there is no room is left out."""
        line = [" "] * columns
        for value, label in self.x_labels.items():
            start = min(max(across.dot(value) // fine - len(label) // 2, 0), columns - len(label))
            around = line[max(start - 1, 0) : start + len(label) + 1]
            if start >= 0 and not "".join(around).strip():
                line[start : start + len(label)] = label
        return "".join(line).rstrip()
