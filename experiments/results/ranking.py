"""The place of a run among those that were scored on the same data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

from experiments.runs.row import RunRow


@dataclass(frozen=True, slots=True)
class Rank:
    """`place` of `n` by best accuracy, from 1; `rival` is the best of the others, and `gap` how far the run is ahead of
    it, a fraction that is negative for one behind."""

    place: int
    n: int
    rival: RunRow | None
    gap: float


def rank_of(row: RunRow, rows: Iterable[RunRow]) -> Rank | None:
    """None for a run that has no accuracy yet. Only runs on the same data count, all of it or part of it."""
    own = row.best_or_final
    if own is None:
        return None
    dataset, limited = row.dataset, row.limited
    others = [  # of maybe a hundred thousand, so that nothing is called for any of them
        (other.final_test_accuracy if other.best_test_accuracy is None else other.best_test_accuracy, other)
        for other in rows
        if other.dataset == dataset and other.limited is limited and other.run_id != row.run_id
    ]
    scored = [(value, other) for value, other in others if value is not None]
    place = 1 + len([value for value, _ in scored if value > own])
    value, rival = max(scored, key=itemgetter(0), default=(own, None))
    return Rank(place, 1 + len(scored), rival, own - value)
