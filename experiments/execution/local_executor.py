"""Trains runs in processes of this machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from core.advice import Action, Tip
from core.device.visible import visible_gpus
from core.errors import InvalidValue
from experiments.execution.executor import STOP_PATIENCE, Ended, Slot
from experiments.execution.spawning import signals_held_back, worker_context
from experiments.execution.worker import SHARE, STOP, TRAIN, serve
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.owner import Owner

DEATH_PATIENCE = 5.0
"""Seconds that one has to end whose pipe is closed already."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    orders: Connection
    run_id: str = ""
    cores: int = 1

    def train(self, run: Run) -> None:
        """Raises `OSError` when it is gone."""
        run.hand_over(Owner.of(self.process.pid or 0))
        self.orders.send((TRAIN, run.id))
        self.run_id = run.id

    def share(self, cores: int) -> None:
        """Say how many cores are its, where that is news."""
        if cores != self.cores:
            self.orders.send((SHARE, cores))
            self.cores = cores


class LocalExecutor:
    """Processes of this machine, one for each slot, kept for as long as the sweep lasts so that torch is imported once.

    Those that train share the cores: as runs come to an end, the others get more. Their pipe is how they hear of
    everything: a driver that is killed closes it, and they stop with a checkpoint.
    """

    def __init__(self, locations: Locations, slots: Sequence[Slot]) -> None:
        self._locations = locations
        self._workers: dict[Slot, _Worker | None] = dict.fromkeys(slots)

    def has_room(self) -> bool:
        return any(worker is None or not worker.run_id for worker in self._workers.values())

    def start(self, run: Run) -> None:
        idle = [slot for slot, worker in self._workers.items() if worker is None or not worker.run_id]
        started = [slot for slot in idle if self._workers[slot] is not None]
        slot = (started or idle)[0]
        worker = self._workers[slot] = self._workers[slot] or self._spawn(slot)
        try:
            self._share_cores(worker)
            worker.train(run)
        except OSError:  # it ended while it had nothing to do
            _end([worker], DEATH_PATIENCE)
            worker = self._workers[slot] = self._spawn(slot)
            self._share_cores(worker)
            worker.train(run)

    def wait(self, seconds: float) -> list[Ended]:
        busy = [(slot, worker) for slot, worker in self._workers.items() if worker is not None and worker.run_id]
        ready = set(wait([worker.orders for _, worker in busy], seconds))
        ended = []
        for slot, worker in busy:
            if worker.orders not in ready:
                continue
            run_id, worker.run_id = worker.run_id, ""
            try:
                ended.append(Ended(run_id, error=worker.orders.recv()))
            except (EOFError, OSError):
                self._workers[slot] = None
                _end([worker], DEATH_PATIENCE)
                ended.append(Ended(run_id, worker_died=_cause(worker.process)))
        if ended:
            self._share_cores()
        return ended

    def stop(self, reason: str) -> None:
        for worker in self._workers.values():
            if worker is not None and worker.run_id:
                try:
                    worker.orders.send((STOP, reason))
                except OSError:  # it is dead, as `wait` will tell
                    continue

    def close(self) -> None:
        _end([worker for worker in self._workers.values() if worker is not None], STOP_PATIENCE)
        self._workers = dict.fromkeys(self._workers)

    def _share_cores(self, beginning: _Worker | None = None) -> None:
        """Let those that train, and the one that is about to, use as many cores each."""
        present = [worker for worker in self._workers.values() if worker is not None]
        busy = [worker for worker in present if worker.run_id or worker is beginning]
        for worker in busy:
            with suppress(OSError):  # it is dead, as `wait` will tell
                worker.share(min(most_threads_each(), max(1, _cores() // len(busy))))

    def _spawn(self, slot: Slot) -> _Worker:
        context = worker_context()
        mine, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._locations, slot), name=f"worker {slot.number}")
        process.daemon = True
        with signals_held_back():
            process.start()
        theirs.close()
        return _Worker(process, mine)


def _end(workers: Sequence[_Worker], patience: float) -> None:
    """Close their pipes, which they take for the end, and kill those that have not ended within so many seconds."""
    for worker in workers:
        worker.orders.close()
    deadline = time.monotonic() + patience
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
    for worker in workers:
        worker.process.kill()
        worker.process.join()


def local_slots(device: str, jobs: int | None, gpus_per_trial: float | None) -> list[Slot]:
    """The slots of this machine: one for each GPU, or for each share of one, else one for each processor core.

    torch has one thread in every worker, so that results are the same however many there are.

    Raises:
        InvalidValue: for shares that a single machine's trials cannot have.
    """
    gpus = visible_gpus(device)
    if gpus_per_trial is not None and not (gpus and 0 < gpus_per_trial <= 1):
        allowed = "must be above 0 and at most 1" if gpus else f"there is no GPU to share here (device {device})"
        raise InvalidValue("gpus_per_trial", gpus_per_trial, allowed, hint=Tip(Action.LEAVE_OUT, "gpus_per_trial"))
    if gpus:
        jobs = jobs or len(gpus) * int(1 / (gpus_per_trial or 1) + 1e-9)
    elif device == "mps":
        jobs = jobs or 1
    return [Slot(number, gpus[number % len(gpus)] if gpus else "") for number in range(jobs or _cores())]


def _cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_threads_each() -> int:
    """The most threads of a process, as the user has set OMP_NUM_THREADS; else as many as there are cores."""
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(given) if given.isdecimal() and int(given) else _cores()


def _cause(process: BaseProcess) -> str:
    """In words, why a worker is gone."""
    code = process.exitcode
    if code is None or code >= 0:
        return f"worker process {process.pid} ended by itself (exit code {code})"
    return f"worker process {process.pid} was killed by {signal.Signals(-code).name}"
