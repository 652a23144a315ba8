"""All runs of the home, kept up to date without reading again what cannot have changed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from experiments.runs.row import RunRow, Status, status_of
from experiments.runs.seeds import name_of_group
from experiments.runs.store import Store

Item = tuple[RunRow, Status]

SORTS: dict[str, str] = {
    "started": "newest",
    "best": "best accuracy",
    "final": "final accuracy",
    "name": "name",
    "group": "group",
    "arch": "architecture",
    "dataset": "data set",
    "params": "parameters",
    "seconds": "duration",
}


class Catalog:
    """A snapshot of the runs. `refresh` reads files and may be called on any thread, one at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._items: dict[str, Item] = {}
        self.loaded = False
        self._loaded_at = -math.inf

    def age(self) -> float:
        """Seconds since every run was read."""
        return time.monotonic() - self._loaded_at

    @property
    def items(self) -> list[Item]:
        return list(self._items.values())

    def load(self) -> None:
        """Read every run, through the store's index."""
        self._items = {row.run_id: (row, status) for row, status in self._store.rows()}
        self.loaded, self._loaded_at = True, time.monotonic()

    def refresh(self) -> bool:
        """Read runs that are new or live, drop those that are gone; whether anything has changed."""
        ids = [run.id for run in self._store.runs()]
        items: dict[str, Item] = {}
        for run_id in ids:
            known = self._items.get(run_id)
            items[run_id] = known if known is not None and known[1] is not Status.RUNNING else self._read(run_id)
        changed = items != self._items
        self._items = items
        return changed

    def read_again(self, run_id: str) -> None:
        """Read one run again, to which somebody has just done something."""
        items = dict(self._items)
        if self._store.run(run_id).folder.is_dir():
            items[run_id] = self._read(run_id)
        else:
            items.pop(run_id, None)
        self._items = items

    def _read(self, run_id: str) -> Item:
        run = self._store.run(run_id)
        row = run.row()
        return row, status_of(row.ended, is_alive=run.is_alive())


def standing(item: Item) -> str:
    """A run's status in a word: "waiting" where a process holds it that has not come to it yet, as one does that trains
    the runs of a group in turn. One that is continued has an end until it goes on."""
    row, status = item
    return "waiting" if status is Status.RUNNING and (row.ended or not row.started) else str(status)


def arranged(items: Sequence[Item], sort: str, wanted: str) -> list[Item]:
    """The runs that have every word of a filter somewhere, live ones first, then by the sort key, unknown ones last."""
    words = wanted.lower().split()
    found = [item for item in items if all(word in _searched(item) for word in words)]
    key, down = _KEYS[sort]
    known = [item for item in found if key(item[0]) not in (None, "")]
    unknown = [item for item in found if key(item[0]) in (None, "")]
    known.sort(key=lambda item: key(item[0]), reverse=down)
    return sorted(known + unknown, key=lambda item: _FIRST.get(standing(item), len(_FIRST)))


def stem_of(row: RunRow) -> str:
    """A run's name, without the seed that the runs of a group have at its end."""
    return name_of_group(row.name, row.seed) if row.group_id else row.name


def _descending(text: str) -> tuple[int, ...]:
    """Sorts as the text does, the other way round."""
    return tuple(-ord(character) for character in text)


def _searched(item: Item) -> str:
    row, _ = item
    tags = " ".join(f"#{tag}" for tag in row.tags)
    return f"{row.run_id} {row.name} {row.arch} {row.dataset} {standing(item)} {tags} {row.group_id or ''}".lower()


_FIRST = {"running": 0, "waiting": 1}
_KEYS: dict[str, tuple[Callable[[RunRow], Any], bool]] = {
    # Of those made within a second, as the runs of a group may be, the ids are in no order.
    "started": (lambda row: (row.run_id[:15], row.group_id or "", row.seed or 0, row.run_id), True),
    "best": (lambda row: row.best_or_final, True),
    "final": (lambda row: row.final_test_accuracy, True),
    "name": (lambda row: row.name and (stem_of(row), row.group_id or "", row.seed or 0), False),
    "group": (lambda row: row.group_id and (_descending(row.group_id), row.seed or 0), False),
    "arch": (lambda row: row.arch, False),
    "dataset": (lambda row: row.dataset, False),
    "params": (lambda row: row.total_params, False),
    "seconds": (lambda row: row.seconds, False),
}
