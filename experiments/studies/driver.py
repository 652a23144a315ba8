"""Sweeps: a study proposes, an executor trains, and this drives the two until all that was planned is done.

The driver holds nothing that is not on disk: proposals and values are in the study, everything else in the runs' own
folders. Killed at any moment and started again, it takes up every trial where it was left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from optuna.trial import FrozenTrial

from core.config import TrainConfig
from core.errors import InvalidValue, OverBudget, ShouldStop
from core.events import RunFailed, RunFinished, RunStopped
from experiments.execution.executor import Ended, Executor
from experiments.execution.fleet import MAX_DEATHS, Fleet
from experiments.execution.runner import Runner
from experiments.execution.supervision import lost
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Run
from experiments.runs.view import reduce
from experiments.studies.dimensions import Value
from experiments.studies.events import (
    ProposalRejected,
    SweepEvent,
    SweepStopped,
    TrialFinished,
    TrialReported,
    TrialStarted,
    WorkerDied,
)
from experiments.studies.folder import StudyFolder
from experiments.studies.notes import GIVEN_UP, RUN_ID
from experiments.studies.objectives import mean_scores
from experiments.studies.plan import SweepPlan
from experiments.studies.proposals import Proposals
from experiments.studies.running import RunningTrial, TrialRuns
from experiments.studies.trials import Trials

MAX_REJECTED = 500
"""Proposals that may be rejected in a row."""


class SweepDriver(Fleet[SweepEvent]):
    """One study, driven by this process.

    `runner` makes the runs and says where the home is. Problems of the search as a whole are found before anything is
    trained, by `Proposals.check_feasible`.
    """

    def __init__(self, runner: Runner, folder: StudyFolder, plan: SweepPlan, executor: Executor) -> None:
        super().__init__(executor)
        self._runner = runner
        self._folder = folder
        self._plan = plan
        self._proposals = Proposals(plan.base, plan.space, runner.first_read)
        self._active: dict[str, RunningTrial] = {}
        self._left: list[FrozenTrial] = []
        self._waiting: list[int] = []
        self._rejected = 0
        self._exhausted: OverBudget | None = None

    def run(self, should_stop: ShouldStop) -> Iterator[SweepEvent]:
        """Drive the study until its trials are done, or until there is a reason to stop. Its folder has to be
        `held` by this process meanwhile.

        Raises:
            OverBudget: when the sampler finds nothing within the budget.
            StorageError, RunError: when the study's folder cannot be written or is damaged.
        """
        yield from self.drive(should_stop)
        if self.stopping:
            yield SweepStopped(reason=self.stopping)
        elif self._exhausted is not None:
            raise self._exhausted

    def prepare(self) -> None:
        self._trials = Trials(self._folder, self._plan, self._runner.should_stop)
        self._of_trials = TrialRuns(self._runner.store, self._folder, self._plan, self._trials)
        self._left = self._trials.unfinished()

    def has_more(self) -> bool:
        return bool(self._left or self._waiting) or self._wants_more()

    def _wants_more(self) -> bool:
        return self._exhausted is None and self._trials.wants_more()

    def begin(self) -> Iterable[SweepEvent] | None:
        """Take up a trial that an earlier driver left or that waited for another one, else propose one.

        A proposal is not trained beside another one with the same values; it waits for that one's result. As many as
        there are trials under way may wait: a sampler that proposes on and on would learn nothing between.
        """
        if (left := self._next_left()) is not None:
            return self._take_up(left)
        for number in self._waiting:
            if not self._trials.twins_under_way(number):
                self._waiting.remove(number)
                return self._enter_in_turn(number)
        if self._waiting and len(self._waiting) >= len(self._active):
            return None
        return self._propose() if self._wants_more() else None

    def _propose(self) -> Iterator[SweepEvent]:
        trial, _ = self._trials.propose()
        for event in self._enter_in_turn(trial.number):
            yield event
            self._count_rejected(event)

    def _count_rejected(self, event: SweepEvent) -> None:
        if not isinstance(event, ProposalRejected):
            self._rejected = 0
            return
        self._rejected += 1
        if self._rejected == MAX_REJECTED:
            hint = "the study is kept; search where less is over the budget"
            self._exhausted = OverBudget(f"{self._rejected} proposals in a row rejected; {event.reason}", hint=hint)

    def _next_left(self) -> FrozenTrial | None:
        """The first trial that an earlier driver left and whose run nobody trains any more."""
        for trial in self._left:
            run = self._of_trials.of(trial)
            if run is None or not run.is_alive():
                self._left.remove(trial)
                return trial
        return None

    def _take_up(self, trial: FrozenTrial) -> Iterator[SweepEvent]:
        """Go on with a trial that was left, or take its result where its run has come to an end."""
        params = self._trials.params(trial)
        run = self._of_trials.of(trial)
        if run is None:
            yield from self._enter_in_turn(trial.number)
            return
        self._trials.remember_run(trial.number, run.id)
        seed = self._of_trials.seed_of(run)
        config = self._plan.config(params, seed=seed)
        active = self._active[run.id] = RunningTrial(trial.number, params, config, run, EventReader(run.log), seed)
        if seed == 0 and (pruner := trial.user_attrs.get(GIVEN_UP)):  # else that one had finished by then
            active.given_up, active.reported = str(pruner), max(trial.intermediate_values, default=0)
        yield from self.follow(run)
        if (end := self._end_of(active)) is not None:
            del self._active[run.id]
            yield end
            return
        if active.given_up:  # the driver before may have been killed just before it said so
            run.ask_to_stop()
        self._train(active)
        yield TrialStarted(trial=trial.number, run_id=run.id, params=params, resumed=True, seed=config.seed)

    def _enter_in_turn(self, number: int) -> Iterator[SweepEvent]:
        """Enter a proposal, or let it wait while one before it with the same values is under way."""
        params = self._trials.params(self._trials.get(number))
        if self._trials.twins_under_way(number):
            self._waiting.append(number)
        else:
            yield self._enter(number, params)

    def _enter(self, number: int, params: Mapping[str, Value]) -> SweepEvent:
        """Train a proposal, unless it repeats a finished trial or may not be trained."""
        for twin in self._trials.twins(number):
            if self._of_trials.of(twin) is not None:
                return self._repeat(number, twin)
        try:
            return self._begin(number, params)
        except (OverBudget, InvalidValue) as problem:
            return self._reject(number, params, problem.message)

    def _begin(self, number: int, params: Mapping[str, Value]) -> TrialStarted:
        config = self._proposals.config(params)
        return self._start(number, params, config, self._runner.create(config, self._of_trials.meta(number)))

    def _start(
        self, number: int, params: Mapping[str, Value], config: TrainConfig, run: Run, seed: int = 0
    ) -> TrialStarted:
        self._trials.remember_run(number, run.id)
        self._train(RunningTrial(number, params, config, run, EventReader(run.log), seed))
        return TrialStarted(trial=number, run_id=run.id, params=params, resumed=False, seed=config.seed)

    def _next_seed(self, active: RunningTrial) -> TrialStarted:
        """Train a trial's next seed, whose run may be there: the driver before made it and was killed."""
        number, seed = active.number, active.seed + 1
        config = self._plan.config(active.params, seed=seed)
        left = self._of_trials.made_for(self._trials.get(number), seed)
        run = left or self._runner.create(config, self._of_trials.meta(number, seed))
        return self._start(number, active.params, config, run, seed)

    def _reject(self, number: int, params: Mapping[str, Value], reason: str) -> ProposalRejected:
        self._trials.reject(number, reason)
        return ProposalRejected(trial=number, params=params, reason=reason)

    def _repeat(self, number: int, twin: FrozenTrial) -> TrialFinished:
        """End a proposal with the result of its twin: the same config with the same seed would only give it again."""
        self._trials.repeat(number, twin)
        return TrialFinished(
            trial=number,
            run_id=twin.user_attrs[RUN_ID],
            state="finished",
            params=self._trials.params(twin),
            value=twin.values[0] if twin.values else None,
            scores=self._named(twin.values or ()),
            epochs=len(twin.intermediate_values),
            reason=f"repeats trial {twin.number}",
        )

    def follow(self, run: Run) -> Iterator[SweepEvent]:
        """Report to the study what a run has done, and give the run up where the pruner says so.

        A run hears of that only in an epoch to come, which is kept from the study, unless it was the last one.
        """
        active = self._active[run.id]
        for entry in active.reader.poll():
            active.view = reduce(active.view, entry)
        for epoch, value in active.view.accuracies.items():
            if not active.reported < epoch <= active.epochs or (active.given_up and not active.has_all_epochs):
                continue
            active.reported = epoch
            if active.seed == 0:  # the others have epochs of the same numbers
                self._trials.report(active.number, epoch, value)
            yield TrialReported(trial=active.number, run_id=active.run.id, epoch=epoch, value=value)
            may_be = active.seed == 0 and not (active.given_up or active.has_all_epochs)
            if may_be and self._trials.should_prune(active.number):
                active.given_up = f"by the {self._plan.pruner} pruner"
                self._trials.give_up(active.number, active.given_up)
                active.run.ask_to_stop()

    def retry_reason(self, run: Run, ended: Ended) -> str:
        active = self._active[run.id]
        end = active.view.end
        if ended.error or isinstance(end, RunFinished | RunFailed):
            return ""
        if active.was_asked_to_stop and not (active.has_all_epochs and ended.worker_died):
            return ""
        return ended.worker_died or active.stop_reason

    def end(self, run: Run, ended: Ended) -> Iterator[SweepEvent]:
        active = self._active.pop(run.id)
        if (finished := self._end_of(active)) is not None:
            yield finished
        elif ended.error:
            yield self._fail(active, ended.error)
        elif not self.stopping:  # it was given up too late, and goes on to its end
            self._train(active)

    def lose(self, run: Run, reason: str, *, is_retried: bool) -> Iterator[SweepEvent]:
        active = self._active.pop(run.id)
        if self.stopping:  # the trial stays open, for the next driver of the study
            return
        yield WorkerDied(trial=active.number, run_id=run.id, reason=reason, retried=is_retried)
        if is_retried:
            self._train(active)
        else:
            yield self._fail(active, f"lost {MAX_DEATHS} workers; the last one: {reason}")

    def _train(self, active: RunningTrial) -> None:
        if active.has_all_epochs:  # too late to give it up: all that it lacks is its end
            active.run.forget_stop()
        self._active[active.run.id] = active
        self.train(active.run)

    def _end_of(self, active: RunningTrial) -> TrialFinished | TrialStarted | None:
        """Tell the study how a trial ended, or go on with its next seed; None where its run has no end yet, or the next
        seed is for the next driver."""
        match active.view.end:
            case RunFinished() as end:
                scores = active.scores(self._plan)
                if scores is None:
                    return self._fail(active, f"its log has no score of epoch {min(end.epochs, active.epochs)}")
                if self._plan.seeds_per_trial > 1:
                    self._trials.keep_scores(active.number, active.seed, active.run.id, scores)
                    if active.seed + 1 < self._plan.seeds_per_trial:
                        return None if self.stopping else self._next_seed(active)
                    found = self._trials.scores(active.number)
                    scores = mean_scores([values for _, values in found.values()])
                    self._trials.remember_run(active.number, found[min(found)][0])
                self._trials.finish(active.number, scores)
                return self._finished(active, "finished", scores)
            case RunStopped() if active.was_asked_to_stop and not active.has_all_epochs:
                by = active.given_up or "by hand"
                self._trials.prune(active.number, by)
                return self._finished(active, "pruned", reason=by)
            case RunFailed() as end:
                self._trials.fail(active.number, end.error)
                return self._finished(active, "failed", reason=end.error)
            case _:
                return None

    def _fail(self, active: RunningTrial, reason: str) -> TrialFinished:
        """Give up a trial whose run has no end of its own."""
        self._trials.lose(active.number, reason)
        lost(active.run, active.view, reason)
        return self._finished(active, "failed", reason=reason)

    def _named(self, scores: Sequence[float]) -> dict[str, float]:
        return dict(zip(self._plan.objectives, scores, strict=False))

    def _finished(
        self, active: RunningTrial, state: str, scores: Sequence[float] = (), reason: str = ""
    ) -> TrialFinished:
        return TrialFinished(
            trial=active.number,
            run_id=active.run.id,
            state=state,
            params=active.params,
            value=scores[0] if scores else None,
            scores=self._named(scores),
            epochs=active.reported if state == "pruned" else min(len(active.view.epochs), active.epochs),
            reason=reason,
        )
