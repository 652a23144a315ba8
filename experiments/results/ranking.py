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
    dataset, limited, run_id = row.dataset, row.limited, row.run_id
    rival, most, place, n = None, 0.0, 1, 1
    for other in rows:  # of maybe a hundred thousand, so that nothing is called, and nothing made, for any of them
        if other.dataset != dataset or other.limited is not limited or other.run_id == run_id:
            continue
        value = other.final_test_accuracy if other.best_test_accuracy is None else other.best_test_accuracy
        if value is None:
            continue
        n += 1
        if value > own:
            place += 1
        if rival is None or value > most:
            rival, most = other, value
    return Rank(place, n, rival, 0.0 if rival is None else own - most)
