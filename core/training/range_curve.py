"""The curve of a learning-rate range test, and the rate that it suggests: plain Python, without torch.

Such a test trains for some hundred steps while the learning rate rises from far too low to far too high (L. N. Smith,
Cyclical Learning Rates for Training Neural Networks, 2015). What the loss does meanwhile tells a rate to train with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from core.config import Optimizer, TrainConfig
from core.errors import InvalidValue

LEAST_STEPS = 100
"""Steps of a test where an epoch has fewer: in some dozen the noise of the batches hides what is looked for."""
SMOOTHING = 0.2
"""What a loss counts in the mean of another falls to 1/e over so many powers of ten of the rate, be the steps few or
many."""
EXPLOSION = 4.0
"""The test ends when the running mean of the loss is so many times its lowest."""
FALL = 0.92
"""The fall of the loss ends where its logarithm has made so much of it."""
LEAST_FALL = 0.1
"""A loss that falls by a smaller share than this does not tell a rate."""
LEARNT = 0.01
"""A loss below this share of the first is nothing more to bring down: images so easy are learnt before a rate is too
high, and how near to 0 the loss then comes tells nothing of the rate."""
RATES = "must be a number above 0 and at most 100"
ENDS: dict[Optimizer, tuple[float, float]] = {
    "sgd": (1e-4, 10.0),
    "adam": (1e-6, 1.0),
    "adamw": (1e-6, 1.0),
    "rmsprop": (1e-6, 1.0),
    "muon": (1e-4, 10.0),
}
"""The lowest and the highest rate of a test, by optimizer: what divides by the size of the gradients takes steps of
about the rate itself, and needs lower ones."""


@dataclass(frozen=True, slots=True)
class RangePoint:
    """A step of the test, counted from 1: the mean loss over its batch, before the weights are moved at this rate."""

    step: int
    rate: float
    loss: float


@dataclass(frozen=True, slots=True)
class RangeTest:
    """From which rate to which, and in how many steps; None for those of an epoch."""

    low: float
    high: float
    steps: int | None = None

    @classmethod
    def checked(
        cls, config: TrainConfig, low: float | None = None, high: float | None = None, steps: int | None = None
    ) -> RangeTest:
        """The test that was asked for, with what suits the optimizer for what was not.

        Raises:
            InvalidValue: for ends that are no rates, or in the wrong order.
        """
        ends = ENDS[config.optimizer]
        for name, end in (("low", low), ("high", high)):
            if end is not None and not 0 < end <= 100:
                raise InvalidValue(name, end, RATES, hint=f"for example {ends[name == 'high']:g}")
        low, high = ends[0] if low is None else low, ends[1] if high is None else high
        if not low < high:
            raise InvalidValue("low", low, f"must be below high, {high:g}", hint="give both ends")
        return cls(low, high, steps)

    def steps_of(self, per_epoch: int) -> int:
        """Its steps where an epoch has so many."""
        return self.steps or max(per_epoch, LEAST_STEPS)


def rising_rates(low: float, high: float, steps: int) -> list[float]:
    """Rates from `low` to `high`, each larger than the one before by the same factor."""
    return [low * (high / low) ** (step / max(steps - 1, 1)) for step in range(steps)]


class RunningMean:
    """The exponential mean of the losses up to each step, corrected for its start.

    Args:
        rates: of the test.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        self._weight = _weight(rates)
        self._total = self._share = 0.0
        self._ends: tuple[float, float, float] | None = None  # the first, the lowest, the latest

    def add(self, loss: float) -> float:
        """Take in the next step's loss, and give the mean up to it."""
        self._total = self._weight * self._total + loss
        self._share = self._weight * self._share + 1
        mean = self._total / self._share
        first, lowest, _ = self._ends or (mean, mean, mean)
        self._ends = first, min(lowest, mean), mean
        return mean

    @property
    def has_exploded(self) -> bool:
        """Whether it has left its lowest so far behind."""
        return self._ends is not None and self._ends[2] > EXPLOSION * _lowest(*self._ends[:2])


def smoothed(points: Sequence[RangePoint]) -> list[float]:
    """The geometric mean of the losses about each step, in which one counts the less the farther it is away.

    The running mean looks back alone, so that all that can be seen in it comes some steps late, which here means at too
    high a rate. This one moves nothing, as both sides count alike; at both ends it is corrected for what is missing.
    Logarithms keep a single loss that is out of all proportion from raising its neighbours.
    """
    weight, logs = _weight([point.rate for point in points[:2]]), [math.log(max(point.loss, 1e-30)) for point in points]
    up_to, from_on = _sums(logs, weight), _sums(logs[::-1], weight)[::-1]
    shares = _sums([1.0] * len(logs), weight)
    return [
        math.exp((before + after - own) / (share + rest - 1))
        for before, after, own, share, rest in zip(up_to, from_on, logs, shares, shares[::-1], strict=True)
    ]


def suggest(points: Sequence[RangePoint]) -> float | None:
    """The rate to train with, to three digits; None where the loss did not fall.

    It is the lowest one at which the mean loss has come down: where its fall ends. Higher ones are no better for the
    loss, and noisier. Below its floor's edge, where the loss falls fastest, a rate is too low to get far in few epochs;
    and the floor is so flat that where on it the mean is lowest is left to chance.
    """
    means = smoothed(points)
    if not means or min(means) > (1 - LEAST_FALL) * means[0]:
        return None
    end = means[0] * (_lowest(means[0], min(means)) / means[0]) ** FALL
    return float(f"{next(point.rate for point, mean in zip(points, means, strict=True) if mean <= end):.3g}")


def _lowest(first: float, lowest: float) -> float:
    """The lowest of some means, or what is as good."""
    return max(lowest, LEARNT * first)


def _weight(rates: Sequence[float]) -> float:
    """What the next neighbour of a step counts in a mean."""
    factor = rates[1] / rates[0] if len(rates) > 1 else 1.0
    return math.exp(-math.log10(factor) / SMOOTHING)


def _sums(values: Sequence[float], weight: float) -> list[float]:
    """For each place the sum of the values up to it, one less by the weight for each place that it lies behind."""
    return list(accumulate(values, lambda total, value: weight * total + value))
