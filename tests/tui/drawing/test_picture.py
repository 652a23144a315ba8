"""Pictures, bars and strokes as characters."""

from __future__ import annotations

import numpy as np
import pytest
from rich.style import Style

from tui.drawing.bars import bar, probability_lines
from tui.drawing.picture import Ink, Palette, digit_values, picture, spread
from tui.widgets.pictures.canvas import stroke

PAPER, FULL, WARM, COLD, MARK = (0, 0, 0), (240, 240, 240), (250, 160, 0), (0, 80, 250), (255, 0, 0)


def palette(ink: Ink) -> Palette:
    return Palette(ink, PAPER, FULL, WARM, COLD, MARK)


def plain(lines) -> list[str]:
    return ["".join(segment.text for segment in line) for line in lines]


@pytest.fixture
def corner() -> np.ndarray:
    """Full ink above, none below, but for the last column, which is full."""
    values = np.zeros((4, 6), dtype=np.float32)
    values[0] = 1
    values[:, 5] = 1
    return values


@pytest.mark.parametrize("ink", Ink)
@pytest.mark.parametrize("zoom", [1, 3])
def test_every_ink_takes_a_column_for_a_pixel_and_a_line_for_two(ink, zoom, corner):
    lines = plain(picture(corner, palette(ink), zoom=zoom))
    assert [len(line) for line in lines] == [6 * zoom] * (2 * zoom)


def test_half_blocks_carry_two_pixels_and_equal_neighbours_are_one_segment(corner):
    upper, lower = picture(corner, palette(Ink.BLOCKS))
    assert [segment.text for segment in upper] == ["▀▀▀▀▀", " "]
    assert (upper[0].style.color.triplet, upper[0].style.bgcolor.triplet) == (FULL, PAPER)
    assert [segment.text for segment in lower] == ["     ", " "]
    assert lower[1].style.bgcolor.triplet == FULL


def test_braille_and_ascii_are_empty_for_nothing_and_full_for_all(corner):
    assert plain(picture(corner, palette(Ink.BRAILLE))) == ["⠛⠛⠛⠛⠛⣿", "⠀⠀⠀⠀⠀⣿"]
    ascii_lines = plain(picture(corner, palette(Ink.ASCII)))
    assert ascii_lines == ["=====@", "     @"] or ascii_lines[1] == "     @"
    assert "".join(ascii_lines).isascii()


def test_signs_are_warm_and_cold_and_a_mark_stands_out():
    values = np.array([[1.0, -1.0], [1.0, -1.0]], dtype=np.float32)
    (line,) = picture(values, palette(Ink.BLOCKS), signed=True)
    assert [segment.style.bgcolor.triplet for segment in line] == [WARM, COLD]
    (line,) = picture(values, palette(Ink.BLOCKS), mark=(0, 0))
    assert line[0].style.color.triplet == MARK
    assert plain(picture(values, palette(Ink.ASCII), mark=(1, 1)))[0].endswith("x")


def test_odd_heights_get_a_line_of_paper():
    assert plain(picture(np.ones((3, 2), dtype=np.float32), palette(Ink.BRAILLE))) == ["⣿⣿", "⠛⠛"]


def test_values_are_spread_over_the_whole_range():
    assert spread(np.array([[2.0, 4.0]], dtype=np.float32), signed=False).tolist() == [[0.0, 1.0]]
    assert spread(np.array([[-1.0, 4.0]], dtype=np.float32), signed=True).tolist() == [[-0.25, 1.0]]
    assert not spread(np.full((2, 2), 7, dtype=np.float32), signed=False).any()
    assert digit_values(np.array([[255]], dtype=np.uint8)).tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "    "), (0.001, "    "), (0.01, "▏   "), (0.5, "██  "), (0.53, "██▏ "), (2.0, "████")]
)
def test_a_bar_is_as_long_as_its_share(share, shown):
    assert bar(share, 4) == shown


def test_the_true_class_and_a_likelier_one_differ_in_style():
    probabilities = [0.0] * 10
    probabilities[4], probabilities[9] = 0.2, 0.8
    good, bad, quiet = Style(color="green"), Style(color="red"), Style()
    lines = probability_lines(probabilities, 20, truth=4, plain=quiet, good=good, bad=bad)
    assert [lines[digit][1].style for digit in (0, 4, 9)] == [quiet, good, bad]
    assert plain(lines)[9].startswith("9 ████")
    assert plain(lines)[9].endswith("80.0%")
    assert {len(line) for line in plain(lines)} == {20}


def test_a_stroke_is_full_along_its_line_and_soft_at_its_sides():
    ink = stroke((4, 10), (20, 10))
    assert ink[4:21, 10].min() == 1.0
    assert 0 < ink[12, 11] < 1
    assert ink[12, 12] == 0
    assert ink[0, 10] == ink[23, 10] == 0
    assert stroke((5, 5), (5, 5))[5, 5] == 1.0
