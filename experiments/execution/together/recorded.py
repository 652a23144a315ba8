"""Runs that belong together, recorded before the first of them is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.data.task_of import task_of
from core.dataset_names import is_own
from core.errors import LabError, Stopped
from core.events import EndEvent
from core.models.network import summarize_config
from core.models.spec import is_user_module
from experiments.execution.apart import examine
from experiments.execution.runner import Runner
from experiments.execution.supervision import KeepingPlaces, lost
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run, RunSpec
from experiments.runs.source import add_source


@dataclass(frozen=True, slots=True)
class ResumedRun:
    """A run to go on with. `arch` names a user's own module once more, as a consent to run its code; `epochs` is the
    new number of epochs in all, and `no_budget` lifts the run's limits."""

    run: Run
    arch: str | None = None
    epochs: int | None = None
    no_budget: bool = False

    @property
    def how(self) -> dict[str, Any]:
        """The options of `Runner.resume`."""
        return {"arch": self.arch, "epochs": self.epochs, "no_budget": self.no_budget}


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A new run whose folder is there already, and waits for its turn."""

    run: Run
    spec: RunSpec


Task = RunSpec | RecordedRun | ResumedRun
"""A run to be made and trained, one that was made for that, or one to go on with."""


class Recorded:
    """Runs that belong together, the folders of the new ones made before any is trained, so that those that wait are
    lost with nothing: each can be seen, stopped, and gone on with, whatever becomes of this process.

    Within the block they are this process's. After it those that have not begun are stopped, or deleted where an error
    says that no run could begin.
    """

    def __init__(self, runner: Runner, tasks: Sequence[Task]) -> None:
        self.tasks: Sequence[Task] = tasks
        self._places = KeepingPlaces((), runner.should_stop)
        self._told: set[str] = set()
        self.made: list[Run] = []
        self._adopted: list[Run] = []
        self.runner = replace(runner, should_stop=self._places)

    def __enter__(self) -> Self:
        """Make the folders. A run alone has one when it begins.

        Raises:
            LabError: when the runs cannot be started; there are no folders then.
        """
        runner = self.runner
        runner.check(config_of(runner, self.tasks[0]))
        self.tasks = _of_one_data_set(runner, self.tasks)
        for task in self.tasks:
            config = config_of(runner, task)
            summarize_config(config, task_of(config.dataset))
        for task in self.tasks:
            if not isinstance(task, RunSpec) and (isinstance(task, RecordedRun) or task.run.is_owned_here()):
                # made or put in line by somebody else, who has left it to this process
                self._adopted.append(task.run)
                self._places.wait(task.run)
        if len(self.tasks) > 1:
            try:
                self._record()
                self._keep_code()
            except Stopped as stop:
                self._end(stop)
                raise
            except BaseException:
                self._remove()
                raise
        return self

    def _record(self) -> None:
        """Make the folders of the new runs: of all, or of none."""
        specs = [task for task in self.tasks if isinstance(task, RunSpec)]
        self.made += self.runner.create_all(specs, has_code=False)
        for run in self.made:
            self._places.wait(run)
        made = iter(self.made)
        self.tasks = [RecordedRun(next(made), task) if isinstance(task, RunSpec) else task for task in self.tasks]

    def _keep_code(self) -> None:
        """Look at the code of own modules, which may take long, or for ever, and keep it in the runs."""
        known = self.runner.first_read
        for task in self.tasks:
            if not isinstance(task, RecordedRun) or not is_user_module(task.spec.config.arch):
                continue
            config, files = task.spec.config, task.spec.files or known.of(task.spec.config)
            if files is None:
                files = examine(config, self.runner.should_stop).source
                known.keep(config, files)
            if files is not None:
                add_source(task.run, files)

    def begin(self, task: Task) -> bool:
        """It is a run's turn; whether it still waits for that, as nobody has stopped it."""
        if isinstance(task, RunSpec) or task.run not in (*self.made, *self._adopted):
            return True
        return self._places.begin(task.run)

    def follow(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass entries on, with the ends of runs that were stopped while they waited."""
        for entry in entries:
            self._told.add(entry.run_id)
            yield entry
            yield from self.stopped()

    def stop_waiting(self, reason: str) -> Iterator[Entry]:
        """End the waiting of all that have not begun."""
        for run in (*self.made, *self._adopted):
            if run.id in self._told or run.id in self._places.stopped:
                continue
            if run.is_owned_here():
                self._places.wait(run)  # one whose turn it was, too
            elif ends := [entry for entry in EventReader(run.log).poll() if isinstance(entry.event, EndEvent)]:
                yield from self.follow(ends[-1:])  # it was stopped while it was prepared
        yield from self.stopped()
        yield from self.follow(self._places.stop_all(reason))

    def was_waiting(self, run_id: str) -> bool:
        """Whether somebody stopped a run while it waited."""
        return run_id in self._places.stopped

    def stopped(self) -> Iterator[Entry]:
        """The ends of runs that somebody stopped while they waited, each once."""
        for run_id in self._places.stopped.keys() - self._told:
            self._told.add(run_id)
            yield self._places.stopped[run_id]

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        is_stop = isinstance(error, Stopped)
        if isinstance(error, LabError) and not is_stop and not self._told:
            self._remove()
            for run in self._adopted:
                if run.is_owned_here() and (view := run.view()).end is None:  # else its log says so already
                    lost(run, view, error.message)
            return
        for _ in self.stop_waiting(str(error) if is_stop else "abandoned"):
            pass
        if isinstance(error, Stopped) and self.made:
            reference = self.made[0].meta().group_id or self.made[0].id
            error.advice = Advice(Tip(Action.RESUME, reference), " goes on with all that were asked for")

    def _remove(self) -> None:
        for run in self.made:
            run.release()
            self.runner.store.remove(run)


def _of_one_data_set(runner: Runner, tasks: Sequence[Task]) -> Sequence[Task]:
    """New runs on one's own data, all on what is in the files now, whoever changes one meanwhile."""
    specs = [task for task in tasks if isinstance(task, RunSpec) and is_own(task.config.dataset)]
    if not specs or len({spec.config.dataset for spec in specs}) > 1:
        return tasks
    choice = runner.load_dataset(specs[0].config).choice
    return [
        replace(task, config=task.config.changed(dataset=choice)) if isinstance(task, RunSpec) else task
        for task in tasks
    ]


def config_of(runner: Runner, task: Task) -> TrainConfig:
    """The config to train with; raises when a run cannot go on."""
    match task:
        case RunSpec():
            return task.config
        case RecordedRun():
            return task.spec.config
        case ResumedRun():
            return runner.check_resumable(task.run, **task.how).config
