"""The place of a run among those that were scored on the same data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
    others = [
        (value, other)
        for other in rows
        if other.run_id != row.run_id
        and other.dataset == row.dataset
        and other.limited == row.limited
        and (value := other.best_or_final) is not None
    ]
    place = 1 + sum(value > own for value, _ in others)
    value, rival = max(others, key=lambda pair: pair[0], default=(own, None))
    return Rank(place, 1 + len(others), rival, own - value)
