"""Digits drawn in lines of a pixel or two are found whole, whatever the size of the canvas."""

from __future__ import annotations

import numpy as np
import pytest
from more_photographs import KINDS
from picture_files import brightness, nearest
from PIL import Image, ImageDraw
from thin_lines import LINES, broken, dashed, on_canvas, pencilled

from core.data.photo.find import find_digits
from core.data.photo.thin import with_wider_lines


def drawn(*strokes: list[tuple[float, float]], side: int = 1000, width: int = 1) -> np.ndarray:
    """Polylines, their points as shares of the side, as black lines on white."""
    image = Image.new("L", (side, side), 255)
    for points in strokes:
        ImageDraw.Draw(image).line([(side * x, side * y) for x, y in points], fill=0, width=width)
    return brightness(image)


SEVEN = [(0.3, 0.2), (0.7, 0.2), (0.5, 0.5), (0.42, 0.8)]
FOUR = [(0.35, 0.2), (0.3, 0.5), (0.65, 0.5)], [(0.6, 0.3), (0.6, 0.8)]


@pytest.mark.parametrize("kind", LINES)
def test_the_digit_is_found_whole(kind, ten):
    random = np.random.default_rng(3)
    for number in random.permutation(10)[:2].tolist():
        (found,) = find_digits(brightness(LINES[kind](ten[number], random)))
        assert nearest(found.form, ten) == number


@pytest.mark.long
def test_every_digit_is_found_whole(ten):
    random = np.random.default_rng(8)
    for number in range(10):
        for lines in (
            pencilled(ten[number], 300),
            broken(pencilled(ten[number], 300), random),
            dashed(ten[number], 300),
        ):
            (found,) = find_digits(brightness(on_canvas(lines, 360, random)))
            assert nearest(found.form, ten) == number


@pytest.mark.parametrize("side", [300, 1000, 1700])
@pytest.mark.parametrize("width", [1, 2])
def test_the_box_is_where_the_lines_lie(side, width):
    (found,) = find_digits(drawn(SEVEN, side=side, width=width))
    wanted = (0.3 * side, 0.2 * side, 0.4 * side, 0.6 * side)
    assert found.box == pytest.approx(wanted, abs=max(5, 0.012 * side))


def test_the_form_has_strokes_as_mnist_has_and_no_others():
    (found,) = find_digits(drawn(SEVEN))
    inked = found.form > 0.5
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    assert rows[-1] - rows[0] + 1 == pytest.approx(20, abs=1)
    assert columns[-1] - columns[0] + 1 == pytest.approx(14, abs=2)
    assert inked[rows[0] + 1].sum() >= 12  # the bar
    assert all(1 <= inked[row].sum() <= 4 for row in range(rows[0] + 5, rows[-1]))  # and the stem alone


def test_a_straight_line_is_no_ruling():
    for points in ([(0.5, 0.1), (0.5, 0.9)], [(0.45, 0.05), (0.55, 0.95)]):
        (found,) = find_digits(drawn(points, side=500))
        inked = found.form > 0.5
        assert inked.any(1).sum() >= 18
        assert inked.any(0).sum() <= 6


def test_two_strokes_with_a_gap_between_them_are_one_digit():
    stroke, stem = FOUR
    for away in (0.0, 0.02, 0.04):
        (found,) = find_digits(drawn([*stroke[:-1], (0.6 - away, 0.5)], stem, side=400))
        assert found.box == pytest.approx((120, 80, 120, 240), abs=6)


def test_digits_beside_each_other_stay_apart():
    three = [[(x / 3 + offset, y) for x, y in SEVEN] for offset in (0.0, 0.3, 0.6)]
    for side in (500, 1200):
        found = find_digits(drawn(*three, side=side))
        assert [one.box[0] / side for one in found] == pytest.approx([0.1, 0.4, 0.7], abs=0.01)


def test_a_line_across_the_picture_is_no_part_of_the_digit():
    (found,) = find_digits(drawn(SEVEN, [(0, 0.92), (1, 0.92)], [(0, 0.1), (1, 0.1)]))
    assert found.box == pytest.approx((300, 200, 400, 600), abs=12)


def test_a_rectangle_round_the_digit_is_no_part_of_it():
    box = [(0.15, 0.12), (0.85, 0.12), (0.85, 0.88), (0.15, 0.88), (0.15, 0.12)]
    (found,) = find_digits(drawn(SEVEN, box, side=600))
    assert found.box == pytest.approx((180, 120, 240, 360), abs=8)
    (found,) = find_digits(drawn(box, side=600))  # a 0 by itself
    assert found.box == pytest.approx((90, 72, 420, 456), abs=8)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("kind", KINDS)
def test_photographs_are_left_as_they_are(kind, ten):
    random = np.random.default_rng(3)
    for number in (1, 4, 8):
        assert with_wider_lines(brightness(KINDS[kind](ten[number], random)), 1000) is None


def test_thick_strokes_and_empty_paper_are_left_as_they_are():
    assert with_wider_lines(drawn(SEVEN, width=60), 1000) is None
    assert with_wider_lines(drawn(SEVEN, [(0, 0.5), (1, 0.5)], width=40), 1000) is None
    assert with_wider_lines(drawn(), 1000) is None


def test_squared_paper_is_no_drawing():
    across = [[(0, y), (1, y)] for y in np.arange(0.05, 1, 0.1).tolist()]
    down = [[(y, x) for x, y in line] for line in across]
    assert with_wider_lines(drawn(SEVEN, *across, *down), 1000) is None
