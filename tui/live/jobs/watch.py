"""The line of runs as the interface sees it, read on a thread; and the care that somebody works it off."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import RunError
from experiments.locations import Locations
from experiments.queue.line import Queue, QueueEntry
from experiments.queue.work import jobs_at_work
from experiments.runs.folder import Run
from experiments.runs.store import Store
from tui.live.session import Session
from tui.live.task import BackgroundTask
from tui.text.output import counted
from tui.text.wording import arch_in_short

LineChange = tuple[Callable[[Queue], object], Callable[[str], None]]
"""What is done to the line, and who is told why it could not be."""
LOOK = 1.0
"""Seconds between two readings."""
SHARE = 50
"""Reading takes at most one part in so many of the time."""


@dataclass(frozen=True, slots=True)
class InLine:
    """An entry with what a person wants to know of it."""

    entry: QueueEntry
    title: str
    what: str
    at_work: bool

    @property
    def asked_by(self) -> str:
        return f"{self.entry.user}, {self.entry.by}"


def read_line(locations: Locations) -> list[InLine]:
    """All that is in line, the next first."""
    queue, found = Queue.of(locations.home), []
    for entry in queue.entries():
        if not (runs := queue.runs(entry)):
            continue
        config, meta = runs[0].config(), runs[0].meta()
        seeds = f"{len(runs)} seeds" if len(runs) > 1 else f"seed {config.get('seed', '-')}"
        arch, count = arch_in_short(str(config.get("arch", "?"))), config.get("epochs")
        epochs = counted(count, "epoch") if isinstance(count, int) else "? epochs"
        what = f"{arch} on {config.get('dataset', '?')}, {epochs}, {seeds}"
        found.append(InLine(entry, meta.name or meta.group_id or runs[0].id, what, queue.is_at_work(entry)))
    return found


class LineWatch:
    """`look` is called again and again; `entries` is what was found last, or will be once it is changed as asked.

    A line that nobody works off gets a process that does. Not while a run of the interface's own is still prepared: it
    came first, and has no folder yet by which that process would know of it.
    """

    def __init__(self, locations: Locations, session: Session) -> None:
        self._locations, self._session = locations, session
        self._reading: BackgroundTask[list[InLine]] | None = None
        self._next = -math.inf
        self._changes: deque[LineChange] = deque()
        self._changing: BackgroundTask[object] | None = None
        self._jobs = 0
        self.entries: list[InLine] = []
        self.trouble = ""
        self.counts_jobs = False
        """Whether somebody wants to know of the jobs that are trained and were not in line: every run has to be looked
        at for that."""

    @property
    def waiting(self) -> int:
        """The number of entries whose turn has not come."""
        return sum(not found.at_work for found in self.entries)

    @property
    def ahead(self) -> int:
        """The number of jobs, in training or in line, behind which one that is started now waits."""
        return max(self._jobs, int(self._session.live)) + len(self.entries)

    def look(self) -> bool:
        """Take in what a reading has found, and begin another when it is due; whether anything has changed."""
        before, now = (self.entries, self.trouble), time.monotonic()
        if self._changes and not self._go_on_changing():
            return False
        if self._reading is not None and self._reading.done.is_set():
            self.trouble = self._reading.problem()
            self.entries = self._reading.result if self._reading.result is not None else self.entries
            self._reading = None
        if self._reading is None and now >= self._next:
            self._next = now + LOOK
            self._reading = BackgroundTask("line", lambda *_: self._read())
        return before != (self.entries, self.trouble)

    def move(self, found: InLine, by: int, refused: Callable[[str], None]) -> int:
        """Move an entry by some places and return the one that it has then, from 0; `refused` is told why it has stayed
        where it was, if it does."""
        others = [entry for entry in self.entries if entry is not found]
        place = min(max(self.entries.index(found) + by, 0), len(others))
        if self.entries.index(found) != place:
            self.entries = [*others[:place], found, *others[place:]]
            self._changes.append((lambda queue: queue.move(found.entry.id, place + 1), refused))
        return place

    def drop(self, found: InLine, refused: Callable[[str], None]) -> None:
        """Take an entry out of line; `refused` as in `move`."""
        self._changes.append((lambda queue: queue.drop(found.entry.id), refused))

    def _go_on_changing(self) -> bool:
        """Make the next change that was asked for, on a thread, as another process may have the line locked; whether
        all are made. What is read meanwhile may not have them yet, and does not count."""
        self._reading = None
        change, refused = self._changes[0]
        if self._changing is None:
            self._changing = BackgroundTask("change line", lambda *_: change(Queue.of(self._locations.home)))
        if not self._changing.done.is_set():
            return False
        problem, self._changing = self._changing.problem(), None
        self._changes.popleft()
        self.hurry()
        if problem:
            refused(problem)
        return not self._changes

    def hurry(self) -> None:
        """Read again at the next look: something was done to the line."""
        self._next = -math.inf

    def _read(self) -> list[InLine]:
        started, found = time.monotonic(), read_line(self._locations)
        if self.counts_jobs:
            self._jobs = len(jobs_at_work(Store(self._locations.home), [each.entry for each in found]))
        self._next += SHARE * (time.monotonic() - started)
        if found and not (self._session.live and self._session.stage):
            from tui.live.jobs.line import see_to_the_line

            see_to_the_line(self._locations)
        return found


def live_elsewhere(store: Store) -> list[str]:
    """The runs that other processes train now, the newest first; those that wait for their turn are not among them."""
    live = (run for run in store.owned() if run.log.exists())
    return [run.id for run in live if not run.is_owned_here() and run.is_alive() and not _has_ended(run)]


def _has_ended(run: Run) -> bool:
    """Whether a run's log has its end, or cannot be read."""
    try:
        return run.view().end is not None
    except RunError:
        return True
