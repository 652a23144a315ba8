"""Statistics of repeated runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True, slots=True)
class Sample:
    """Mean of `n` values, their standard deviation, and the mean's 95 % interval; None where one value cannot tell."""

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def describe(values: Sequence[float]) -> Sample:
    """Summarise independent values, by Student's t distribution with n - 1 degrees of freedom.

    Raises:
        ValueError: without values.
    """
    mean = fmean(values)
    if len(values) < 2:
        return Sample(1, mean, None, None, None)
    from scipy.stats import t

    sd = stdev(values)
    margin = float(t.ppf(0.975, len(values) - 1)) * sd / math.sqrt(len(values))
    return Sample(len(values), mean, sd, mean - margin, mean + margin)
