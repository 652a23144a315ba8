"""The studies of the home as the interface sees them, read on a thread and never more often than is cheap."""

from __future__ import annotations

import math
import operator
import time
from pathlib import Path

from experiments.studies.list import StudyEntry, StudyList, study_folders
from tui.live.task import BackgroundTask

LOOK = 1.0
"""Seconds between two readings at least."""
LOOK_FOR_DRIVEN = 3.0
"""Seconds between two looks whether one is driven, while no screen shows them."""
SHARE = 20
"""A reading that takes long is given so many times its own time."""


class StudyWatch:
    """`look` is called again and again by the screen that is shown, `look_at_driven` by the app; `entries` is what was
    found last, and `changes` counts how often that was new."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._is_driven = False
        self._next_driven = -math.inf
        self.changes = 0
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

    def look_at_driven(self) -> None:
        """As `look`, while a study is driven, and until its end has been seen. Another home is read no further than to
        know that none is: to read a study takes Optuna, which nobody may want."""
        now = time.monotonic()
        if now >= self._next_driven:
            self._next_driven = now + LOOK_FOR_DRIVEN
            self._is_driven = any(folder.is_alive() for folder in study_folders(self._home))
        if self._is_driven or self._reading is not None or any(entry.is_driven for entry in self.entries):
            self.look()

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
        changed = first or not same or trouble != self.trouble
        self.changes += changed
        return changed
