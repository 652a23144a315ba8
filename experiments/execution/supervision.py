"""The heartbeat of runs in training, and requests to stop from other processes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from core.errors import ShouldStop
from experiments.runs.folder import Run
from experiments.runs.owner import BEAT_INTERVAL

LOOK_INTERVAL = 0.25
"""Seconds between two looks for a request to stop."""
REQUESTED = "stop"
"""The reason given when somebody else asked, with `Run.ask_to_stop`."""


class Supervision:
    """A `ShouldStop` for the process that trains a run: beats its heart, and hears requests of other processes, too."""

    def __init__(self, run: Run, should_stop: ShouldStop) -> None:
        self._run = run
        self._should_stop = should_stop
        self._next_look = self._next_beat = time.monotonic()

    def __call__(self) -> str:
        if reason := self._should_stop():
            return reason
        now = time.monotonic()
        if now >= self._next_beat:
            self._run.beat()
            self._next_beat = now + BEAT_INTERVAL
        if now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            if self._run.wants_stop():
                return REQUESTED
        return ""


class KeepingPlaces:
    """A `ShouldStop` for a process that trains several runs in turn: beats the hearts of those that wait, too."""

    def __init__(self, waiting: Sequence[Run], should_stop: ShouldStop) -> None:
        self._waiting = waiting
        self._should_stop = should_stop
        self._next_beat = time.monotonic()

    def __call__(self) -> str:
        if (now := time.monotonic()) >= self._next_beat:
            self._next_beat = now + BEAT_INTERVAL
            for run in self._waiting:
                run.beat()
        return self._should_stop()
