"""The seeds of the group that is looked at, each read by its log as far as it has come."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from experiments.runs.folder import Run
from experiments.runs.row import Status
from experiments.runs.store import Store
from tui.live.follow import Follower
from tui.live.task import BackgroundTask

LOOK = 2.0
"""Seconds between two looks for runs that have come to a group."""
POLL = 0.5
"""Seconds between two looks into the logs of the seeds beside the one that is shown."""
AT_ONCE = 0.03
"""Seconds that such a look may take; what it did not come to is read by the next ones."""


class SeedWatch:
    """`followers` are the runs of one group, by seed, those that wait for their turn too; none for a run alone. `begun`
    are those of them that have a log."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._group = ""
        self._seen: set[str] = set()
        self._reading: BackgroundTask[list[Run]] | None = None
        self._look_at = self._poll_at = -math.inf
        self._next = 0
        self.followers: list[Follower] = []
        self.begun: list[Follower] = []

    def find(self, run_id: str) -> Follower | None:
        return next((follower for follower in self.followers if follower.run.id == run_id), None)

    def place_of(self, run_id: str) -> str:
        """``2 of 3``; empty for a run that is of no group, or the only one of it."""
        ids = [follower.run.id for follower in self.followers]
        return f"{ids.index(run_id) + 1} of {len(ids)}" if run_id in ids and len(ids) > 1 else ""

    def look(self, shown: Follower | None, polled: Sequence[Follower]) -> bool:
        """Follow the group of the run that is shown; whether anything has changed. `polled` are read by the caller."""
        self._turn_to((shown.meta.group_id or "") if shown is not None else "")
        if not self._group:
            return False
        now = time.monotonic()
        changed = self._take(polled)
        if self._reading is None and now >= self._look_at:
            self._look_at = now + LOOK if self._may_grow() else math.inf
            group, seen = self._group, self._seen
            self._reading = BackgroundTask("seeds", lambda *_: _members(self._store, group, seen))
        if now >= self._poll_at:
            self._poll_at = now + POLL
            changed = self._read_on(polled, now + AT_ONCE) or changed
        return changed

    def _read_on(self, polled: Sequence[Follower], deadline: float) -> bool:
        """Read what has come into the logs, of each in turn until the deadline."""
        self.begun = [follower for follower in self.followers if follower.run.log.exists()]
        changed = False
        for _ in self.begun:
            self._next = (self._next + 1) % len(self.begun)
            follower = self.begun[self._next]
            if not any(follower is one for one in polled):
                changed = follower.poll() or changed
            if time.monotonic() > deadline:
                break
        return changed

    def _turn_to(self, group: str) -> None:
        if group != self._group:
            self._group, self._seen, self._reading, self.followers, self.begun = group, set(), None, [], []
            self._look_at = self._poll_at = -math.inf

    def _may_grow(self) -> bool:
        return not self.followers or any(follower.status is Status.RUNNING for follower in self.followers)

    def _take(self, polled: Sequence[Follower]) -> bool:
        """Take in what a reading has found, and drop the runs that are gone."""
        if self._reading is None or not self._reading.done.is_set():
            return False
        found, self._reading = self._reading.result or [], None
        known = {follower.run.id: follower for follower in (*self.followers, *polled)}
        ids = {run.id for run in found} | {follower.run.id for follower in self.followers}
        kept = [known.get(run_id) or Follower(self._store.run(run_id)) for run_id in ids]
        kept = [follower for follower in kept if not follower.deleted]
        kept.sort(key=lambda follower: (_seed(follower), follower.run.id))
        changed, self.followers = kept != self.followers, kept
        self._poll_at = -math.inf
        return changed


def _members(store: Store, group: str, seen: set[str]) -> list[Run]:
    """The runs of a group that are not among those `seen`, to which all that are there now are added. The first time
    all are read through the index; later only those that are new are opened."""
    if not seen:
        seen.update(run.id for run in store.runs())
        return [store.run(row.run_id) for row, _ in store.rows() if row.group_id == group]
    new = [run for run in store.runs() if run.id not in seen]
    seen.update(run.id for run in new)
    return [run for run in new if run.meta().group_id == group]


def _seed(follower: Follower) -> float:
    seed = follower.config.get("seed")
    return seed if isinstance(seed, int) else math.inf
