"""A chart's data before it is drawn: points thinned and smoothed, and from values to dots along an axis."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

LARGEST = 1e300
"""What is further from nothing cannot be told from what is not finite once there is room around it."""
SMOOTHING = (0.0, 0.6, 0.9, 0.97)
"""Weights of the exponential mean that the steps of smoothing stand for."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Points in the order of x. `kind` chooses marker and colour, so that series differ by more than colour. What is
    not `fitted` has no say in the range of y, what is not `joined` is drawn as points, and a line that is
    not `marked` without them."""

    label: str
    kind: str
    xs: Values
    ys: Values
    fitted: bool = True
    joined: bool = True
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to dots along one side of a plot, the first of which is 0 and stands for `low`.

    Everything that is drawn comes through here. With a `split`, that value has a dot of its own: what is below it is
    below that dot, and what is above is above, however near.
    """

    low: float
    high: float
    count: int
    log: bool = False
    split: float | None = None

    def places(self, values: Values) -> Values:
        """Where values lie, counted in dots and parts of them; some may lie outside of the axis."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return ((np.log(values) if self.log else values) - low) / (high - low) * (self.count - 1)

    def dots(self, values: Values) -> NDArray[np.int64]:
        """The dots that values are drawn in, at the ends for those outside of the axis."""
        found = np.clip(np.rint(self.places(values)), 0, self.count - 1).astype(np.int64)
        line = self.line
        if self.split is None or line is None:
            return found
        beside = np.where(values < self.split, np.minimum(found, line - 1), np.maximum(found, line + 1))
        return np.where(values == self.split, line, beside)

    @property
    def line(self) -> int | None:
        """The dot of the split, with room on both sides; None without one, or where it lies outside."""
        if self.split is None or self.count < 3 or not self.low <= self.split <= self.high:
            return None
        return min(max(round(float(self.places(np.array(self.split)))), 1), self.count - 2)

    def dot(self, value: float) -> int:
        return int(self.dots(np.array(value)))

    def value(self, dot: float) -> float:
        """The value that a dot stands for."""
        part = dot / (self.count - 1)
        if self.log:
            return float(self.low * (self.high / self.low) ** part)
        return self.low + part * (self.high - self.low)


def drawable_points(series: Series, *, log: bool) -> Series:
    """Without the points that cannot be drawn: what is not finite and, on a log scale, what is not positive."""
    good = (np.abs(series.ys) < LARGEST) & (series.ys > 1 / LARGEST if log else True)
    return series if good.all() else replace(series, xs=series.xs[good], ys=series.ys[good])


def bucketed(xs: Values, ys: Values, buckets: int) -> tuple[Values, Values]:
    """The lowest and the highest point of each bucket, so that cost follows the plot's width, not the data's length."""
    count = len(xs)
    if count <= 2 * buckets:
        return xs, ys
    edges = np.arange(buckets + 1) * count // buckets
    parts = [(start, ys[start:stop]) for start, stop in pairwise(edges)]
    points = np.unique([start + place for start, part in parts for place in (part.argmin(), part.argmax())])
    points = np.union1d(points, [0, count - 1])
    return xs[points], ys[points]


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
