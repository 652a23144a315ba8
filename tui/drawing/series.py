"""A chart's data before it is drawn: points thinned and smoothed, the range of an axis and its ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

SMOOTHING = (0.0, 0.6, 0.9, 0.97)
"""Weights of the exponential mean that the steps of smoothing stand for."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Points to be joined, in the order of x. `kind` chooses marker and colour, so that series differ by more than
    colour."""

    label: str
    kind: str
    xs: Values
    ys: Values


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to places along one side of a plot, the first of which is 0 and stands for `low`."""

    low: float
    high: float
    places: int
    log: bool = False

    def fractions(self, values: Values) -> Values:
        """The places of values along the axis, from 0 to 1."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return ((np.log(values) if self.log else values) - low) / (high - low)

    def place(self, value: float) -> float:
        return float(self.fractions(np.array(value))) * (self.places - 1)


def drawable_points(series: Series, *, log: bool) -> Series:
    """Without the points that cannot be drawn: what is not finite and, on a log scale, what is not positive."""
    good = np.isfinite(series.ys) & (series.ys > 0 if log else True)
    return series if good.all() else Series(series.label, series.kind, series.xs[good], series.ys[good])


def bucketed(series: Series, buckets: int) -> Series:
    """The lowest and the highest point of each bucket, so that cost follows the plot's width, not the data's length."""
    count = len(series.xs)
    if count <= 2 * buckets:
        return series
    edges = np.arange(buckets + 1) * count // buckets
    parts = [(start, series.ys[start:stop]) for start, stop in pairwise(edges)]
    points = np.unique([start + place for start, part in parts for place in (part.argmin(), part.argmax())])
    return Series(series.label, series.kind, series.xs[points], series.ys[points])


def smoothed(values: Values, weight: float) -> Values:
    """Exponential mean, corrected for its start; where a value is not finite, the mean before it goes on."""
    finite = np.isfinite(values)
    if not weight or not finite.any():
        return values
    known = values[finite]
    sums = np.fromiter(accumulate((1 - weight) * known, lambda mean, value: weight * mean + value), float, len(known))
    means = sums / (1 - weight ** np.arange(1, len(known) + 1))
    last = np.cumsum(finite) - 1
    return np.where(last >= 0, means[last], values)


def limits(drawable: Sequence[Series], target: float | None, *, log: bool) -> tuple[float, float]:
    """The range of y, with some room that never crosses zero or, for percentages, a hundred."""
    values = [float(value) for series in drawable for value in (series.ys.min(), series.ys.max())]
    values += [target] if target is not None else []
    low, high = min(values), max(values)
    if log:
        return low / 1.15, high * 1.15
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    bottom = max(0.0, low - margin) if low >= 0 else low - margin
    return bottom, 100.0 if high <= 100 < high + margin else high + margin


def ticks(low: float, high: float, count: int, *, min_step: float = 0.0) -> list[float]:
    """About `count` round numbers within a range, at least `min_step` apart."""
    raw = max((high - low) / count, min_step, 1e-12)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)] or [low, high]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """1, 2 and 5 times powers of ten within a range, thinned to the powers alone when there are too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]
        if len(found) <= count:
            break
    return found if len(found) >= 2 else [low, high]
