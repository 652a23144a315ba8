"""Axes: ranges that show what is there, and round numbers on them, three at least."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.reports.scale import around, limits, log_ticks, round_ticks, tick_words


@pytest.mark.parametrize(
    ("low", "high", "most", "words"),
    [
        (98.4, 99.5, 3, ["98.5", "99.0", "99.5"]),
        (98.5, 100, 4, ["98.5", "99.0", "99.5", "100.0"]),
        (0, 4700, 5, ["0", "1,000", "2,000", "3,000", "4,000"]),
        (97.1, 99.44, 2, ["97.5", "98.0", "98.5", "99.0"]),
    ],
)
def test_ticks_are_round_and_written_alike(low, high, most, words):
    assert tick_words(round_ticks(low, high, most)) == words


@pytest.mark.parametrize(
    ("low", "high", "most", "words"),
    [
        (0.0004, 2.4, 5, ["0.001", "0.01", "0.1", "1"]),
        (0.02, 0.3, 3, ["0.03", "0.1", "0.3"]),
        (0.58, 0.9, 3, ["0.6", "0.7", "0.8", "0.9"]),
    ],
)
def test_ticks_of_a_log_scale(low, high, most, words):
    assert tick_words(log_ticks(low, high, most)) == words


def test_whole_numbers_stay_whole_however_few():
    assert round_ticks(1, 2, 8, min_step=1) == [1, 2]


@given(st.floats(0, 1e4), st.floats(1e-3, 1e6), st.integers(1, 20))
@settings(deadline=None)
def test_there_are_three_ticks_at_least_and_not_many_more_than_asked_for(low, span, most):
    found = round_ticks(low, low + span, most)
    assert 3 <= len(set(found)) <= max(most, 10) + 1
    assert all(low - 1e-9 * (low + span) <= tick <= (low + span) * (1 + 1e-9) for tick in found)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.0, 1e300), (1, 235), (3, 3.0000001), (1e16, 1e16 + 4)])
def test_ticks_of_odd_ranges_end(low, high):
    assert 1 <= len(round_ticks(low, high, 5)) <= 25
    assert 1 <= len(log_ticks(max(low, 1e-300), high, 5)) <= 25


def test_the_room_of_a_range_never_crosses_zero_or_the_top():
    low, high = limits([0.001, 99.9], top=100.0)
    assert (low, high) == (0.0, 100.0)
    assert limits([99.2, 99.4], top=100.0) == pytest.approx((99.19, 99.41))
    assert limits([5.0]) == pytest.approx((4.95, 5.05))
    assert limits([0.0, 0.0])[1] > 0
    low, high = limits([0.01, 1.0], log=True)
    assert 0 < low < 0.01
    assert 1.0 < high < 2.0
    assert math.isfinite(sum(limits([])))


def test_around_the_target_is_98_5_to_100_for_99_4():
    assert around(99.4) == (98.5, 100)
    assert around(10.0)[0] == 0
