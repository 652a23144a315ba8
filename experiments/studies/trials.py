"""The trials of a study, for the one process that drives it: it proposes, reports, prunes and finishes them.

Everything goes through Optuna's storage at once, so that a driver that is killed loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from core.errors import ShouldStop
from experiments.studies.dimensions import Value
from experiments.studies.folder import StudyFolder
from experiments.studies.journal import name_within, open_storage
from experiments.studies.notes import ADDED, FAILED, GIVEN_UP, GROUP, PRUNED, REJECTED, REPEATS, RUN_ID, SCORES
from experiments.studies.objectives import direction
from experiments.studies.plan import SweepPlan
from experiments.studies.search import Grid, make_pruner, make_sampler


class Trials:
    """A study's trials. Numbers count from 0, steps are epochs and count from 1.

    Args:
        should_stop: asked while another process has the journal locked; without it that is an error.

    Raises:
        StorageError, RunError: when the study's folder cannot be written or its journal is damaged.
    """

    def __init__(self, folder: StudyFolder, plan: SweepPlan, should_stop: ShouldStop | None = None) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._plan = plan
        self._storage = open_storage(folder, should_stop)
        self._study = optuna.create_study(
            study_name=name_within(self._storage, folder),
            storage=self._storage,
            directions=[direction(objective) for objective in plan.objectives],
            load_if_exists=True,
            pruner=make_pruner(plan.pruner, plan.base.epochs),
        )
        # A study that is continued must not draw again what it drew when it began.
        self._study.sampler = make_sampler(plan.sampler, plan.space, plan.base, plan.base.seed + len(self.all()))

    def all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def get(self, number: int) -> FrozenTrial:
        return self.all()[number]

    def unfinished(self) -> list[FrozenTrial]:
        """Trials that an earlier driver left under way."""
        return [trial for trial in self.all() if trial.state is TrialState.RUNNING]

    def wants_more(self) -> bool:
        """Whether there is something to propose: a trial that somebody added, or one of those planned."""
        trials = self.all()
        if any(trial.state is TrialState.WAITING for trial in trials):
            return True
        planned = [trial for trial in trials if not (REJECTED in trial.user_attrs or ADDED in trial.user_attrs)]
        if len(planned) >= self._plan.trials:
            return False
        sampler = self._study.sampler
        return not isinstance(sampler, Grid) or sampler.has_more(trials)

    def propose(self) -> tuple[FrozenTrial, dict[str, Value]]:
        """A new trial and its values."""
        trial = self._study.ask()
        params = self._plan.space.suggest(trial)
        return self.get(trial.number), params

    def twins(self, number: int) -> list[FrozenTrial]:
        """The finished trials with the values of a proposal; none for a trial that somebody added, which is trained
        in any case."""
        trial = self.get(number)
        finished = [other for other in self.all() if other.state is TrialState.COMPLETE]
        return [other for other in finished if self._are_same(other, trial) and ADDED not in trial.user_attrs]

    def twins_under_way(self, number: int) -> bool:
        """Whether an earlier trial with the values of a proposal has no result yet."""
        trial = self.get(number)
        before = (other for other in self.all()[:number] if other.state is TrialState.RUNNING)
        return any(self._are_same(other, trial) for other in before)

    def _are_same(self, one: FrozenTrial, other: FrozenTrial) -> bool:
        """Whether two trials are one config, which two rows of a template's choices may be, too."""
        changes = self._plan.space.changes
        return one.params == other.params or (
            self._plan.space.template is not None and changes(one.params) == changes(other.params)
        )

    def repeat(self, number: int, twin: FrozenTrial) -> None:
        """Give a trial the run and the result of its twin."""
        for epoch, value in twin.intermediate_values.items():
            self.report(number, epoch, value)
        self.remember_run(number, twin.user_attrs[RUN_ID])
        for key in (GROUP, SCORES):
            if key in twin.user_attrs:
                self._note(number, key, twin.user_attrs[key])
        self._note(number, REPEATS, f"repeats trial {twin.number}")
        self._study.tell(number, twin.values)

    def params(self, trial: FrozenTrial) -> dict[str, Value]:
        """A trial's values; those that are missing, because an earlier driver was killed, are proposed now."""
        if len(trial.params) < len(self._plan.space.dimensions):
            return self._plan.space.suggest(Trial(self._study, trial._trial_id))
        return dict(trial.params)

    def remember_run(self, number: int, run_id: str) -> None:
        self._note(number, RUN_ID, run_id)

    def report(self, number: int, epoch: int, value: float) -> None:
        """Report an intermediate value; one that is known already is left as it is."""
        trial = self.get(number)
        if trial.state is TrialState.RUNNING and epoch not in trial.intermediate_values:
            self._storage.set_trial_intermediate_value(trial._trial_id, epoch, value)

    def should_prune(self, number: int) -> bool:
        return self._study.pruner.prune(self._study, self.get(number))

    def give_up(self, number: int, by: str) -> None:
        """Note which pruner gave a trial up. Its run goes on until it hears of that, maybe under the next driver."""
        self._note(number, GIVEN_UP, by)

    def finish(self, number: int, scores: Sequence[float]) -> None:
        self._study.tell(number, list(scores))

    def group_id(self, number: int, make: Callable[[], str]) -> str:
        """The id of the group of a trial's runs, made where it has none yet."""
        notes = self.get(number).user_attrs
        if GROUP not in notes:
            self._note(number, GROUP, make())
        return str(self.get(number).user_attrs[GROUP])

    def scores(self, number: int) -> dict[int, tuple[str, list[float]]]:
        """The runs of a trial that have finished, by which of its seeds they have, from 0, and their objectives."""
        kept = self.get(number).user_attrs.get(SCORES, {})
        return {int(seed): (str(run_id), list(values)) for seed, (run_id, values) in kept.items()}

    def keep_scores(self, number: int, seed: int, run_id: str, values: Sequence[float]) -> None:
        kept = {str(one): list(found) for one, found in self.scores(number).items()}
        self._note(number, SCORES, kept | {str(seed): [run_id, list(values)]})

    def prune(self, number: int, reason: str) -> None:
        self._note(number, PRUNED, reason)
        self._study.tell(number, state=self._without_scores)

    def lose(self, number: int, reason: str) -> None:
        """End a trial whose run was lost, which says nothing about its values."""
        self._note(number, FAILED, reason)
        self._study.tell(number, state=TrialState.FAIL)

    def fail(self, number: int, reason: str) -> None:
        """End a trial whose training failed, because of its values, as far as anybody knows."""
        self._disqualify(number, FAILED, reason)

    def reject(self, number: int, reason: str) -> None:
        """End a proposal that is not trained. It is not counted among the trials that were asked for."""
        self._disqualify(number, REJECTED, reason)

    def _disqualify(self, number: int, note: str, reason: str) -> None:
        """End a trial as pruned, so that TPE takes its values for bad ones. It does not look at trials that failed, and
        would propose such values again and again, because it knows least of them."""
        self._note(number, note, reason)
        self._study.tell(number, state=self._without_scores if note == FAILED else TrialState.PRUNED)

    @property
    def _without_scores(self) -> TrialState:
        """The state of a trial that ends early: with one objective pruned, so that TPE ranks it by what it had. Of
        several it could not tell which one that was."""
        return TrialState.PRUNED if len(self._plan.objectives) == 1 else TrialState.FAIL

    def _note(self, number: int, key: str, value: Any) -> None:
        self._storage.set_trial_user_attr(self.get(number)._trial_id, key, value)


def template(params: Mapping[str, Value]) -> FrozenTrial:
    """A trial that waits for a driver, with some or all of its values given."""
    return optuna.trial.create_trial(
        state=TrialState.WAITING, system_attrs={"fixed_params": dict(params)}, user_attrs={ADDED: True}
    )
