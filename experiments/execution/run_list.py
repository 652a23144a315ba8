"""Trains a list of runs to their ends, through an executor, and goes on with those that an earlier process left.

Nothing is held that is not on disk: a run is known by its tags and config, so that a list that was broken off anywhere
is taken up by asking for the same list again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import ShouldStop
from experiments.execution.executor import MAX_DEATHS, POLL, STOP_PATIENCE, Executor
from experiments.execution.runner import Runner
from experiments.runs.folder import Run, RunSpec
from experiments.runs.recipe import differing_fields
from experiments.runs.row import Status
from experiments.runs.store import Store

_ORDER = (Status.FINISHED, Status.RUNNING, Status.STOPPED, Status.CRASHED, Status.FAILED)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A run of the list has come to an end; `problem` is why it has none of its own, else empty."""

    wanted: RunSpec
    run: Run
    problem: str = ""


def find_wanted(store: Store, wanted: Sequence[RunSpec]) -> list[Run | None]:
    """The run of the home for each, where there is one: one that has its tags and seed and a config of the same recipe,
    whatever it is called. Of several it is the one that has come furthest, and of those the first."""
    by_seed: dict[int | None, list[tuple[Status, Run, tuple[str, ...]]]] = {}
    for row, status in store.rows():
        by_seed.setdefault(row.seed, []).append((status, store.run(row.run_id), row.tags))
    found: list[Run | None] = []
    for one in wanted:
        values = one.config.model_dump()
        fitting = [
            (_ORDER.index(status), run.id, run)
            for status, run, tags in by_seed.get(one.config.seed, [])
            if set(one.meta.tags) <= set(tags) and not differing_fields([values, run.config()])
        ]
        found.append(min(fitting)[2] if fitting else None)
    return found


def train_all(
    runner: Runner, executor: Executor, wanted: Sequence[RunSpec], should_stop: ShouldStop
) -> Iterator[RunOutcome]:
    """Train what is not finished yet, in this order, failed runs once more; yields each run that ends.

    Raises:
        LabError: when a run cannot be made.
    """
    pairs = zip(wanted, find_wanted(runner.store, wanted), strict=True)
    left = [(one, run) for one, run in pairs if run is None or run.status() is not Status.FINISHED]
    active: dict[str, RunSpec] = {}
    deaths: dict[str, int] = {}
    reason, deadline = "", math.inf
    try:
        while (active or (left and not reason)) and time.monotonic() < deadline:
            if not reason and (reason := should_stop()):
                executor.stop(reason)
                deadline = time.monotonic() + STOP_PATIENCE
            while not reason and executor.has_room() and (item := _next(left)) is not None:
                one, run = item
                if run is not None and run.status() is Status.FINISHED:  # by the process that trained it meanwhile
                    yield RunOutcome(one, run)
                    continue
                run = run or runner.create(one.config, one.meta)
                active[run.id] = one
                run.forget_stop()  # who asks for the list again wants the run that somebody stopped as well
                executor.start(run)
            for ended in executor.wait(POLL):
                run = runner.store.run(ended.run_id)
                deaths[run.id] = deaths.get(run.id, 0) + bool(ended.worker_died)
                problem = "" if run.status() is Status.FINISHED else ended.error or ended.worker_died
                if problem and ended.worker_died and not reason and deaths[run.id] < MAX_DEATHS:
                    executor.start(run)
                else:
                    yield RunOutcome(active.pop(run.id), run, problem)
    finally:
        executor.close()


def _next(left: list[tuple[RunSpec, Run | None]]) -> tuple[RunSpec, Run | None] | None:
    """Take the first that nobody trains at the moment, a worker of a killed process say, which is still saving."""
    for item in left:
        if item[1] is None or not item[1].is_alive():
            left.remove(item)
            return item
    return None
