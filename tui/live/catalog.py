"""All runs of the home, kept up to date without reading again what cannot have changed."""

from __future__ import annotations

import math
import time

from experiments.results.filters.fields import Listed
from experiments.runs.index import SETTLED
from experiments.runs.row import Status, status_of
from experiments.runs.store import Store
from tui.live.machine import spare_the_collector

SCAN, SHARE = 0.05, 20
"""A look at all folders that takes more than `SCAN` seconds is made for at most one part in `SHARE` of the time."""

MANY = 10_000
"""Runs through whose rows Python's collector takes long enough to be felt."""


class Catalog:
    """A snapshot of the runs. `refresh` reads files and may be called on any thread, one at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._items: dict[str, Listed] = {}
        self._stamps: dict[str, int] = {}
        self._scan_at = -math.inf
        self.loaded = self.loading = False

    @property
    def items(self) -> list[Listed]:
        return list(self._items.values())

    def load(self) -> None:
        """Read every run, through the store's index."""
        self.loading = True
        try:
            self._load()
        finally:
            self.loading = False

    def _load(self) -> None:
        stamps = self._store.stamps()
        items = {row.run_id: (row, status) for row, status in self._store.rows()}
        self._items, self._stamps, self.loaded = items, _settled(stamps), True
        if len(items) > MANY:
            spare_the_collector()

    def refresh(self) -> bool:
        """Read runs that are new, live, or changed by anybody, drop those that are gone; whether anything is other than
        before. A name, tags, notes and the process that trains a run are files that are replaced, which changes the
        time of its folder. Where there are very many folders, these are looked at less often, and live runs always."""
        began = time.monotonic()
        if began < self._scan_at:
            return self.read_again(*[run_id for run_id, (_, status) in self._items.items() if status is Status.RUNNING])
        stamps = self._store.stamps()
        items: dict[str, Listed] = {}
        for run_id, stamp in stamps.items():
            known = self._items.get(run_id)
            if known is None or known[1] is Status.RUNNING or self._stamps.get(run_id) != stamp:
                read = self._read(run_id)
                known = known if read == known else read
            items[run_id] = known
        changed = items != self._items
        self._items, self._stamps = items, _settled(stamps)
        now = time.monotonic()
        self._scan_at = now + SHARE * (now - began) if now - began > SCAN else -math.inf
        return changed

    def read_again(self, *run_ids: str) -> bool:
        """Read runs again, to which somebody may have done something; whether anything is other than before."""
        items = dict(self._items)
        for run_id in run_ids:
            if not self._store.run(run_id).folder.is_dir():
                items.pop(run_id, None)
            elif (read := self._read(run_id)) != items.get(run_id):
                items[run_id] = read
        changed = items != self._items
        self._items = items
        return changed

    def _read(self, run_id: str) -> Listed:
        run = self._store.run(run_id)
        row = run.row()
        return row, status_of(row.ended, is_alive=run.is_alive())


def _settled(stamps: dict[str, int]) -> dict[str, int]:
    """The stamps that another change is sure to make others of; the runs of all others are read once more."""
    now = time.time_ns()
    return {run_id: stamp for run_id, stamp in stamps.items() if abs(now - stamp) > SETTLED}
