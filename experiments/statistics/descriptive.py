"""Statistics of repeated runs: means, shares and medians, each with its uncertainty.

`show` and lists use these, so scipy.stats, which takes half a second to import, is left to `significance`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

LEVEL = 0.95
"""The level of every interval."""
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True, slots=True)
class Sample:
    """Mean of `n` values, their standard deviation, and the mean's 95 % interval; None where there is none.

    One value has neither, equal values have no interval: they show only that they were counted too coarsely.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `n`, as a fraction, and its 95 % interval; None of nothing."""

    count: int
    n: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Order statistics of `n` values: the smallest, the quartiles and the largest."""

    n: int
    min: float
    q1: float
    median: float
    q3: float
    max: float


def describe(values: Sequence[float], within: tuple[float, float] = (-math.inf, math.inf)) -> Sample:
    """Summarise independent values, by Student's t distribution with n - 1 degrees of freedom.

    Args:
        within: where the mean must lie, as an accuracy's does between 0 and 1; the interval ends there.

    Raises:
        ValueError: without values.
    """
    mean = fmean(values)
    if len(values) < 2:
        return Sample(1, mean, None, None, None)
    sd = stdev(values)
    if sd == 0:
        return Sample(len(values), mean, 0.0, None, None)
    margin = t_quantile(len(values) - 1) * sd / math.sqrt(len(values))
    return Sample(len(values), mean, sd, max(mean - margin, within[0]), min(mean + margin, within[1]))


def t_quantile(degrees: float, level: float = LEVEL) -> float:
    """Half the width of a two-sided interval of Student's t, in standard errors, by its degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + level) / 2))


def share_of(count: int, n: int) -> Share:
    """A share with Wilson's score interval, which holds its level for few trials and near 0 and 1 (Wilson, 1927)."""
    if n == 0:
        return Share(0, 0, None, None, None)
    share = count / n
    shrink = 1 / (1 + Z**2 / n)
    centre = shrink * (share + Z**2 / (2 * n))
    margin = shrink * Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # At the ends the formula gives 0 and 1 but for rounding.
    low, high = 0.0 if count == 0 else centre - margin, 1.0 if count == n else centre + margin
    return Share(count, n, share, low, high)


def spread_of(values: Sequence[float]) -> Spread:
    """Order statistics; quartiles by linear interpolation between neighbours (Hyndman and Fan's type 7).

    Raises:
        ValueError: without values.
    """
    if not values:
        raise ValueError("a spread requires at least one data point")
    ordered = sorted(values)
    q1, median, q3 = (_quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    return Spread(len(ordered), ordered[0], q1, median, q3, ordered[-1])


def median_with_never(values: Sequence[float | None]) -> float | None:
    """The median where None stands for what never happened, later than everything that did.

    None too when it lies among those, or without values.
    """
    ordered = sorted(math.inf if value is None else value for value in values)
    middle = _quantile(ordered, 0.5) if ordered else math.inf
    return middle if math.isfinite(middle) else None


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below if below == above else below + (above - below) * (place - math.floor(place))
