"""Mean, deviation and interval of repeated runs, held against scipy's own."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.stats import describe

accuracies = st.lists(st.integers(9000, 10_000).map(lambda correct: correct / 10_000), min_size=2, max_size=40)


@given(accuracies)
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


def test_one_value_has_neither_deviation_nor_interval():
    sample = describe([0.5])
    assert (sample.n, sample.mean, sample.sd, sample.low, sample.high) == (1, 0.5, None, None, None)


def test_equal_values_have_an_interval_of_no_width():
    sample = describe([0.25] * 5)
    assert (sample.sd, sample.low, sample.high) == (0.0, 0.25, 0.25)


def test_no_value_is_an_error():
    with pytest.raises(ValueError, match="data point"):
        describe([])
