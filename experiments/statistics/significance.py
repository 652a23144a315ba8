"""Tests and intervals for the difference of two results, and the number of seeds it takes to show one.

A difference is always the first minus the second. Tests are two-sided; intervals have the level 1 - `alpha`, 95 % by
default.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

from experiments.statistics.descriptive import LEVEL, Sample

ALPHA = 1 - LEVEL
"""The probability of finding a difference where there is none."""
POWER = 0.8
"""The probability with which a recommended number of seeds shows the difference."""
MOST_SEEDS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference, its interval, and the probability of one at least as large by chance (`p`).

    Interval and `p` are None where the data do not determine them.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None


def welch(first: Sample, second: Sample, alpha: float = ALPHA) -> Difference:
    """Means of two groups whose deviations may differ: Welch's t test. No interval and no p when a group has one value,
    or when neither varies."""
    value = first.mean - second.mean
    if first.sd is None or second.sd is None:
        return Difference(value, None, None, None)
    variances = first.sd**2 / first.n, second.sd**2 / second.n  # of the means
    if sum(variances) == 0:
        return Difference(value, None, None, None)
    from scipy.stats import ttest_ind_from_stats

    p = ttest_ind_from_stats(first.mean, first.sd, first.n, second.mean, second.sd, second.n, equal_var=False).pvalue
    # The degrees of freedom of Welch (1947) and Satterthwaite (1946), which scipy does not return.
    shares = [variance / sum(variances) for variance in variances]
    degrees = 1 / (shares[0] ** 2 / (first.n - 1) + shares[1] ** 2 / (second.n - 1))
    return Difference(value, *_t_interval(value, math.sqrt(sum(variances)), degrees, alpha), float(p))


def one_against_group(value: float, group: Sample, alpha: float = ALPHA) -> Difference:
    """One value against the values of a group: the prediction interval of the group's next value, on the
    assumption that the one varies as they do. No interval and no p when the group has one value or does not vary."""
    difference = value - group.mean
    if not group.sd:
        return Difference(difference, None, None, None)
    from scipy.stats import t

    error, degrees = group.sd * math.sqrt(1 + 1 / group.n), group.n - 1
    p = float(2 * t.sf(abs(difference) / error, degrees))
    return Difference(difference, *_t_interval(difference, error, degrees, alpha), p)


def _t_interval(value: float, error: float, degrees: float, alpha: float) -> tuple[float, float]:
    """Interval of Student's t around a value with that standard error."""
    from scipy.stats import t

    low, high = t.interval(1 - alpha, degrees, value, error)
    return float(low), float(high)


def paired(only_first: int, only_second: int, images: int, alpha: float = ALPHA) -> Difference:
    """Accuracies of two classifiers on the same images, of which `only_first` are right by the first alone and
    `only_second` by the second alone: McNemar's exact test.

    The interval is the wider one of two. One takes the number of disagreements as given and the share of them won as
    binomial (Clopper and Pearson, 1934), so that it leaves out 0 only if the test does; the other is Bonett and Price's
    adjusted Wald interval (2012), which also allows for that number being chance. It is let no further than to 0 where
    the test has ruled out what lies beyond.
    """
    disagreements = only_first + only_second
    value = (only_first - only_second) / images
    rates = [(count + 1) / (images + 2) for count in (only_first, only_second)]
    margin = NormalDist().inv_cdf(1 - alpha / 2) * math.sqrt((sum(rates) - (rates[0] - rates[1]) ** 2) / (images + 2))
    centre = rates[0] - rates[1]
    low, high = centre - margin, centre + margin
    if disagreements == 0:
        return Difference(0.0, low, high, 1.0)
    from scipy.stats import binomtest

    test = binomtest(only_first, disagreements)
    share = test.proportion_ci(1 - alpha, "exact")
    exact_low, exact_high = ((2 * float(won) - 1) * disagreements / images for won in (share.low, share.high))
    low = max(low, 0.0) if exact_low > 0 else low
    high = min(high, 0.0) if exact_high < 0 else high
    return Difference(value, min(low, exact_low), max(high, exact_high), float(test.pvalue))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values of several tests, raised so that the chance of any false finding among them stays what it is for
    one (Holm, 1979); None stays None and does not count."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = highest
    return adjusted


def seeds_needed(difference: float, sds: tuple[float, float], alpha: float = ALPHA) -> int | None:
    """The least number of seeds in each of two groups with which a true difference of this size would be found in four
    cases of five, for these standard deviations; None when `MOST_SEEDS` are too few, or when nothing varies.

    By the noncentral t distribution with 2n - 2 degrees of freedom, the variance taken as the mean of the two. `alpha`
    is what p has to be below.
    """
    sd = math.sqrt((sds[0] ** 2 + sds[1] ** 2) / 2)
    if sd == 0:
        return None
    size = abs(difference) / sd
    if _power(size, MOST_SEEDS, alpha) < POWER:
        return None
    too_few, enough = 1, 2
    while _power(size, enough, alpha) < POWER:
        too_few, enough = enough, min(2 * enough, MOST_SEEDS)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if _power(size, middle, alpha) >= POWER else (middle, enough)
    return enough


def detectable(n: int, sds: tuple[float, float], alpha: float = ALPHA) -> float | None:
    """The smallest true difference that n seeds in each of two groups find in four cases of five, for these standard
    deviations: the inverse of `seeds_needed`. None for a single seed, or when nothing varies."""
    sd = math.sqrt((sds[0] ** 2 + sds[1] ** 2) / 2)
    if sd == 0 or n < 2:
        return None
    low, high = 0.0, 1.0
    while _power(high, n, alpha) < POWER:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _power(middle, n, alpha) >= POWER else (middle, high)
    return high * sd


def _power(size: float, n: int, alpha: float) -> float:
    """The power of a t test of n against n at the level `alpha`: how often it finds a difference of `size` standard
    deviations, in its own direction."""
    from scipy.special import nctdtr, stdtrit

    freedom, noncentrality = 2 * n - 2, size * math.sqrt(n / 2)
    limit = float(stdtrit(freedom, 1 - alpha / 2))
    if noncentrality > 30:  # beyond it scipy's distribution function loses its precision
        # Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.10.
        distance = noncentrality - limit * (1 - 1 / (4 * freedom))
        return NormalDist().cdf(distance / math.sqrt(1 + limit**2 / (2 * freedom)))
    return 1 - float(nctdtr(freedom, noncentrality, limit))


def fisher(tables: Iterable[Sequence[int]]) -> tuple[float, float]:
    """Test of the association of row and column within two-by-two tables, each given as the counts of what is in both,
    only in the row, only in the column, and in neither.

    Were they independent within each of them: by how much the sum over the tables of what is in both exceeds what is
    expected then, and the probability of a sum no likelier, the counts of each one's rows and columns given. Of one
    table this is Fisher's exact test, of several that of conditional independence: Agresti, Categorical Data Analysis
    (2002), section 6.7.
    """
    ways, found = [1], 0
    for both, only_row, only_column, neither in tables:
        row, column, total = both + only_row, both + only_column, both + only_row + only_column + neither
        own = [math.comb(column, k) * math.comb(total - column, row - k) for k in range(min(row, column) + 1)]
        joined = [0] * (len(ways) + len(own) - 1)
        for (before, many), (here, more) in product(enumerate(ways), enumerate(own)):
            joined[before + here] += many * more
        ways, found = joined, found + both
    expected = sum(k * count for k, count in enumerate(ways)) / sum(ways)
    return found - expected, min(1.0, sum(count for count in ways if count <= ways[found]) / sum(ways))
