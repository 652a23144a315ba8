"""The runs and groups that are marked to be compared, in the order in which they were."""

from __future__ import annotations

from collections.abc import Iterable

from experiments.runs.row import RunRow

MOST = 8
"""The most entrants that one comparison takes."""


class Marks:
    """`references` are ids of runs and of whole groups."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def toggle(self, reference: str) -> bool:
        """Mark a run or a group, or take its mark away; False when there are as many marks as there may be."""
        if reference in self.references:
            self.references.remove(reference)
        elif len(self.references) < MOST:
            self.references.append(reference)
        else:
            return False
        return True

    def clear(self) -> None:
        self.references.clear()

    def keep(self, rows: Iterable[RunRow]) -> None:
        """Forget marks of runs and groups that are not there any more."""
        there = {known for row in rows for known in (row.run_id, row.group_id)} if self.references else set()
        self.references = [reference for reference in self.references if reference in there]

    def number_of(self, row: RunRow) -> int | None:
        """The place of a run, or of its group, among the marked, from 1."""
        found = (reference for reference in (row.run_id, row.group_id) if reference in self.references)
        return next((self.references.index(reference) + 1 for reference in found), None)

    def to_compare(self, current: RunRow | None) -> list[str]:
        """The marked runs and groups; where only one is marked, with the current run."""
        if len(self.references) == 1 and current is not None and self.number_of(current) is None:
            return [*self.references, current.run_id]
        return list(self.references)
