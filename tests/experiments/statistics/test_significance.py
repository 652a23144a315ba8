"""Tests and intervals held against published examples, formulas of other kinds, and simulation."""

import itertools
import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.results.compare import Comparison
from experiments.results.groups import make_group
from experiments.results.subjects import Subject
from experiments.statistics.descriptive import describe
from experiments.statistics.significance import (
    ALPHA,
    Difference,
    fisher,
    holm,
    one_against_group,
    paired,
    seeds_needed,
    welch,
)

EQUAL_SIZES = (
    [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4],
    [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4],
)
OTHER_SIZES = (
    [17.2, 20.9, 22.6, 18.1, 21.7, 21.4, 23.5, 24.2, 14.7, 21.8],
    [
        *(21.5, 22.8, 21.0, 23.0, 21.6, 23.6, 22.5, 20.7, 23.4, 21.8),
        *(20.7, 21.7, 21.5, 22.5, 23.6, 21.5, 22.5, 23.5, 21.5, 21.8),
    ],
)


def t_tail(t: float, degrees: float) -> float:
    """The two-sided tail of Student's t, by Simpson's rule on its density."""
    log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - 0.5 * math.log(degrees * math.pi)
    steps = 4000
    x = np.linspace(0, abs(t), steps + 1)
    density = np.exp(log_scale - (degrees + 1) / 2 * np.log1p(x**2 / degrees))
    weights = np.r_[1, np.tile([4, 2], steps // 2)[:-1], 1]
    return 1 - 2 * float(weights @ density) * abs(t) / steps / 3


def reference_welch(first: list[float], second: list[float]) -> tuple[float, float, float]:
    """t, degrees of freedom and p from sums of squares."""
    parts = []
    for values in (first, second):
        n = len(values)
        squares = sum(x * x for x in values) - sum(values) ** 2 / n
        parts.append((sum(values) / n, squares / (n - 1) / n, n))
    (mean_1, error_1, n_1), (mean_2, error_2, n_2) = parts
    t = (mean_1 - mean_2) / math.sqrt(error_1 + error_2)
    degrees = (error_1 + error_2) ** 2 / (error_1**2 / (n_1 - 1) + error_2**2 / (n_2 - 1))
    return t, degrees, t_tail(t, degrees)


@pytest.mark.parametrize(("samples", "published_p"), [(EQUAL_SIZES, 0.021), (OTHER_SIZES, 0.149)])
def test_welch_gives_the_published_results_of_known_samples(samples, published_p):
    found = welch(describe(samples[0]), describe(samples[1]))
    t, degrees, p = reference_welch(*samples)
    assert found.p == pytest.approx(published_p, abs=5e-4)
    assert found.p == pytest.approx(p, abs=1e-9)
    assert (
        (found.low + found.high) / 2
        == pytest.approx(found.value)
        == pytest.approx(t * (found.high - found.value) / _t95(degrees))
    )


def _t95(degrees: float) -> float:
    """The 97.5 % quantile of Student's t, by bisection on the tail."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, degrees) > 0.05 else (low, middle)
    return low


values = st.lists(st.integers(9800, 9999).map(lambda correct: correct / 10_000), min_size=2, max_size=12)


@given(values, values)
def test_welch_agrees_with_the_formula_from_sums_of_squares(first, second):
    found = welch(describe(first), describe(second))
    if len(set(first)) == len(set(second)) == 1:
        assert (found.low, found.high, found.p) == (None, None, None)
        return
    _, _, p = reference_welch(first, second)
    assert found.p == pytest.approx(p, abs=1e-6)
    assert (found.low < 0 < found.high) == (found.p > 0.05) or abs(found.p - 0.05) < 1e-6
    turned = welch(describe(second), describe(first))
    assert (turned.low, turned.high, turned.p) == pytest.approx((-found.high, -found.low, found.p))


@pytest.mark.parametrize(("first", "second"), [([0.99], [0.98, 0.97]), ([0.9, 0.9], [0.8, 0.8, 0.8]), ([0.9], [0.9])])
def test_without_a_spread_nothing_is_told(first, second):
    found = welch(describe(first), describe(second))
    assert found.value == pytest.approx(first[0] - sum(second) / len(second))
    assert (found.low, found.high, found.p) == (None, None, None)


def test_a_single_value_is_held_against_the_next_one_that_the_group_would_give():
    """Mean 0.992, deviation 0.002, n = 3: 4.3027 (t, 2 degrees) times 0.002 times the root of 4/3 is 0.009936."""
    found = one_against_group(0.980, describe([0.990, 0.992, 0.994]))
    assert found.value == pytest.approx(-0.012)
    assert (found.low, found.high) == pytest.approx((-0.021936, -0.002064), abs=1e-6)
    assert found.p == pytest.approx(t_tail(0.012 / (0.002 * math.sqrt(4 / 3)), 2), abs=1e-9)
    assert one_against_group(0.9, describe([0.8])).p is None
    assert one_against_group(0.9, describe([0.8, 0.8])).p is None


def exact_mcnemar(b: int, c: int) -> float:
    return min(1.0, 2 * sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c))


@pytest.mark.parametrize(
    ("b", "c", "p"), [(6, 16, 0.0525), (0, 6, 0.03125), (5, 0, 0.0625), (10, 10, 1.0), (1, 9, 0.0215)]
)
def test_mcnemar_gives_known_results(b, c, p):
    assert paired(b, c, 1000).p == pytest.approx(p, abs=5e-5)
    assert exact_mcnemar(b, c) == pytest.approx(p, abs=5e-5)


def test_mcnemar_is_the_binomial_sum_and_its_interval_leaves_out_zero_only_with_it():
    for total in (*range(20), 39, 101):
        for b in range(total + 1):
            found = paired(b, total - b, 10_000)
            assert found.value == pytest.approx((2 * b - total) / 10_000)
            assert found.p == pytest.approx(exact_mcnemar(b, total - b), rel=1e-9)
            assert found.low <= found.value <= found.high
            assert (found.low > 0 or found.high < 0) == (found.p < 0.05), (b, total)


@pytest.mark.parametrize("alpha", [ALPHA / tests for tests in (1, 2, 3, 7, 20)])
def test_an_interval_of_any_level_holds_values_beyond_zero_only_where_its_test_finds_nothing(alpha):
    """With 3 comparisons 7 images to none are a difference, and Bonett and Price's interval by itself holds 0."""
    for total in (*range(1, 16), 30, 59):
        for b in range(total + 1):
            found = paired(b, total - b, 10_000, alpha)
            assert (found.low < 0 < found.high) == (found.p >= alpha), (b, total)
            assert found.low <= found.value <= found.high
    samples = describe(OTHER_SIZES[0]), describe(OTHER_SIZES[1])
    for found in (welch(*samples, alpha), one_against_group(26.0, samples[0], alpha)):
        assert (found.low < 0 < found.high) == (found.p >= alpha)


def test_at_the_level_of_its_own_p_an_interval_ends_at_zero():
    first, second = describe(OTHER_SIZES[0]), describe(OTHER_SIZES[1])
    found = welch(first, second)
    assert welch(first, second, found.p).high == pytest.approx(0, abs=1e-9)
    found = one_against_group(26.0, first)
    assert one_against_group(26.0, first, found.p).low == pytest.approx(0, abs=1e-9)


def test_all_intervals_that_share_one_level_hold_at_once_often_enough():
    """3 groups of other deviations and sizes against one, whose own chance is in each of the comparisons."""
    rng = np.random.default_rng(3)
    sizes, sds = (5, 4, 5, 8), (7e-4, 4e-4, 7e-4, 9e-4)
    groups = [rng.normal(0.994, sd, (1500, n)).tolist() for n, sd in zip(sizes, sds, strict=True)]
    misses = 0
    for first, *others in zip(*groups, strict=True):
        found = [welch(describe(first), describe(other), ALPHA / 3) for other in others]
        misses += not all(one.low < 0 < one.high for one in found)
    assert misses / 1500 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1500)


@pytest.mark.parametrize(("only_first", "only_second"), [(0.002, 0.002), (0.004, 0.001), (0.02, 0.01), (0.0005, 0.0)])
def test_the_paired_interval_covers_the_true_difference_often_enough(only_first, only_second):
    rng = np.random.default_rng(5)
    counts = rng.multinomial(10_000, [only_first, only_second, 1 - only_first - only_second], size=600)
    drawn = Counter((int(b), int(c)) for b, c, _ in counts)
    true, covered = only_first - only_second, 0
    for (b, c), times in drawn.items():
        found = paired(b, c, 10_000)
        covered += times * (found.low - 1e-12 <= true <= found.high + 1e-12)
    assert covered / 600 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 600)


def test_holm_gives_the_adjusted_values_of_a_known_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, None, 0.03]) == [pytest.approx(0.04), None, pytest.approx(0.04)]
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


@pytest.mark.parametrize(("size", "n"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17), (2.0, 6)])
def test_the_seeds_needed_are_those_of_published_tables(size, n):
    """Cohen's effect sizes, two-sided 5 %, power 80 %."""
    assert seeds_needed(size * 0.0007, (0.0007, 0.0007)) == n
    assert seeds_needed(-size, (math.sqrt(2), 0.0)) == n


def test_differences_too_small_or_groups_that_do_not_vary_have_no_number_of_seeds():
    assert seeds_needed(0.01, (1.0, 1.0)) is None
    assert seeds_needed(0.0, (1.0, 1.0)) is None
    assert seeds_needed(0.5, (0.0, 0.0)) is None
    counts = [seeds_needed(size, (1.0, 1.0)) for size in (0.05, 0.1, 0.3, 1, 3, 10, 1e6)]
    assert all(more > less for more, less in pairwise(counts[:5]))
    assert counts[-1] == 2
    # At the level of 40 comparisons the limit of t with 2 degrees of freedom is 28.3, not far below the 31 expected.
    assert seeds_needed(31, (1.0, 1.0), 0.05 / 40) == 3


@pytest.mark.parametrize(("table", "p"), [((3, 1, 1, 3), 0.4857), ((4, 0, 0, 4), 0.0286), ((1, 9, 11, 3), 0.00276)])
def test_fisher_gives_known_results(table, p):
    assert fisher([table])[1] == pytest.approx(p, abs=5e-5)
    assert fisher([table[::-1]]) == pytest.approx(fisher([table]))


def test_fisher_within_tables_counts_all_ways_in_which_the_columns_could_have_fallen():
    tables = [(2, 1, 0, 2), (1, 0, 1, 2)]
    sums: list[int] = []
    for one, other in itertools.product(itertools.combinations(range(5), 2), itertools.combinations(range(4), 2)):
        sums.append(len({0, 1, 2} & set(one)) + len({0} & set(other)))  # places of the rows in each
    likelihoods = {value: sums.count(value) / len(sums) for value in set(sums)}
    excess, p = fisher(tables)
    assert p == pytest.approx(sum(share for share in likelihoods.values() if share <= likelihoods[3]))
    assert excess == pytest.approx(3 - sum(sums) / len(sums))


def test_fisher_within_tables_does_not_tell_tables_apart():
    tables = [(9, 0, 0, 0), (0, 0, 0, 9)]
    assert fisher(tables) == (0.0, 1.0)
    assert fisher([[sum(counts) for counts in zip(*tables, strict=True)]])[1] < 0.001


def test_fisher_cannot_see_anything_in_one_row():
    assert fisher([(0, 0, 3, 4)]) == fisher([(3, 4, 0, 0)]) == fisher([(0, 0, 0, 0)]) == fisher([]) == (0.0, 1.0)


def judged(p: float | None, value: float) -> str:
    """The verdict that `compare` would give."""
    first, second = (Subject(label, make_group(label, ()), is_group=True) for label in "AB")
    comparison = Comparison(first, second, "welch", Difference(value, 0.0, 0.0, p))
    return comparison.better.label if comparison.better else ""


@pytest.mark.parametrize(("sizes", "sds"), [((5, 5), (7e-4, 7e-4)), ((3, 10), (7e-4, 7e-4)), ((4, 8), (3e-4, 9e-4))])
def test_equal_groups_are_told_apart_no_more_often_than_said(sizes, sds):
    """2,000 pairs of groups with one true mean, their accuracies those of 10,000 images."""
    rng = np.random.default_rng(1)
    groups = [np.round(rng.normal(0.994, sd, (2000, n)), 4).tolist() for n, sd in zip(sizes, sds, strict=True)]
    verdicts = []
    for first, second in zip(*groups, strict=True):
        found = welch(describe(first), describe(second))
        verdicts.append(judged(found.p, found.value))
    sampling_error = 3 * math.sqrt(0.05 * 0.95 / 2000)
    assert 0.005 < sum(map(bool, verdicts)) / 2000 < 0.05 + sampling_error
    assert verdicts.count("A") / 2000 < 0.025 + sampling_error


def test_recommended_numbers_of_seeds_find_the_difference_in_four_cases_of_five():
    difference, sd = 0.0006, 0.0007
    n = seeds_needed(difference, (sd, sd))
    rng = np.random.default_rng(2)
    first, second = rng.normal(0.994 + difference, sd, (1500, n)), rng.normal(0.994, sd, (1500, n))
    found = [welch(describe(a), describe(b)) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    share = sum(judged(one.p, one.value) == "A" for one in found) / 1500
    assert share == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(("comparisons", "n"), [(1, 64), (2, 78), (5, 96)])
def test_a_stricter_level_needs_more_seeds(comparisons, n):
    """By 2 ((z + 0.8416) / 0.5)^2 and Guenther's z^2 / 4 for the t distribution these are above 77.3 and 95.1."""
    assert seeds_needed(0.5, (1.0, 1.0), ALPHA / comparisons) == n
