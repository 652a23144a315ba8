"""The axes of a chart. The only file that knows plotext, whose plots are not thread-safe.

plotext sets out the axes with their ticks and labels, and is told rows and columns, not values. Curves, points and
rules come from our raster: plotext would round what is not a curve to whole characters, overwrite a cell that two
curves share, and take a tenth of a second to join the points of a curve that fills the screen.
"""

from __future__ import annotations

from functools import lru_cache

from rich.text import Text
from textual_plotext.plot import Plot

Ticks = tuple[tuple[int, str], ...]
"""Rows, from the bottom, or columns of the plot, and what is written there."""
BELOW = 2
"""Lines below the curves: the axis and its labels."""


def margin_of(labels: list[str]) -> int:
    """The characters to the left of the curves: the labels and the axis."""
    return max(map(len, labels), default=0) + 1


@lru_cache(maxsize=64)
def frame_lines(columns: int, rows: int, x_ticks: Ticks, y_ticks: Ticks) -> tuple[str, ...]:
    """The lines of the axes around so many columns and rows of curves: of each row what is to its left, then those
    below."""
    margin = margin_of([label for _, label in y_ticks])
    plot = Plot()
    plot.plotsize(margin + columns, rows + BELOW)
    plot._set_size(margin + columns, rows + BELOW)
    plot.theme("clear")
    plot.xaxes(True, False)
    plot.yaxes(True, False)
    plot.scatter([0], [0], marker=" ")  # without a point there are no axes
    plot.xlim(0, columns - 1)
    plot.ylim(0, rows - 1)
    plot.yticks([row for row, _ in y_ticks], [label for _, label in y_ticks])
    plot.xticks([column for column, _ in x_ticks], [label for _, label in x_ticks])
    lines = Text.from_ansi(plot.build()).plain.split("\n")
    return (*(line[:margin] for line in lines[:rows]), *lines[rows : rows + BELOW])
