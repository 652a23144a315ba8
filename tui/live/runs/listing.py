"""The list of runs: filtered, in order, the runs of a group or of a sweep folded into one row."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from experiments.results.filters.fields import Listed, searched
from experiments.results.filters.language import RunFilter
from experiments.results.ordering import is_descending, ordered, stem_of, value_of
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

    @property
    def short_words(self) -> str:
        """``mean``, where it is of all runs, whose number stands in the row; else as `words` has it."""
        is_of_all = self.is_sweep or len(self.scored) == len(self.items)
        return self.words.partition(" of ")[0] if is_of_all and self.total == len(self.items) else self.words


class ListEntry(NamedTuple):
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
    """Arranges runs, and remembers what it made of those that have not changed since.

    Of a hundred thousand runs nearly all have ended. Those are put in order once, and a filter only leaves some of them
    out; folds and live runs, which are few, are put in between. `count` runs were found the last time, and `live` of
    all there were in training.
    """

    def __init__(self) -> None:
        self.count = self.live = 0
        self._given: Sequence[Listed] = ()
        self._parts: tuple[list[Listed], list[Listed]] = [], []
        self._texts: dict[str, tuple[Listed, str]] = {}
        self._folds: dict[str, tuple[tuple[Listed, ...], int, ListEntry]] = {}
        self._ended: _EndedRuns | None = None

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
        live, given = self._parted(items)
        live_keys = [fold_key(row) for row, _ in live]
        ended = self._ended
        if ended is None or not ended.is_of(given, live_keys, sort, reverse=reverse):
            ended = self._ended = _EndedRuns(given, live_keys, sort, reverse=reverse)
        texts = [self._text(item) for item in live] if wanted.words else []
        live_places = _places(wanted, live, texts)
        if wanted.words and not ended.texts:
            ended.texts = [self._text(item) for item in ended.items]
        places = _places(wanted, ended.items, ended.texts)
        self.count = len(places) + len(live_places)

        inside: dict[str, list[Listed]] = {}
        for place in places:
            if key := ended.keys[place]:
                inside.setdefault(key, []).append(ended.items[place])
        others: list[ListEntry] = []
        for place in live_places:
            if ended.totals[live_keys[place]] > 1:
                inside.setdefault(live_keys[place], []).append(live[place])
            else:
                others.append(ListEntry(*live[place]))
        for key, members in inside.items():
            if len(members) == 1:
                others.append(ListEntry(*members[0]))
                continue
            members.sort(key=lambda item: item[0].run_id, reverse=True)
            entry = self._folded(key, tuple(members), ended.totals[key])
            others.append(entry._replace(is_open=True) if is_open(key) else entry)
        lines = ended.with_others([place for place in places if not ended.keys[place]], others)
        if live_places and sort == NEWEST:
            lines.sort(key=lambda entry: _live_first((entry.row, entry.status)))
        is_any_open = any(entry.is_open for entry in others)
        return _with_those_inside(lines, sort, reverse=reverse) if is_any_open else lines

    def _parted(self, items: Sequence[Listed]) -> tuple[list[Listed], list[Listed]]:
        """The live runs, and the others. Those of the last time are found by identity, as `_EndedRuns.is_of` does."""
        if self._given != items:
            live = [item for item in items if item[1] is Status.RUNNING]
            given = [item for item in items if item[1] is not Status.RUNNING] if live else list(items)
            self._given, self._parts, self.live = list(items), (live, given), len(live)
        return self._parts

    def _text(self, item: Listed) -> str:
        known = self._texts.get(item[0].run_id)
        if known is None or known[0] is not item:
            known = self._texts[item[0].run_id] = item, searched(item)
        return known[1]

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


def _places(wanted: RunFilter, items: Sequence[Listed], texts: Sequence[str]) -> Sequence[int]:
    """The places of the runs for which a filter holds; `texts` are needed where it has words."""
    places: Sequence[int] = range(len(items))
    for word, is_wanted in wanted.words:
        places = [place for place in places if (word in texts[place]) is is_wanted]
    for test in wanted.tests:
        places = [place for place in places if test(items[place])]
    return places


class _EndedRuns:
    """Runs that have ended in one order. `keys` has of each the fold that it is in, empty where no other run is in it,
    be it a live one; `totals` the number of runs of each fold. `texts` is for who looks for words in them."""

    def __init__(self, given: Sequence[Listed], live_keys: Sequence[str], sort: str, *, reverse: bool) -> None:
        self._made_of = given, live_keys, sort, reverse
        self._sort, self._is_descending = sort, is_descending(sort, reverse=reverse)
        self.items = ordered(given, sort, reverse=reverse)
        self.entries = [ListEntry(*item) for item in self.items]
        self.texts: list[str] = []
        keys = [fold_key(row) for row, _ in self.items]
        self.totals = Counter([*keys, *live_keys])
        self.totals[""] = 0
        self.keys = [key if self.totals[key] > 1 else "" for key in keys]
        values = [value_of(item, sort) for item in self.items]
        self._known = next((place for place, value in enumerate(values) if value in (None, "")), len(values))
        self._values = values[: self._known]

    def is_of(self, given: Sequence[Listed], live_keys: Sequence[str], sort: str, *, reverse: bool) -> bool:
        """Whether it is of these runs; found by identity, which is quick: what has not changed is the same object."""
        return self._made_of[1:] == (live_keys, sort, reverse) and self._made_of[0] == given

    def with_others(self, places: Sequence[int], others: Sequence[ListEntry]) -> list[ListEntry]:
        """The entries of these places, with others among them where they belong; of equals these stand first, for they
        are live or of several runs."""
        known = bisect_left(places, self._known)
        values = [self._values[place] for place in places[:known]] if others else []
        if self._is_descending:
            values.reverse()
        by_id = {entry.row.run_id: entry for entry in others}
        in_order = ordered([(entry.row, entry.status) for entry in others], self._sort, reverse=self._made_of[-1])
        lines: list[ListEntry] = []
        done = 0
        for row, status in in_order:
            value, until = value_of((row, status), self._sort), known
            if value not in (None, ""):
                until = known - bisect_right(values, value) if self._is_descending else bisect_left(values, value)
            lines += [self.entries[place] for place in places[done:until]]
            lines.append(by_id[row.run_id])
            done = max(done, until)
        return lines + [self.entries[place] for place in places[done:]]


def _with_those_inside(entries: Sequence[ListEntry], sort: str, *, reverse: bool) -> list[ListEntry]:
    """The entries, and below those that are open their runs in the same order."""
    lines: list[ListEntry] = []
    for entry in entries:
        lines.append(entry)
        if entry.is_open and entry.fold is not None:
            members = ordered(entry.fold.items, sort, reverse=reverse)
            if sort == NEWEST:
                members.sort(key=_live_first)
            lines += [ListEntry(*member, is_inside=True) for member in members]
    return lines


def _live_first(item: Listed) -> int:
    return _FIRST.get(standing(*item), len(_FIRST))


def _fold(key: str, members: tuple[Listed, ...], total: int) -> ListEntry:
    rows = [row for row, _ in members]
    newest, is_sweep = max(rows, key=lambda row: row.run_id), key.startswith(STUDY_TAG)
    name = key.removeprefix(STUDY_TAG) if is_sweep else (stem_of(newest) or key)
    fold = FoldedRuns(key, name, is_sweep, members, total)
    live = [status for _, status in members if status is Status.RUNNING]
    scored = fold.scored
    best = scored[0] if scored else newest
    tags = [tag for tag in newest.tags if all(tag in row.tags for row in rows)]
    row = newest._replace(
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
