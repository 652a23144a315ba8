"""The runs and groups that are marked, in the order in which they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from experiments.results.filters.fields import Listed
from experiments.runs.row import RunRow
from tui.live.runs.listing import ListEntry

MOST = 8
"""The most entrants that one comparison takes."""


class Marks:
    """`references` are ids of runs and of whole groups."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def toggle(self, entry: ListEntry) -> None:
        """Mark a run or a group, or take its mark away; of a sweep that is folded mark each of its trials."""
        if entry.fold is None or not entry.fold.is_sweep:
            self.set([entry.key], marked=entry.key not in self.references)
        else:
            ids = [row.run_id for row, _ in entry.runs]
            self.set(ids, marked=not all(run_id in self.references for run_id in ids))

    def set(self, references: Iterable[str], *, marked: bool) -> None:
        """Mark these, or take their marks away."""
        wanted = dict.fromkeys(references)
        if marked:
            self.references = list(dict.fromkeys([*self.references, *wanted]))
        else:
            self.references = [reference for reference in self.references if reference not in wanted]

    def clear(self) -> None:
        self.references.clear()

    def keep(self, items: Iterable[Listed]) -> None:
        """Forget marks of runs and groups that are not there any more."""
        if self.references:
            there = {known for row, _ in items for known in (row.run_id, row.group_id)}
            self.references = [reference for reference in self.references if reference in there]

    def has(self, row: RunRow) -> bool:
        """Whether a run is marked, by itself or with its group."""
        return row.run_id in self.references or (row.group_id is not None and row.group_id in self.references)

    def of(self, items: Iterable[Listed]) -> list[Listed]:
        """The marked runs."""
        known = set(self.references)
        return [item for item in items if item[0].run_id in known or item[0].group_id in known]

    def number_of(self, entry: ListEntry) -> int | None:
        """The place of an entry among the marked, from 1; of a run whose group is marked that of the group, of a sweep
        whose trials all are that of the first."""
        if not self.references:
            return None
        if entry.fold is not None and entry.fold.is_sweep:
            places = [self._place(row.run_id) for row, _ in entry.runs]
            return min(place for place in places if place) if all(places) else None
        return self._place(entry.key) or self._place(entry.row.group_id or "")

    def _place(self, reference: str) -> int | None:
        return self.references.index(reference) + 1 if reference in self.references else None

    def to_compare(self, current: ListEntry | None) -> Sequence[str]:
        """The marked runs and groups; where only one is marked, with the current run or group."""
        is_other = current is not None and (current.fold is None or not current.fold.is_sweep)
        if len(self.references) == 1 and current is not None and is_other and self.number_of(current) is None:
            return [*self.references, current.key]
        return list(self.references)
