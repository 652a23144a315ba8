"""A race between the best trials of a study: which runs it needs, how it stands, and its runs trained.

Its seeds are new ones, as the best of many were lucky with theirs. Its runs are ordinary ones, a group for each trial,
found again by their tags and configs: a race that was broken off anywhere goes on by being asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from core.errors import ShouldStop
from experiments.execution.executor import Executor
from experiments.execution.run_list import find_runs, train_all
from experiments.execution.runner import Runner
from experiments.runs.folder import Meta, Run, RunSpec
from experiments.runs.json_files import write_json
from experiments.runs.row import Status
from experiments.runs.seeds import name_of_seed
from experiments.runs.store import Store
from experiments.studies.events import RaceEvent, RaceJudged, RaceRunEnded
from experiments.studies.folder import StudyFolder
from experiments.studies.objectives import accuracy_of
from experiments.studies.racing.rule import LOOKS, dropped
from experiments.studies.view import StudyView, TrialView, candidates


@dataclass(frozen=True, kw_only=True, slots=True)
class Racer:
    """A trial in a race: its runs' group, their scores by seed, and after how many seeds it was dropped, or None."""

    trial: int
    group_id: str
    scores: tuple[float, ...]
    dropped_after: int | None = None
    failed: bool = False

    @property
    def mean(self) -> float | None:
        return fmean(self.scores) if self.scores else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Race:
    """A race as it stands. `missing` are the runs that the next look at it needs; none once it is over."""

    racers: tuple[Racer, ...]
    missing: tuple[RunSpec, ...] = ()

    @property
    def left(self) -> tuple[Racer, ...]:
        """Those that have not been dropped, the one ahead first."""
        found = [racer for racer in self.racers if racer.dropped_after is None]
        return tuple(sorted(found, key=lambda racer: (-(racer.mean or 0.0), racer.trial)))

    @property
    def is_over(self) -> bool:
        return not self.missing

    def to_json(self) -> dict[str, Any]:
        """For `StudyView.race` and for programs."""
        left = self.left
        return {
            "is_over": self.is_over,
            "winner": left[0].trial if self.is_over and len(left) == 1 else None,
            "left": [racer.trial for racer in left],
            "racers": [asdict(racer) | {"mean": racer.mean} for racer in self.racers],
        }


class RaceRuns:
    """The runs of a study's race, as far as they are there."""

    def __init__(self, store: Store, view: StudyView) -> None:
        self._store, self._plan, self._study = store, view.plan, view.name
        self._trials = {trial.number: trial for trial in candidates(view)}
        self._specs = {number: self._specs_of(trial) for number, trial in self._trials.items()}
        self._groups = {number: self._group_of(specs) for number, specs in self._specs.items()}

    def standing(self) -> Race:
        """Play the race over again from its runs, as far as these are there."""
        racers = {
            number: Racer(trial=number, group_id=self._groups[number], scores=()) for number in sorted(self._trials)
        }
        for count in LOOKS:
            left = [number for number, racer in racers.items() if racer.dropped_after is None]
            if len(left) < 2:
                break
            missing: list[RunSpec] = []
            for number in left:
                specs = self._specs[number][:count]
                runs = find_runs(self._store, specs)
                has_failed = any(run is not None and run.status() is Status.FAILED for run in runs)
                scores = [score for run in runs if run is not None and (score := self.score_of(run)) is not None]
                racers[number] = replace(racers[number], scores=tuple(scores))
                if has_failed:
                    racers[number] = replace(racers[number], dropped_after=count, failed=True)
                elif len(scores) < count:
                    missing += [
                        replace(spec, meta=replace(spec.meta, group_id=self._groups[number]))
                        for spec, run in zip(specs, runs, strict=True)
                        if run is None or self.score_of(run) is None
                    ]
            if missing:
                return Race(racers=tuple(racers.values()), missing=tuple(missing))
            left = [number for number in left if racers[number].dropped_after is None]
            if len(left) > 1:
                scores_of = {number: racer.scores for number, racer in racers.items()}
                for number in dropped(scores_of, left, len(racers)):
                    racers[number] = replace(racers[number], dropped_after=count)
        return Race(racers=tuple(racers.values()))

    def trial_of(self, spec: RunSpec) -> int:
        return next(number for number, specs in self._specs.items() if spec.meta.name in {s.meta.name for s in specs})

    def _specs_of(self, trial: TrialView) -> list[RunSpec]:
        """A run for each seed that there may be, in order; the first are those after the seeds of the trial itself."""
        name, tags = f"{self._study}-{trial.number}-race", (f"study:{self._study}", f"race:{trial.number}")
        first = self._plan.seeds_per_trial
        configs = [self._plan.config(trial.params, seed=seed) for seed in range(first, first + max(LOOKS))]
        return [RunSpec(config, Meta(name_of_seed(name, config.seed), tags)) for config in configs]

    def _group_of(self, specs: list[RunSpec]) -> str:
        ids = (run.meta().group_id for run in find_runs(self._store, specs) if run is not None)
        return next((group_id for group_id in ids if group_id), None) or self._store.new_group_id()

    def score_of(self, run: Run) -> float | None:
        """The accuracy of a finished run by the study's objective."""
        if run.status() is not Status.FINISHED:
            return None
        return accuracy_of(run.view(), self._plan.scored_on, self._plan.base.val_split)


def run_race(
    runner: Runner,
    folder: StudyFolder,
    view: StudyView,
    make_executor: Callable[[], Executor],
    should_stop: ShouldStop,
) -> Iterator[RaceEvent]:
    """Train what the race of a study still needs, look after look, and write down how it stands.

    The study's folder has to be `held` by this process meanwhile.

    Raises:
        StorageError: when the standing cannot be written.
    """
    runs = RaceRuns(runner.store, view)
    race = runs.standing()
    write_standing(folder, race)
    while race.missing and not should_stop():
        for outcome in train_all(runner, make_executor(), race.missing, should_stop):
            write_standing(folder, runs.standing())
            trial, score = runs.trial_of(outcome.spec), runs.score_of(outcome.run)
            yield RaceRunEnded(trial=trial, run_id=outcome.run.id, value=score, reason=outcome.problem)
        before, race = race, runs.standing()
        write_standing(folder, race)
        if any(spec in race.missing for spec in before.missing):  # stopped, one by one or all, or without a score
            return
        yield RaceJudged(
            left=[racer.trial for racer in race.left],
            dropped=[racer.trial for racer in race.racers if racer.dropped_after is not None],
            failed=[racer.trial for racer in race.racers if racer.failed],
            is_over=race.is_over,
        )


def write_standing(folder: StudyFolder, race: Race) -> None:
    """Write down how a race stands, for those who look at the study.

    Raises:
        StorageError.
    """
    try:
        write_json(folder.race, race.to_json())
    except OSError as error:
        raise folder.unwritable(error) from error
