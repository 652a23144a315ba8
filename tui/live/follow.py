"""Follow one run by its event log: the only thing the interface reads, whoever trains."""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from core.errors import RunError
from core.events import CheckpointSaved, EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Meta, Run
from experiments.runs.reserve import kept_end
from experiments.runs.row import Status, ended_as, status_of
from experiments.runs.view import RunView, reduce
from tui.live.forms.advice import for_interface
from tui.text.output import duration, percent
from tui.text.progress import epoch_line, why_ended, with_views
from tui.text.wording import arch_in_short, stopped_in_words, what_failed

CHUNK = 1500
"""Entries taken in at a time, so that a long log does not hold up the keyboard."""
LOOK = 1.0
"""Seconds between two looks at whether the folder and the process are still there."""
LOG_LINES = 1000
READING = "reading"
"""The standing of a run while no process trains it and its log has not been read to the end."""


@dataclass(slots=True)
class StepLosses:
    """Loss by step over the whole run: steps counted from 1 through all epochs, NaN where a loss was not finite."""

    steps: array[float] = field(default_factory=lambda: array("d"))
    losses: array[float] = field(default_factory=lambda: array("d"))

    def add(self, progress: StepProgress) -> None:
        step = (progress.epoch - 1) * progress.steps_per_epoch + progress.step
        while self.steps and self.steps[-1] >= step:  # the run was resumed from an earlier checkpoint
            self.steps.pop()
            self.losses.pop()
        self.steps.append(step)
        self.losses.append(float("nan") if progress.loss is None else progress.loss)


class Follower:
    """One run as read so far. `poll` takes in new entries; `version` grows whenever anything has changed.

    `status` is RUNNING until the log has been read to its end, as the end of the run is there. `unreadable` says why
    the log cannot be read, where it cannot.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.version = 0
        self.meta = Meta()
        self.status = Status.RUNNING
        self.deleted = False
        self._looked = 0.0
        self._is_alive = False
        self._stored: Mapping[str, Any] = {}
        self._restart()
        self._look()

    def _restart(self) -> None:
        self._reader = EventReader(self.run.log)
        self._size = 0
        self._is_behind = True
        self.unreadable: RunError | None = None
        self.view = RunView()
        self.by_step = StepLosses()
        self.log: deque[tuple[str, str]] = deque(maxlen=LOG_LINES)

    @property
    def title(self) -> str:
        """The run's name, or its network where it has none."""
        return self.meta.name or arch_in_short(str(self.config.get("arch") or self.run.id))

    @property
    def config(self) -> Mapping[str, Any]:
        """The run's config: as its log says it, before that as it lies in its folder."""
        return self.view.config or self._stored

    @property
    def damaged(self) -> int:
        """Number of lines of the log that could not be read."""
        return self._reader.damaged

    @property
    def standing(self) -> str:
        """The run's status in a word."""
        if self.deleted:
            return "deleted"
        return READING if self._is_behind and not self._is_alive else str(self.status)

    def finish(self) -> None:
        """Take in all new entries at once, and the run's status."""
        while self.poll():
            pass
        self._look()

    def poll(self) -> bool:
        """Take in some of the new entries; True when anything has changed."""
        before, damaged, ended = self.version, self.damaged, self.view.end
        if time.monotonic() - self._looked >= LOOK:
            self._look()
        was_behind = self._is_behind
        count = 0 if self._was_cut() else self._read_on()
        self._is_behind = count == CHUNK
        if count or self.damaged != damaged or self._is_behind != was_behind:
            self.version += 1
        if self.view.end is not ended or was_behind:
            self._update_status()
        return self.version != before

    def _read_on(self) -> int:
        """Take in the next entries, and say how many; a log that cannot be read has none."""
        count, was_unreadable, self.unreadable = 0, self.unreadable, None
        try:
            for entry in islice(self._reader.poll(), CHUNK):
                self._take(entry)
                count += 1
        except RunError as error:
            self.unreadable = error
        self.version += (self.unreadable is None) != (was_unreadable is None)
        return count

    def _was_cut(self) -> bool:
        """Whether the log has become shorter; it is then read again from its start."""
        try:
            size = self.run.log.stat().st_size
        except OSError:
            return True
        cut, self._size = size < self._size, size
        if cut:
            self._restart()
            self.log.append(("", "the event log was cut short by something else; read again from its start"))
            self.version += 1
        return False

    def _look(self) -> None:
        """Look at the folder and the process, which costs more than reading the log."""
        self._looked = time.monotonic()
        deleted = not self.run.folder.is_dir()
        meta = self.meta if deleted else self.run.meta()
        if not self.view.config and not deleted:
            self._stored = self.run.config()
        if (deleted, meta) != (self.deleted, self.meta):
            self.deleted, self.meta = deleted, meta
            self.version += 1
        self._update_status()

    def _update_status(self) -> None:
        self._is_alive = is_alive = self.run.is_alive()
        if self._is_behind and not is_alive:
            return
        if not is_alive and self.view.end is None and (end := kept_end(self.run.reserve)) is not None:
            self._take(end)
        status = status_of(ended_as(self.view.end), is_alive=is_alive)
        if status is not self.status:
            self.status = status
            self.version += 1

    def _take(self, entry: Entry) -> None:
        self.view = reduce(self.view, entry)
        if isinstance(entry.event, StepProgress):
            self.by_step.add(entry.event)
        elif line := _in_words(self.view, entry):
            self.log.append((entry.time[11:19], line))


def _in_words(view: RunView, entry: Entry) -> str:
    match entry.event:
        case RunStarted() as event:
            images = f"{event.train_images:,} training images"
            note = f"; {event.note}" if event.note else ""
            return f"started on {event.device}: {event.dataset}, {images}, {event.steps_per_epoch} steps an epoch{note}"
        case EpochFinished() as event:
            return f"epoch {event.epoch}: {epoch_line(view, event)}, {duration(event.seconds)}"
        case CheckpointSaved() as event if view.started and event.step < view.started.steps_per_epoch:
            return f"checkpoint at epoch {event.epoch}, step {event.step}: {event.file}"
        case RunFinished() as event:
            finished = f"finished {why_ended(view)}".rstrip()
            final = f"final {percent(event.final_test_accuracy)} after {duration(event.seconds)}"
            return f"{finished}: {final}{with_views(view, event)}"
        case RunStopped() as event:
            return stopped_in_words(event)
        case RunFailed() as event:
            return f"failed in epoch {event.epoch}: {what_failed(event)}. {for_interface(event.advice)}"
        case _:
            return ""
