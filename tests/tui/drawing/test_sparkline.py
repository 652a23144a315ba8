"""Numbers as a line of bars."""

import math

from tui.drawing.sparkline import LEVELS, PLAIN_LEVELS, sparkline


def test_the_lowest_value_has_the_lowest_bar_and_the_highest_the_highest():
    assert sparkline([1.0, 2.0, 3.0], 10) == "▁▅█"
    assert sparkline([3.0, 1.0], 10) == "█▁"


def test_what_is_not_known_is_a_gap_and_nothing_is_nothing():
    assert sparkline([1.0, None, math.nan, 2.0], 10) == "▁  █"
    assert sparkline([None, math.inf], 10) == ""
    assert sparkline([], 10) == sparkline([1.0], 0) == ""


def test_values_that_are_all_the_same_are_in_the_middle():
    assert sparkline([5.0] * 3, 10) == "▄▄▄"


def test_more_values_than_there_is_room_for_are_put_together():
    line = sparkline([float(n) for n in range(1000)], 8)
    assert line == LEVELS[1:]


def test_ascii_has_characters_of_any_font():
    line = sparkline([float(n) for n in range(8)], 8, ascii_only=True)
    assert line == PLAIN_LEVELS[1:]
    assert line.isascii()
