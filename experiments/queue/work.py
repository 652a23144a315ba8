"""Works off the line of a home: one process does, for as long as there is something in it.

It trains nothing itself. When the machine has room it starts a process for the first entry, which owns its runs from
then on, so that whatever becomes of this one, nothing is trained twice: who takes its place sees them live.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.device.visible import visible_gpus
from core.errors import LabError, ShouldStop
from core.events import RunFailed, RunFinished, RunStopped
from experiments.execution.supervision import ABANDONED, KeepingPlaces
from experiments.queue.line import Queue, QueueEntry
from experiments.runs.folder import Run
from experiments.runs.owner import Owner, is_locked
from experiments.runs.store import Store

POLL = 1.0
"""Seconds between two looks at the line."""
MAX_STARTS = 3
"""Processes that an entry may lose before it is given up; its runs stay, to be gone on with."""
UNASKED = ("SIGINT", "SIGTERM", "SIGHUP", "abandoned", ABANDONED)
"""Ends of a run that nobody asked for by name: the machine was shut down, say. Its turn is not over."""

_log = logging.getLogger(__name__)

Begin = Callable[[QueueEntry, Sequence[Run]], object]
"""Starts a process that trains these runs of an entry, and owns them before this returns."""


def gpus_for(config: Mapping[str, Any]) -> Sequence[str]:
    """The GPUs among which a run with this config may be given one, as CUDA_VISIBLE_DEVICES names them."""
    return visible_gpus(str(config.get("device")))


class Drain:
    """One job at a time, and on a machine with several GPUs one on each. A job that was not in line counts, too."""

    def __init__(
        self, queue: Queue, begin: Begin, gpus: Callable[[Mapping[str, Any]], Sequence[str]] = gpus_for
    ) -> None:
        self._queue, self._begin, self._gpus = queue, begin, gpus
        self._store = Store(queue.folder.parent)
        self._me = Owner.this_process()
        self._others: Sequence[Run] = ()

    def run(self, should_stop: ShouldStop) -> None:
        """Work until nothing is in line, or until there is a reason to stop: those who wait go on waiting then.

        Raises:
            InvalidValue: while another process does so.
            StorageError: when the line cannot be written, or no process can be started.
        """
        with self._queue.held():
            while not should_stop() and self.step():
                time.sleep(POLL)

    def step(self) -> bool:
        """Look at all entries once, and begin the first that there is room for; whether there are any."""
        with self._queue.changing():
            entries = self._queue.entries()
            working = [entry for entry in entries if self._queue.is_at_work(entry)]
            waiting = [(entry, left) for entry in entries if entry not in working and (left := self._left(entry))]
            if not working and not waiting:
                self._queue.disown()  # with the line locked: who comes now finds nobody, and starts another process
                return False
            given_up = [self._end_waiting(entry, left) for entry, left in waiting]
            if any(given_up):
                return True  # to be looked at again, as they are now
            if waiting and (gpu := self._room_now(waiting[0][1][0], working)) is not None:
                entry, left = waiting[0]
                self._queue.write(replace(entry, starts=entry.starts + 1, gpu=gpu))
                self._begin(replace(entry, gpu=gpu), left)
        return True

    def _left(self, entry: QueueEntry) -> list[Run]:
        """The runs of an entry that are still to be trained; without any the entry is over."""
        left = [run for run in self._queue.runs(entry) if is_open(entry, run)]
        if left and entry.starts >= MAX_STARTS:
            _log.warning("%s was given up: its processes ended %d times", " ".join(entry.runs), MAX_STARTS)
            left = []
        if not left:
            self._queue.remove(entry)
            for run in self._queue.runs(entry):
                if run.is_owned_here():
                    run.release()
        return left

    def _end_waiting(self, entry: QueueEntry, runs: Sequence[Run]) -> bool:
        """Show of runs that wait that this process sees to them, and end the waiting of those that somebody stops;
        whether there are any."""
        for run in runs:
            is_free = not entry.starts and not run.is_owned_here() and not is_locked(run.lock_file)
            if is_free or not run.is_alive():  # free of who has put it in line, which may live on
                run.hand_over(self._me)
        places = KeepingPlaces([run for run in runs if run.is_owned_here()], lambda: "")
        places()
        if places.given_up:
            left = tuple(run_id for run_id in entry.runs if run_id not in places.given_up)
            self._queue.write(replace(entry, runs=left))
        return bool(places.given_up)

    def _room_now(self, run: Run, working: Sequence[QueueEntry]) -> str | None:
        """The GPU for the next job, empty where it takes what it finds; None while there is no room for one.

        A home may have very many runs. All of them are looked at only when those that were at work leave room.
        """
        if self._room(run, working) is None:
            return None
        self._others = [run for run in self._store.owned() if run.is_alive()]
        return self._room(run, working)

    def _room(self, run: Run, working: Sequence[QueueEntry]) -> str | None:
        jobs = _jobs_of(self._others, self._queue.entries())
        if not working and not jobs:
            return ""
        gpus = self._gpus(run.config())
        taken = {entry.gpu for entry in working} | ({""} if jobs else set())
        if "" in taken:  # who takes what it finds has the first
            taken |= {*gpus[:1]}
        free = [gpu for gpu in gpus if gpu not in taken]
        return free[0] if free and len(working) + len(jobs) < len(gpus) else None


def jobs_at_work(store: Store, entries: Sequence[QueueEntry]) -> set[str]:
    """The jobs of this machine that are trained now, but for those of these entries: a group, a sweep or a run each."""
    return _jobs_of(store.owned(), entries)


def _jobs_of(runs: Sequence[Run], entries: Sequence[QueueEntry]) -> set[str]:
    in_line = {run_id for entry in entries for run_id in entry.runs}
    jobs = set()
    for run in runs:
        if run.id in in_line or (owner := run.owner()) is None:
            continue
        if owner.host == socket.gethostname() and run.is_alive():
            meta = run.meta()
            studies = [tag for tag in meta.tags if tag.startswith("study:")]
            jobs.add(meta.group_id or (studies[0] if studies else run.id))
    return jobs


def is_open(entry: QueueEntry, run: Run) -> bool:
    """Whether a run of an entry has still to be trained, by its log."""
    try:
        view = run.view()
    except LabError:
        return False  # a log that cannot be read is for whoever looks at the run
    if not entry.has_gone_on(run.id, view.updated_at):
        return True
    match view.end:
        case RunFinished() | RunFailed():
            return False
        case RunStopped(reason=reason):
            return reason in UNASKED
        case None:
            return True
