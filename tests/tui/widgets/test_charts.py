"""Charts tell the truth: what is below a line is drawn below it, at every size; ticks, curves and points agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from textual.geometry import Size

from tui.drawing.raster import Raster, line_dots
from tui.drawing.series import Axis
from tui.drawing.strokes import Stroke, draw_rule, draw_strokes
from tui.widgets.charts.layout import LEAST_HEIGHT, LEAST_WIDTH, Drawing, lay_out

HEIGHTS = range(LEAST_HEIGHT - 2, 59)
"""Rows of curves, from the smallest chart to one that fills 200 x 60."""
BITS = [0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80]
"""Of the dots of a braille character, from the top down, first those on the left."""


def dots_of(lines: list[str]) -> list[tuple[int, int]]:
    """The dots of painted lines, as (column of dots, height of dots)."""
    found = []
    for row, text in enumerate(reversed(lines)):
        for column, character in enumerate(text):
            bits = ord(character) - 0x2800 if character >= "\u2800" else 0
            found += [
                (2 * column + place // 4, 4 * row + 3 - place % 4) for place, bit in enumerate(BITS) if bits & bit
            ]
    return found


def painted(raster: Raster) -> list[str]:
    return ["".join(text for text, _ in line) for line in raster.cells()]


def laid(drawing: Drawing, size: Size) -> list[tuple[int, int]]:
    """The dots of a whole chart."""
    layout = lay_out(drawing, size)
    texts = ["".join(segment.text for segment in line)[layout.margin :] for line in layout.lines]
    return dots_of(texts[: size.height - 2])


def sides(value: float, rows: int, columns: int, target: float, bounds: tuple[float, float], *, log: bool) -> set[int]:
    """On which sides of the target's line a score is drawn in braille and in ASCII; 0 for on it."""
    found = set()
    for ascii_only in (False, True):
        raster = Raster(columns, rows, ascii_only=ascii_only)
        across, up = (Axis(0.0, 4.0, raster.dots[0]), Axis(*bounds, raster.dots[1], log=log, split=target))
        draw_strokes(raster, [Stroke(1, np.arange(5.0), np.full(5, value), "o", mark="")], across, up)
        lines = painted(raster)
        drawn = [up for _, up in dots_of(lines)] if not ascii_only else []
        drawn += [row for row, text in enumerate(reversed(lines)) if ascii_only and text.strip()]
        assert drawn
        found |= {int(np.sign(height - up.line)) for height in drawn}
    return found


@pytest.mark.parametrize("bounds", [(98.5, 100.0), (0.0, 100.0), (99.38, 99.42)])
def test_just_below_is_below_and_just_above_is_above_the_target_at_every_size(bounds):
    for rows in HEIGHTS:
        for columns in (8, 194):
            for below in (99.39, math.nextafter(99.4, 0)):
                assert sides(below, rows, columns, 99.4, bounds, log=False) == {-1}, (rows, columns, below)
            for above in (99.41, math.nextafter(99.4, 100)):
                assert sides(above, rows, columns, 99.4, bounds, log=False) == {1}, (rows, columns, above)


def test_an_error_above_the_target_is_above_it_at_every_size_too():
    for rows in HEIGHTS:
        for columns in (8, 194):
            assert sides(0.59, rows, columns, 0.6, (0.1, 90.0), log=True) == {-1}
            assert sides(0.61, rows, columns, 0.6, (0.1, 90.0), log=True) == {1}


def test_a_score_of_99_23_is_nowhere_on_the_line_in_the_smallest_window():
    """Twenty epochs of which the best is 99.23 %, in half of an 80 x 24 window."""
    ys = 99.23 - 0.1 * np.abs(np.sin(np.arange(20))) - 1.5 * np.exp(-np.arange(20) / 2)
    drawing = Drawing([Stroke(1, np.arange(20.0), ys, "o", mark="")], [ys], 99.4, top=100.0)
    size = Size(38, 6)
    line, found = lay_out(drawing, size).up.line, laid(drawing, size)
    assert {up for _, up in found} - {line} <= set(range(line))
    rule = {across for across, up in found if up == line}
    assert rule == {across for across in range(max(rule) + 1) if across % 4 != 3}


def test_one_that_equals_the_target_is_on_its_line():
    axis = Axis(98.5, 100.0, 40, split=99.4)
    assert axis.dot(99.4) == axis.line
    assert axis.dot(99.3999) == axis.line - 1
    assert axis.dot(99.4001) == axis.line + 1


def test_dots_rise_with_values_and_meet_the_ends():
    for count in (4, 12, 41, 240):
        for split in (None, 99.0, 99.4):
            axis = Axis(98.5, 100.0, count, split=split)
            dots = axis.dots(np.linspace(98.5, 100.0, 2001))
            assert (np.diff(dots) >= 0).all()
            assert (dots[0], dots[-1]) == (0, count - 1)
    log = Axis(0.001, 10.0, 41, log=True)
    assert [log.dot(value) for value in (0.001, 0.1, 10.0)] == [0, 20, 40]
    assert log.value(20) == pytest.approx(0.1)


def test_a_curve_that_leaves_the_chart_is_cut_off_and_not_drawn_along_its_edge():
    xs, ys = np.array([0.0, 10.0, 20.0, 30.0]), np.array([0.0, 100.0, 0.0, 0.0])
    drawing = Drawing([Stroke(0, xs, ys, "*")], [ys], bounds=(50.0, 80.0))
    size = Size(64, 12)
    layout, found = lay_out(drawing, size), laid(drawing, size)
    assert {up for _, up in found} == set(range(40))
    for across, up in found:
        x, y = layout.across.value(across), layout.up.value(up)
        assert abs(y - (100 - 10 * abs(x - 10))) < 5, (x, y)


def test_marker_and_line_of_a_series_are_at_one_height_at_every_size():
    xs, ys = np.arange(5.0), np.array([0.13, 0.99, 0.51, 0.0, 0.74])
    for rows in HEIGHTS:
        for columns in (10, 74, 194):
            across, up = Axis(0.0, 4.0, 2 * columns), Axis(0.0, 1.0, 4 * rows)
            raster = Raster(columns, rows)
            draw_strokes(raster, [Stroke(0, xs, ys, ".", mark="●")], across, up)
            cells = painted(raster)
            for x, y in zip(xs, ys, strict=True):
                assert cells[rows - 1 - up.dot(y) // 4][across.dot(x) // 2] == "●"


def test_a_marker_does_not_hide_the_rule_that_it_is_beside():
    up = Axis(98.5, 100.0, 12, split=99.4)
    for value in (99.39, 99.41):
        raster = Raster(10, 3)
        draw_rule(raster, up, 8)
        stroke = Stroke(1, np.array([5.0]), np.array([value]), ".", joined=False, mark="●")
        draw_strokes(raster, [stroke], Axis(0.0, 10.0, 20), up)
        text = "".join(painted(raster))
        same_cell = up.dot(value) // 4 == up.line // 4
        assert ("●" in text) != same_cell


def test_curves_that_share_a_cell_keep_their_dots():
    raster = Raster(1, 1)
    raster.put(np.array([0]), np.array([0]), 0, "*")
    raster.put(np.array([1]), np.array([3]), 1, "*")
    assert raster.cells() == [[(chr(0x2800 + 0x40 + 0x08), 1)]]


def test_lines_have_every_dot_between_their_ends_or_every_other():
    x, y = line_dots(*(np.array([value]) for value in (0, 0, 9, 3)))
    assert (x.tolist(), y[0], y[-1]) == (list(range(10)), 0, 3)
    assert line_dots(*(np.array([value]) for value in (0, 0, 9, 3)), 2)[0].tolist() == [0, 2, 4, 6, 8]
    assert line_dots(*(np.array([value]) for value in (4, 4, 4, 4)))[0].tolist() == [4]


@pytest.mark.parametrize("size", [Size(38, 6), Size(16, 5), Size(118, 38), Size(200, 60)])
@pytest.mark.parametrize(("low", "log"), [(97.1, False), (10.0, False), (99.35, False), (0.01, True)])
def test_the_target_is_written_on_the_axis_and_no_label_is_far_from_its_value(size, low, log):
    ys = np.linspace(low, 2.0 if log else 99.3, 20)
    target = 0.6 if log else 99.4
    drawing = Drawing([Stroke(0, np.arange(20.0), ys, "*")], [ys], target, log, top=100.0)
    layout = lay_out(drawing, size)
    rows = size.height - 2
    labels = {}
    for row, segments in enumerate(layout.lines[:rows]):
        if label := segments[0].text.strip():
            labels[rows - 1 - row] = float(label.replace(",", ""))
    assert labels[layout.up.line // 4] == target
    for row, value in labels.items():
        assert layout.up.dot(value) // 4 == row
    assert len(labels) >= 2


def test_what_cannot_be_drawn_says_so():
    drawing = Drawing([Stroke(0, np.array([1.0]), np.array([1.0]), "*")], [np.array([1.0])])
    assert "too small" in lay_out(drawing, Size(LEAST_WIDTH - 1, 20)).lines[0][0].text
    assert lay_out(Drawing(), Size(80, 20), empty="nothing yet").lines[0][0].text == "nothing yet"
