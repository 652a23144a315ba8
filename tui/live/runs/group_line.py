"""A run, or the group that it belongs to, in the line under the list of runs."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.results.filters.fields import Listed
from experiments.results.groups import SCORES, Group, GroupMember, ScoreKind, make_group
from experiments.results.ordering import stem_of
from experiments.runs.row import RunRow, Status
from experiments.runs.store import Store
from tui.live.runs.listing import ListEntry
from tui.text.output import percent
from tui.text.wording import arch_in_short


def entry_in_words(entry: ListEntry, size: int, result: str) -> str:
    """The id and network of a run alone, the result of the group that it is, or is in, or what a sweep came to. `size`
    is the group's; `result` is empty while it is not known."""
    row, fold = entry.row, entry.fold
    if fold is not None and fold.is_sweep:
        known = [one.best_or_final for one in fold.scored if one.best_or_final is not None]
        mean = f", mean {percent(sum(known) / len(known))} of {len(known)}" if known else ""
        return f"sweep {fold.name} of {fold.total}: best {percent(row.best_or_final)}{mean}"
    if row.group_id is None:
        return f"{row.run_id}  {arch_in_short(row.arch)}"
    name = f"group {stem_of(row)} of {size}".replace("  ", " ")
    return f"{name}: {result}  {row.group_id}" if result else f"{name}  {row.group_id}"


class GroupResults:
    """The results of groups, over their finished runs. `read` reads the log of each run once, and is for a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._members: dict[RunRow, GroupMember] = {}
        self._results: dict[tuple[RunRow, ...], str] = {}

    def known(self, runs: Sequence[Listed]) -> str:
        """The result of a group's runs; empty when it has not been read."""
        return self._results.get(_finished(runs), "")

    def read(self, runs: Sequence[Listed]) -> str:
        rows = _finished(runs)
        for row in rows:
            if row not in self._members:
                self._members[row] = GroupMember.of(self._store.run(row.run_id))
        self._results[rows] = group_in_words(make_group("", [self._members[row] for row in rows]))
        return self._results[rows]


def _finished(runs: Sequence[Listed]) -> tuple[RunRow, ...]:
    return tuple(row for row, status in runs if status is Status.FINISHED)


def group_in_words(group: Group) -> str:
    """``3 finished, 1 repeated, final 99.20% (sd 0.20), best 99.30% (sd 0.15)``."""
    words = [f"{len(group.finished)} finished"]
    if group.repeated:
        words.append(f"{len(group.repeated)} repeated")
    means = {score: _mean(group, score) for score in SCORES if score != "selected"}
    return ", ".join(words + [f"{score} {mean}" for score, mean in means.items() if mean])


def _mean(group: Group, score: ScoreKind) -> str:
    """Mean and standard deviation, in percent; empty where no run has the score."""
    sample = group.sample(score)
    if sample is None:
        return ""
    return percent(sample.mean) + (f" (sd {100 * sample.sd:.2f})" if sample.sd is not None else "")
