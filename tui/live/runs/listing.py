"""The list of runs: filtered, in order, the runs of a group or of a sweep folded into one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.results.filters.fields import Listed, searched
from experiments.results.filters.language import RunFilter
from experiments.results.ordering import ordered, stem_of
from experiments.runs.row import STUDY_TAG, RunRow, Status, standing

NEWEST = "started"
"""The one order in which live runs come first."""
_FIRST = {"running": 0, "waiting": 1}


@dataclass(frozen=True, slots=True)
class FoldedRuns:
    """The runs of a group or of a sweep that are listed; `total` counts those that the filter leaves out, too. Of seeds
    the row has the mean, of a sweep, whose trials are of different recipes, the best."""

    key: str
    name: str
    is_sweep: bool
    items: tuple[Listed, ...]
    total: int

    @property
    def live(self) -> int:
        return sum(status is Status.RUNNING for _, status in self.items)

    @property
    def scored(self) -> list[RunRow]:
        """The runs that have an accuracy, the best first."""
        rows = [row for row, _ in self.items if row.best_or_final is not None]
        return sorted(rows, key=lambda row: -(row.best_or_final or 0.0))

    @property
    def best(self) -> Listed:
        """The run with the best accuracy; the first one while none has any."""
        rows = self.scored
        return next((item for item in self.items if rows and item[0] is rows[0]), self.items[0])

    @property
    def words(self) -> str:
        """What its row is of: ``mean of 5``, ``best of 20``."""
        n = len(self.scored) if not self.is_sweep else len(self.items)
        rest = f" ({self.total} in all)" if self.total > len(self.items) else ""
        return f"{'best' if self.is_sweep else 'mean'} of {n}{rest}"


@dataclass(frozen=True, slots=True)
class ListEntry:
    """A line of the list: a run, or a fold, whose `row` has what its runs have in common and what they amount to.
    `is_inside` is a run below its open fold."""

    row: RunRow
    status: Status
    fold: FoldedRuns | None = None
    is_open: bool = False
    is_inside: bool = False

    @property
    def key(self) -> str:
        """Its id: of a run, of a group, or the tag of a sweep."""
        return self.row.run_id if self.fold is None else self.fold.key

    @property
    def runs(self) -> tuple[Listed, ...]:
        return ((self.row, self.status),) if self.fold is None else self.fold.items

    @property
    def shown(self) -> Listed:
        """The run that stands for it where only one can be shown: of a fold the best."""
        return (self.row, self.status) if self.fold is None else self.fold.best


class Listing:
    """Arranges runs, and remembers what it made of those that have not changed since."""

    def __init__(self) -> None:
        self._items: list[Listed] = []
        self._keys: dict[str, str] = {}
        self._totals: Counter[str] = Counter()
        self._texts: dict[str, tuple[Listed, str]] = {}
        self._folds: dict[str, tuple[tuple[Listed, ...], int, ListEntry]] = {}

    def arrange(
        self,
        items: Sequence[Listed],
        wanted: RunFilter,
        sort: str,
        *,
        reverse: bool = False,
        is_open: Callable[[str], bool] = lambda _: True,
    ) -> list[ListEntry]:
        """The entries for which a filter holds, in order; in that of the newest live ones first. `is_open` says whether
        a fold of this key is; a run that is the only one listed of its fold stands alone."""
        if items != self._items:  # by identity, which is quick: what has not changed is the same object
            self._items = list(items)
            self._keys = {row.run_id: key for row, _ in items if (key := fold_key(row))}
            self._totals = Counter(self._keys.values())
        keys, totals = self._keys, self._totals
        inside: dict[str, list[Listed]] = {}
        heads: dict[str, ListEntry] = {}
        for item in self._found(items, wanted):
            key = keys.get(item[0].run_id, "")
            if totals[key] > 1:
                inside.setdefault(key, []).append(item)
            else:
                heads[item[0].run_id] = ListEntry(*item)
        for key, members in inside.items():
            if len(members) == 1:
                heads[members[0][0].run_id] = ListEntry(*members[0])
            else:
                entry = self._folded(key, tuple(members), totals[key])
                heads[entry.row.run_id] = replace(entry, is_open=True) if is_open(key) else entry
        arranged = _in_order([(entry.row, entry.status) for entry in heads.values()], sort, reverse=reverse)
        lines: list[ListEntry] = []
        for row, _ in arranged:
            lines.append(entry := heads[row.run_id])
            if entry.is_open and entry.fold is not None:
                members = _in_order(entry.fold.items, sort, reverse=reverse)
                lines += [ListEntry(*member, is_inside=True) for member in members]
        return lines

    def _found(self, items: Sequence[Listed], wanted: RunFilter) -> list[Listed]:
        if not wanted.words:
            return wanted.of(items)
        texts = {}
        for item in items:
            known = self._texts.get(item[0].run_id)
            texts[item[0].run_id] = known if known is not None and known[0] is item else (item, searched(item))
        self._texts = texts
        return [item for item in items if wanted.holds(item, texts[item[0].run_id][1])]

    def _folded(self, key: str, members: tuple[Listed, ...], total: int) -> ListEntry:
        known = self._folds.get(key)
        if known is not None and known[1] == total and known[0] == members:
            return known[2]
        entry = _fold(key, members, total)
        self._folds[key] = (members, total, entry)
        return entry


def fold_key(row: RunRow) -> str:
    """The group or the sweep that a run is folded into; empty for none."""
    return row.group_id or (f"{STUDY_TAG}{row.sweep}" if row.sweep else "")


def _in_order(items: Iterable[Listed], sort: str, *, reverse: bool) -> list[Listed]:
    found = ordered(items, sort, reverse=reverse)
    return sorted(found, key=lambda item: _FIRST.get(standing(*item), len(_FIRST))) if sort == NEWEST else found


def _fold(key: str, members: tuple[Listed, ...], total: int) -> ListEntry:
    rows = [row for row, _ in members]
    newest, is_sweep = max(rows, key=lambda row: row.run_id), key.startswith(STUDY_TAG)
    name = key.removeprefix(STUDY_TAG) if is_sweep else (stem_of(newest) or key)
    fold = FoldedRuns(key, name, is_sweep, members, total)
    live = [status for _, status in members if status is Status.RUNNING]
    scored = fold.scored
    best = scored[0] if scored else newest
    tags = [tag for tag in newest.tags if all(tag in row.tags for row in rows)]
    row = replace(
        newest,
        name=name,
        tags=tuple(tag for tag in tags if not tag.startswith(STUDY_TAG)),
        arch=_common(rows, "arch") or best.arch,
        dataset=_common(rows, "dataset") or best.dataset,
        lr=best.lr if is_sweep else _common(rows, "lr"),
        batch_size=best.batch_size if is_sweep else _common(rows, "batch_size"),
        total_params=best.total_params if is_sweep else _common(rows, "total_params"),
        schedule=(best.schedule if is_sweep else _common(rows, "schedule")) or "",
        seed=best.seed if is_sweep else None,
        group_id=newest.group_id,
        limited=best.limited,
        best_test_accuracy=best.best_test_accuracy if is_sweep else _mean(rows, "best_test_accuracy"),
        final_test_accuracy=best.final_test_accuracy if is_sweep else _mean(rows, "final_test_accuracy"),
        first_epoch_at_target=best.first_epoch_at_target if is_sweep else None,
        epochs_done=best.epochs_done if is_sweep else max(row.epochs_done for row in rows),
        seconds=sum(row.seconds for row in rows),
        note="",
    )
    return ListEntry(row, live[0] if live else members[0][1], fold)


def _common(rows: Sequence[RunRow], field: str) -> Any:
    """The value of a field that all of the runs have; None where they differ."""
    values = {getattr(row, field) for row in rows}
    return values.pop() if len(values) == 1 else None


def _mean(rows: Sequence[RunRow], field: str) -> float | None:
    known = [value for row in rows if (value := getattr(row, field)) is not None]
    return sum(known) / len(known) if known else None


class Folds:
    """Which folds are open: none, or all, but for those that were turned by hand."""

    def __init__(self, *, all_open: bool) -> None:
        self.all_open = all_open
        self._turned: set[str] = set()

    def is_open(self, key: str) -> bool:
        return self.all_open != (key in self._turned)

    def turn(self, key: str, *, is_open: bool) -> None:
        if self.is_open(key) != is_open:
            self._turned ^= {key}

    def turn_all(self) -> None:
        self.all_open = not self.all_open
        self._turned.clear()
