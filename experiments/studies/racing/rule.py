"""The rule of a race: which of several configs are dropped for being worse by more than chance.

Racing is Maron and Moore's (Hoeffding races, NIPS 1993): all that still might be the best go on, with as many new
values each, and one is dropped when its mean is below the leader's by more than chance. What chance makes is told by
Student's t, as in irace (Lopez-Ibanez et al., Operations Research Perspectives 3, 2016), over one variance for all; the
level is shared out evenly between all comparisons that there may be (Bonferroni).

So the best of all is dropped, by another that is ahead of it, in at most `ALPHA` of races, where scores are normal
with one deviation. Where it is not dropped and one is left, that is the best: at most `ALPHA` of winners are wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from experiments.statistics.descriptive import t_quantile

LOOKS = (3, 6, 12)
"""Seeds of each that is left at which they are compared."""
ALPHA = 0.05
"""The share of races in which the best may be dropped."""
MAX_RACE = 64


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the mean of one lies below that of the one ahead, and how far chance may put it there."""

    ahead: int
    behind: float
    limit: float

    @property
    def is_worse(self) -> bool:
        return self.behind > self.limit


def dropped(scores: Mapping[int, Sequence[float]], left: Sequence[int], racers: int) -> list[int]:
    """Which of those left are worse than the one ahead by more than chance; as `lags`."""
    return [one for one, lag in lags(scores, left, racers).items() if lag.is_worse]


def lags(scores: Mapping[int, Sequence[float]], left: Sequence[int], racers: int) -> dict[int, Lag]:
    """Each of those left against the one ahead; none where all values are the same.

    Args:
        scores: the values so far of all that ever raced, which tell how far they vary.
        left: those that have not been dropped, at least two values each.
        racers: how many the race began with.
    """
    ahead = max(left, key=lambda one: fmean(scores[one]))
    counted = [values for values in scores.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in counted)
    pooled = sum((len(values) - 1) * variance(values) for values in counted) / freedom
    if pooled == 0:
        return {}
    level = ALPHA / (len(LOOKS) * (racers - 1))
    limit = t_quantile(freedom, 1 - 2 * level)

    def lag(one: int) -> Lag:
        error = math.sqrt(pooled * (1 / len(scores[one]) + 1 / len(scores[ahead])))
        return Lag(ahead, fmean(scores[ahead]) - fmean(scores[one]), limit * error)

    return {one: lag(one) for one in left}
