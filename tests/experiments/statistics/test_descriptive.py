"""Mean, deviation and interval of repeated runs, held against scipy's own."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.statistics.descriptive import Share, describe, median_with_never, share_of, spread_of

accuracies = st.lists(st.integers(9000, 10_000).map(lambda correct: correct / 10_000), min_size=2, max_size=40)


@given(accuracies.filter(lambda values: len(set(values)) > 1))
def test_the_interval_is_that_of_students_t(values):
    sample = describe(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    margin = float(stats.t.ppf(0.975, len(values) - 1)) * error
    assert sample.n == len(values)
    assert sample.mean == pytest.approx(statistics.mean(values))
    assert sample.sd == pytest.approx(statistics.stdev(values))
    assert sample.high - sample.mean == pytest.approx(margin, abs=1e-12)
    assert sample.mean - sample.low == pytest.approx(margin, abs=1e-12)
    if error > 1e-9:
        assert (sample.low, sample.high) == pytest.approx(stats.t.interval(0.95, len(values) - 1, sample.mean, error))


def test_a_known_sample():
    sample = describe([0.99, 0.992, 0.994])
    assert (sample.mean, sample.sd) == (pytest.approx(0.992), pytest.approx(0.002))
    assert (sample.low, sample.high) == (pytest.approx(0.987032, abs=1e-6), pytest.approx(0.996968, abs=1e-6))


def test_the_interval_ends_where_the_mean_cannot_lie():
    values = [0.97, 1.0, 1.0]
    free, bounded = describe(values), describe(values, within=(0.0, 1.0))
    assert free.high > 1
    assert (bounded.low, bounded.high) == (free.low, 1.0)
    assert (bounded.mean, bounded.sd) == (free.mean, free.sd)


def test_one_value_has_neither_deviation_nor_interval():
    sample = describe([0.5])
    assert (sample.n, sample.mean, sample.sd, sample.low, sample.high) == (1, 0.5, None, None, None)


def test_equal_values_have_a_deviation_of_0_and_no_interval():
    sample = describe([0.25] * 5)
    assert (sample.n, sample.mean, sample.sd, sample.low, sample.high) == (5, 0.25, 0.0, None, None)


def test_no_value_is_an_error():
    with pytest.raises(ValueError, match="data point"):
        describe([])


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_the_score_interval_of_published_examples(count, n, low, high):
    """Newcombe (1998), table I, method 3."""
    found = share_of(count, n)
    assert (found.count, found.n, found.share) == (count, n, count / n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_ends_of_a_share_are_where_the_score_test_changes_its_mind(count, n):
    count = min(count, n)
    found = share_of(count, n)
    z = statistics.NormalDist().inv_cdf(0.975)
    for end in (found.low, found.high):
        assert 0 <= end <= 1
        if 0 < end < 1:
            assert abs(count / n - end) / math.sqrt(end * (1 - end) / n) == pytest.approx(z)


def test_nothing_has_no_share():
    assert share_of(0, 0) == Share(0, 0, None, None, None)


@given(accuracies)
def test_a_spread_is_that_of_numpys_percentiles(values):
    found = spread_of(values)
    expected = np.percentile(values, [0, 25, 50, 75, 100])
    assert (found.min, found.q1, found.median, found.q3, found.max) == pytest.approx(tuple(expected))
    assert found.n == len(values)


def test_nothing_has_no_spread():
    with pytest.raises(ValueError, match="data point"):
        spread_of([])


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([11, 13, 16], 13),
        ([11, None, 13], 13),
        ([11, None, None], None),
        ([11, None], None),
        ([11, 12, None, 13], 12.5),
        ([11, 12, None, None], None),
        ([None], None),
        ([7], 7),
        ([], None),
    ],
)
def test_what_never_happened_is_later_than_everything_that_did(values, median):
    assert median_with_never(values) == median
