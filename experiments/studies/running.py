"""The runs of a study's trials: what each is called, which trial has which, and what a finished one scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

from optuna.trial import FrozenTrial

from core.config import TrainConfig
from core.events import RunFinished, RunStopped
from experiments.execution.supervision import REQUESTED
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta, Run
from experiments.runs.seeds import name_of_seed
from experiments.runs.store import Store
from experiments.runs.view import RunView
from experiments.studies.dimensions import Value
from experiments.studies.folder import StudyFolder
from experiments.studies.notes import RUN_ID
from experiments.studies.objectives import accuracy_of, cost
from experiments.studies.plan import SweepPlan
from experiments.studies.trials import Trials


@dataclass(slots=True)
class RunningTrial:
    """A trial whose run is being trained, and what the run's log says so far.

    `seed` counts the trial's seeds from 0; `reported` is the last epoch that the study knows; `given_up` says by which
    pruner the trial was given up, and is empty while it was not.
    """

    number: int
    params: Mapping[str, Value]
    config: TrainConfig
    run: Run
    reader: EventReader
    seed: int = 0
    view: RunView = field(default_factory=RunView)
    reported: int = 0
    given_up: str = ""

    @property
    def epochs(self) -> int:
        return self.config.epochs

    @property
    def has_all_epochs(self) -> bool:
        """Whether all of its epochs are done."""
        return isinstance(self.view.end, RunFinished) or self.view.epochs_done >= self.epochs

    @property
    def was_asked_to_stop(self) -> bool:
        """Whether its run was given up, by the pruner or by hand."""
        return isinstance(self.view.end, RunStopped) and self.view.end.reason == REQUESTED

    @property
    def stop_reason(self) -> str:
        end = self.view.end
        return f"the run was stopped ({end.reason})" if isinstance(end, RunStopped) else "the run has no end"

    def scores(self, plan: SweepPlan) -> tuple[float, ...] | None:
        """The objectives of its finished run; None where the log does not have them all."""
        costs = [cost(objective, self.view, self.config) for objective in plan.objectives[1:]]
        found = [accuracy_of(self.view, plan.scored_on, plan.base.val_split, self.epochs), *costs]
        scores = tuple(score for score in found if score is not None)
        return scores if len(scores) == len(found) else None


class TrialRuns:
    """Finds the runs of trials, also those whose ids the driver that made them did not come to write down."""

    def __init__(self, store: Store, folder: StudyFolder, plan: SweepPlan, trials: Trials) -> None:
        self._store, self._folder, self._plan, self._trials = store, folder, plan, trials

    def of(self, trial: FrozenTrial) -> Run | None:
        """A trial's run; of several seeds the last that was begun."""
        if run_id := trial.user_attrs.get(RUN_ID):
            run = self._store.run(run_id)
            return run if run.folder.is_dir() else None
        return self.made_for(trial, seed=0)

    def made_for(self, trial: FrozenTrial, seed: int) -> Run | None:
        """The run that was made for a seed of a trial, whatever it is called by now."""
        wanted = self.meta(trial.number, seed)

        def is_it(run: Run) -> bool:
            meta = run.meta()
            is_of_trial = set(wanted.tags) <= set(meta.tags) and meta.group_id == wanted.group_id
            return is_of_trial and self._has_seed(run, seed)

        return next((run for run in self._store.runs() if _made_since(run, trial) and is_it(run)), None)

    def seed_of(self, run: Run) -> int:
        """Which of its trial's seeds a run has, counted from 0."""
        return next((seed for seed in range(1, self._plan.seeds_per_trial) if self._has_seed(run, seed)), 0)

    def _has_seed(self, run: Run, seed: int) -> bool:
        return run.config().get("seed") == self._plan.base.seed + seed

    def meta(self, number: int, seed: int = 0) -> Meta:
        """What the run of a trial's seed is called, and the tags and the group by which it is found again."""
        on_test = ("objective:test",) if self._plan.scored_on == "test" else ()
        name, tags = f"{self._folder.name}-{number}", (self._folder.tag, f"trial:{number}", *on_test)
        if self._plan.seeds_per_trial == 1:
            return Meta(name, tags)
        group_id = self._trials.group_id(number, self._store.new_group_id)
        return Meta(name_of_seed(name, self._plan.base.seed + seed), tags, group_id)


def _made_since(run: Run, trial: FrozenTrial) -> bool:
    """Whether a run is not older than a trial, so that a study of the same name, deleted since, may have had it."""
    if trial.datetime_start is None:
        return False
    return run.id[:15] >= f"{trial.datetime_start.astimezone(UTC):%Y%m%d-%H%M%S}"
