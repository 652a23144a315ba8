"""Small charts of lines, in braille dots or in ASCII, with a label here and there: parts of a screen and of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.drawing.raster import BRAILLE, rasterise
from tui.drawing.series import Axis, Values

Spans = list[tuple[str, str]]
"""Texts one behind the other, each with its kind, which a colour can be chosen by."""


@dataclass(frozen=True, slots=True)
class PlotLine:
    """A curve of a plot, on top of those before it. What lies outside of the plot is drawn at its edge."""

    kind: str
    xs: Values
    ys: Values
    joined: bool = True


@dataclass(frozen=True, slots=True)
class LinePlot:
    """Axes, curves, and a place on the lower axis to be `marked` by an upright line; labels by the values they are at.

    With `ascii_only` it is drawn in characters that any font has.
    """

    across: tuple[float, float]
    up: tuple[float, float]
    layers: Sequence[PlotLine]
    x_labels: Mapping[float, str]
    y_labels: Mapping[float, str]
    log: bool = False
    marked: float | None = None
    ascii_only: bool = False

    def lines(self, width: int, height: int) -> list[Spans]:
        """The plot in so many characters and lines, of which the lowest has the labels of x."""
        margin = max((len(label) for label in self.y_labels.values()), default=0) + 1
        columns, rows = width - margin - 1, height - 1
        if columns < 2 or rows < 1:
            return []
        across, up = Axis(*self.across, columns, log=self.log), Axis(*self.up, rows)
        cells = self._cells(across, up, columns, rows)
        labels = {rows - 1 - round(up.place(value)): label for value, label in self.y_labels.items()}
        bar = "|" if self.ascii_only else "▏"
        lines = [
            [(labels.get(row, "").rjust(margin - 1) + " ", "label"), (bar, "axis"), *_joined(cells[row])]
            for row in range(rows)
        ]
        return [*lines, [(" " * (margin + 1) + self._below(across, columns), "label")]]

    def _cells(self, across: Axis, up: Axis, columns: int, rows: int) -> list[Spans]:
        """The characters of the plot, line by line from the top."""
        cells: list[Spans] = [[(" ", "")] * columns for _ in range(rows)]
        if self.marked is not None:
            place = round(across.place(self.marked))
            for line in cells:
                line[place] = ("|" if self.ascii_only else "│", "mark")
        for layer in self.layers:
            plain = "*" if layer.joined else "."
            x, y = across.fractions(layer.xs), up.fractions(layer.ys)
            marker = plain if self.ascii_only else BRAILLE if layer.joined else "·"
            for column, row, character in zip(
                *rasterise(x, y, columns, rows, marker=marker, joined=layer.joined), strict=True
            ):
                cells[rows - 1 - row][column] = (character, layer.kind)
        return cells

    def _below(self, across: Axis, columns: int) -> str:
        """The labels of x in a line, each about its place; one for which there is no room is left out."""
        line = [" "] * columns
        for value, label in self.x_labels.items():
            start = min(max(round(across.place(value)) - len(label) // 2, 0), columns - len(label))
            around = line[max(start - 1, 0) : start + len(label) + 1]
            if start >= 0 and not "".join(around).strip():
                line[start : start + len(label)] = label
        return "".join(line).rstrip()


def _joined(cells: Spans) -> Spans:
    """Neighbours of one kind as one text."""
    joined: Spans = []
    for text, kind in cells:
        if joined and joined[-1][1] == kind:
            joined[-1] = (joined[-1][0] + text, kind)
        else:
            joined.append((text, kind))
    return joined
