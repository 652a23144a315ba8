"""The studies of the home as the interface sees them, read on a thread and never more often than is cheap."""

from __future__ import annotations

import math
import operator
import time
from pathlib import Path

from experiments.studies.list import StudyEntry, StudyList
from tui.live.task import BackgroundTask

LOOK = 1.0
"""Seconds between two readings at least."""
SHARE = 20
"""A reading that takes long is given so many times its own time."""


class StudyWatch:
    """`look` is called again and again by the screen that is shown; `entries` is what was found last."""

    def __init__(self, home: Path) -> None:
        self._list = StudyList(home)
        self._reading: BackgroundTask[tuple[list[StudyEntry], float]] | None = None
        self._next = -math.inf
        self.entries: list[StudyEntry] = []
        self.loaded = False
        self.trouble = ""

    def look(self) -> bool:
        """Take in what a reading has found, and begin another when it is due; whether something has changed."""
        changed, now = False, time.monotonic()
        if self._reading is not None and self._reading.done.is_set():
            changed = self._take_in(self._reading)
            self._reading = None
        if self._reading is None and now >= self._next:
            self._next = now + LOOK
            self._reading = BackgroundTask("studies", lambda *_: self._read())
        return changed

    def hurry(self) -> None:
        """Read again at the next look: something was done to a study."""
        self._next = -math.inf

    def entry(self, name: str) -> StudyEntry | None:
        return next((entry for entry in self.entries if entry.name == name), None)

    def _read(self) -> tuple[list[StudyEntry], float]:
        started = time.thread_time()
        return self._list.refresh(), time.thread_time() - started

    def _take_in(self, reading: BackgroundTask[tuple[list[StudyEntry], float]]) -> bool:
        before, trouble = self.entries, self.trouble
        self.trouble = reading.problem()
        if reading.result is not None:
            self.entries, cost = reading.result
            self._next = max(self._next, time.monotonic() + SHARE * cost)
        first, self.loaded = not self.loaded, True
        same = len(before) == len(self.entries) and all(map(operator.is_, before, self.entries))
        return first or not same or trouble != self.trouble
