"""The heartbeat of runs in training, and requests to stop from other processes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from core.advice import Action, Advice, Tip
from core.errors import InvalidValue, LabError, ShouldStop, StorageError
from core.events import RunFailed, RunStopped
from experiments.runs.eventlog import Entry
from experiments.runs.folder import Run
from experiments.runs.owner import BEAT_INTERVAL
from experiments.runs.reserve import keep_end
from experiments.runs.view import RunView

LOOK_INTERVAL = 0.25
"""Seconds between two looks for a request to stop."""
WAITING_INTERVAL = 1.0
"""Seconds between two looks for requests to stop runs that wait, of which there may be thousands."""
REQUESTED = "stop"
"""The reason given when somebody else asked, with `Run.ask_to_stop`."""
ABANDONED = "the process that gave it out was killed"
"""The reason given by a run whose driver is gone."""


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
    """A `ShouldStop` for a process that trains several runs in turn: beats the hearts of those that wait, too, and ends
    the waiting of one that somebody stops. `given_up` are the ids of these, `stopped` has the ends of those among them
    that had none from before."""

    def __init__(self, waiting: Iterable[Run], should_stop: ShouldStop) -> None:
        self._waiting = {run.id: run for run in waiting}
        self._should_stop = should_stop
        self._next_beat = self._next_look = time.monotonic()
        self.given_up: set[str] = set()
        self.stopped: dict[str, Entry] = {}

    def wait(self, run: Run) -> None:
        """Keep the place of one more run."""
        self._waiting[run.id] = run

    def begin(self, run: Run) -> bool:
        """It is a run's turn; whether it still waits for that."""
        if run.id in self._waiting:
            self._look()
        return self._waiting.pop(run.id, None) is not None

    def stop_all(self, reason: str) -> Iterator[Entry]:
        """End the waiting of all, for this reason."""
        while self._waiting:
            _, run = self._waiting.popitem()
            if (entry := stop_waiting(run, reason)) is not None:
                yield entry

    def __call__(self) -> str:
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_INTERVAL
            for run in self._waiting.values():
                run.beat()
        if now >= self._next_look:
            self._next_look = now + WAITING_INTERVAL
            self._look()
        return self._should_stop()

    def _look(self) -> None:
        for run in [run for run in self._waiting.values() if run.wants_stop()]:
            del self._waiting[run.id]
            self.given_up.add(run.id)
            if (entry := stop_waiting(run, REQUESTED)) is not None:
                self.stopped[run.id] = entry


def stop_waiting(run: Run, reason: str) -> Entry | None:
    """Give up the place of a run that this process owns and has not come to: it is stopped then, and can be gone on
    with as any. Returns its end; None for a run that has had one from before, and where that cannot be written."""
    entry = None
    with suppress(LabError, OSError), run.open_log() as log:
        if run.view().end is None:
            entry = log.append(RunStopped(epoch=0, reason=reason))
    run.release()
    return entry


def lost(run: Run, view: RunView, reason: str) -> Entry:
    """Write down that a run has failed, in the place of its process, which is gone; what cannot be written is still
    returned. `view` is what its log says so far."""
    advice = Advice(Tip(Action.RESUME, run.id), " tries again")
    event = RunFailed(epoch=view.epochs_done, error=reason, advice=advice)
    try:
        with run.open_log() as log:
            keep_end(run.reserve, run.id, event)
            entry = log.append(event)
            run.release_reserve()
    except (InvalidValue, StorageError):
        return Entry("", run.id, event)
    run.release()
    return entry
