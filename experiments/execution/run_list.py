"""Trains a list of runs to their ends, through an executor, and goes on with those that an earlier process left.

Nothing is held that is not on disk: a run is known by its tags and config, so that a list that was broken off anywhere
is taken up by asking for the same list again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from core.config import TrainConfig
from core.data.task_of import task_of
from core.errors import DataError, ShouldStop
from experiments.execution.executor import Ended, Executor
from experiments.execution.fleet import Fleet
from experiments.execution.runner import Runner, portable
from experiments.runs.folder import Run, RunSpec
from experiments.runs.recipe import differing_fields
from experiments.runs.row import Status
from experiments.runs.store import Store

_ORDER = (Status.FINISHED, Status.RUNNING, Status.STOPPED, Status.CRASHED, Status.FAILED)
"""The statuses of runs, from those that have come furthest."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A run of the list is over for now; `problem` is why its log has no end, else empty."""

    spec: RunSpec
    run: Run
    problem: str = ""


def find_runs(store: Store, specs: Sequence[RunSpec]) -> list[Run | None]:
    """The run of the home for each, where there is one: one with its tags and its seed, and with a config of the same
    recipe, whatever it is called. Of several it is the one that has come furthest, and of these the first."""
    by_seed: dict[int | None, list[tuple[Status, Run, tuple[str, ...]]]] = {}
    for row, status in store.rows():
        by_seed.setdefault(row.seed, []).append((status, store.run(row.run_id), row.tags))
    found: list[Run | None] = []
    for spec in specs:
        values = _recorded(spec.config).model_dump()
        fitting = [
            (_ORDER.index(status), run.id, run)
            for status, run, tags in by_seed.get(spec.config.seed, [])
            if set(spec.meta.tags) <= set(tags) and not differing_fields([values, run.config()])
        ]
        found.append(min(fitting)[2] if fitting else None)
    return found


def _recorded(config: TrainConfig) -> TrainConfig:
    """A config as the run that is made with it has it: with the spec of a named network that its data set changes."""
    with suppress(DataError):  # there is nothing to train then, as is said to whoever wants to
        return portable(config, task_of(config.dataset))
    return config


def train_all(
    runner: Runner, executor: Executor, specs: Sequence[RunSpec], should_stop: ShouldStop
) -> Iterator[RunOutcome]:
    """Train what is not finished yet, in this order, failed runs once more; yields each run that ends.

    Raises:
        LabError: when a run cannot be made.
    """
    return _RunList(runner, executor, specs).drive(should_stop)


class _RunList(Fleet[RunOutcome]):
    """The runs of the list that have not finished."""

    def __init__(self, runner: Runner, executor: Executor, specs: Sequence[RunSpec]) -> None:
        super().__init__(executor)
        self._runner = runner
        self._wanted = specs
        self._left: list[tuple[RunSpec, Run | None]] = []
        self._specs: dict[str, RunSpec] = {}

    def prepare(self) -> None:
        pairs = zip(self._wanted, find_runs(self._runner.store, self._wanted), strict=True)
        self._left = [(spec, run) for spec, run in pairs if run is None or run.status() is not Status.FINISHED]

    def has_more(self) -> bool:
        return bool(self._left)

    def begin(self) -> Iterable[RunOutcome] | None:
        for item in self._left:
            spec, run = item
            if run is None or not run.is_alive():  # else somebody trains it, a worker of a killed process say
                self._left.remove(item)
                return self._begin(spec, run)
        return None

    def _begin(self, spec: RunSpec, run: Run | None) -> Iterator[RunOutcome]:
        if run is not None and run.status() is Status.FINISHED:  # by the process that trained it meanwhile
            yield RunOutcome(spec, run)
            return
        run = run or self._runner.create(spec.config, spec.meta, spec.files)
        self._specs[run.id] = spec
        run.forget_stop()  # who asks for the list again wants the run that somebody stopped as well
        self.train(run)

    def retry_reason(self, run: Run, ended: Ended) -> str:
        return "" if run.status() is Status.FINISHED else ended.worker_died

    def end(self, run: Run, ended: Ended) -> Iterator[RunOutcome]:
        yield RunOutcome(self._specs[run.id], run, "" if run.status() is Status.FINISHED else ended.error)

    def lose(self, run: Run, reason: str, *, is_retried: bool) -> Iterator[RunOutcome]:
        if is_retried:
            self.train(run)
        else:
            yield RunOutcome(self._specs[run.id], run, reason)
