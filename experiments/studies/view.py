"""Reading a study, and changing it from outside while another process drives it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InvalidValue
from experiments.runs.json_files import read_json
from experiments.runs.store import Store
from experiments.studies.dimensions import Value
from experiments.studies.folder import StudyFolder, no_such_study
from experiments.studies.notes import ADDED, FAILED, GROUP, PRUNED, REJECTED, REPEATS, RUN_ID, SCORES
from experiments.studies.objectives import direction, front
from experiments.studies.plan import SweepPlan
from experiments.studies.space import SLOT, parse_value

if TYPE_CHECKING:
    from optuna.storages.journal import JournalStorage
    from optuna.trial import FrozenTrial

IMPORTANCE_TRIALS = 8
"""Finished trials below which the importance of parameters is a guess and is not given."""
ENDED = ("finished", "pruned", "failed")
STATE_NAMES = {"WAITING": "waiting", "RUNNING": "running", "COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
"""Optuna's, of trials that no note says more of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialView:
    """One trial.

    `state` is waiting, running, finished, pruned, failed or rejected; `values` are the accuracies by epoch so far, on
    the images that `StudyView.values_are` names; `reason` says why it failed, was pruned or rejected, or which trial it
    repeats; `seconds` run from its start to its end. A trial that `repeats` another has the other's run and result.
    `scores` are the objectives of a finished one, means over its seeds, and `value` is the first of them. Of several
    seeds `runs` has those that have finished, by seed, `group_id` is that of them all, and `run_id` is the run under
    way, or else the first.
    """

    number: int
    state: str
    params: Mapping[str, Value]
    value: float | None
    values: Mapping[int, float]
    run_id: str | None
    reason: str
    added: bool
    repeats: bool
    started: datetime | None
    seconds: float | None
    scores: tuple[float, ...] = ()
    runs: tuple[str, ...] = ()
    group_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyView:
    """A study as it stands. Accuracies are fractions; `importance` is by parameter, sums to 1, and is empty as long as
    too few trials have finished, or all of them with the same score.

    `best` is the trial with the highest accuracy. Of several objectives `front` has the numbers of the finished trials
    that no other is better than in one without being worse in another; of one objective it is empty. `race` is the
    record of the race between the best trials, empty without one.
    """

    name: str
    plan: SweepPlan
    trials: tuple[TrialView, ...]
    best: TrialView | None
    importance: Mapping[str, float]
    is_driven: bool
    front: tuple[int, ...] = ()
    race: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values_are(self) -> str:
        """The images that the trials' `values` by epoch are accuracies on: "val" or "test". It is "val" where images
        are held out, whatever the objective, because the test images are then looked at once, at the end."""
        return "val" if self.plan.base.val_split else "test"

    def count(self, state: str) -> int:
        return sum(trial.state == state for trial in self.trials)

    def state_of(self, trial: TrialView) -> str:
        """A trial's state, "stopped" for one that was left under way and that nobody drives, and "waiting" for one that
        has no run yet, because another one with its values is being trained."""
        if trial.state != "running":
            return trial.state
        if not self.is_driven:
            return "stopped"
        return "running" if trial.run_id is not None else "waiting"

    @property
    def states(self) -> Mapping[str, int]:
        """The trials that count, by `state_of`."""
        states = [self.state_of(trial) for trial in self.trained]
        return {state: states.count(state) for state in (*ENDED, "running", "stopped", "waiting")}

    @property
    def combinations(self) -> int | None:
        """The number of combinations of a grid; None where there is no grid."""
        return math.prod(map(len, self.plan.space.grid().values())) if self.plan.sampler == "grid" else None

    @property
    def repeated(self) -> int:
        """Trials that were given the result of another with the same params, and say nothing new."""
        return sum(trial.repeats for trial in self.trials)

    @property
    def asked(self) -> int:
        """Trials asked for, beside those added by hand; at least those there are."""
        added = sum(trial.added for trial in self.trained)
        return max(self.plan.trials, len(self.trained) - added)

    @property
    def done(self) -> int:
        """Trials that have come to an end."""
        return sum(self.count(state) for state in ENDED)

    @property
    def planned(self) -> int:
        """Trials that there will be: those asked for, of a grid no more than it has, and those added by hand."""
        asked = self.plan.trials
        if self.combinations is not None:
            asked = min(asked, self.combinations - self.count("rejected"))
        return max(asked + sum(trial.added for trial in self.trained), len(self.trained))

    @property
    def is_complete(self) -> bool:
        """Whether a driver would find nothing to do."""
        return self.done >= self.planned and not self.race_is_due

    @property
    def race_is_due(self) -> bool:
        """Whether the best trials are still to race, or to go on with it."""
        racing = {trial.number for trial in candidates(self)}
        known = {racer.get("trial") for racer in self.race.get("racers", ()) if isinstance(racer, dict)}
        return len(racing) > 1 and not (self.race.get("is_over") is True and known == racing)

    @property
    def trained(self) -> tuple[TrialView, ...]:
        """The trials that count: all but proposals that were rejected."""
        return tuple(trial for trial in self.trials if trial.state != "rejected")


def candidates(view: StudyView) -> list[TrialView]:
    """The trials that race when all are done: the best by accuracy, as many as the plan says."""
    found = [trial for trial in view.trials if trial.value is not None and not trial.repeats]
    return sorted(found, key=lambda trial: (-(trial.value or 0.0), trial.number))[: view.plan.race]


_RACER = {
    "trial": int,
    "group_id": str,
    "scores": list,
    "mean": int | float | None,
    "dropped_after": int | None,
    "failed": bool,
}


def _read_race(path: Path) -> dict[str, Any]:
    """How a race stands; empty where the file does not say so, as the race is found again from its runs."""
    race = read_json(path)
    racers, left = race.get("racers"), race.get("left")
    is_whole = isinstance(racers, list) and isinstance(left, list) and all(map(_is_racer, racers))
    return race if is_whole else {}


def _is_racer(racer: object) -> bool:
    return isinstance(racer, dict) and all(isinstance(racer.get(key, ...), kind) for key, kind in _RACER.items())


class StudyReader:
    """Reads a study again and again, each time only what has come. Reading takes no lock.

    Raises:
        RunError: when there is no such study, or it is damaged.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._folder = StudyFolder.of(home, name)
        _existing_plan(self._folder)
        self._storage = _open_storage(self._folder) if self._folder.journal.exists() else None
        self._importance: tuple[int, dict[str, float]] = (0, {})

    def view(self) -> StudyView:
        plan = _existing_plan(self._folder)
        if self._storage is None and self._folder.journal.exists():
            self._storage = _open_storage(self._folder)
        trials = tuple(_trial_view(trial) for trial in self._trials())
        finished = [trial for trial in trials if trial.value is not None and not trial.repeats]
        best = max(finished, key=_goodness, default=None)
        objectives = plan.objectives
        places = front([trial.scores for trial in finished], objectives) if len(objectives) > 1 else []
        if len(finished) != self._importance[0]:
            is_needed = len(finished) >= IMPORTANCE_TRIALS and len({trial.scores for trial in finished}) > 1
            self._importance = (len(finished), self._work_out_importance(objectives) if is_needed else {})
        return StudyView(
            name=self._folder.name,
            plan=plan,
            trials=trials,
            best=best,
            importance=self._importance[1],
            is_driven=self._folder.is_alive(),
            front=tuple(finished[place].number for place in places),
            race=_read_race(self._folder.race) if plan.race else {},
        )

    def _trials(self) -> list[FrozenTrial]:
        if self._storage is None:
            return []
        studies = self._storage.get_all_studies()
        return self._storage.get_all_trials(studies[0]._study_id, deepcopy=False) if studies else []

    def _work_out_importance(self, objectives: tuple[str, ...]) -> dict[str, float]:
        """The importance of each parameter by PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023): how far its values in
        the best tenth of the trials differ from those in all of them. With several objectives the best are those on
        the front, then those on the next one."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(directions=[direction(objective) for objective in objectives])
        study.add_trials([trial for trial in self._trials() if REPEATS not in trial.user_attrs])
        return {str(name): float(share) for name, share in optuna.importance.get_param_importances(study).items()}


def study_view(home: Path, name: str) -> StudyView:
    """A study as it stands. To look again and again, keep a `StudyReader`.

    Raises:
        RunError: when there is no such study, or it is damaged.
    """
    return StudyReader(home, name).view()


def prune_trial(home: Path, name: str, number: int) -> None:
    """Ask for a running trial to be given up; its driver hears of it within a second, wherever the trial runs.

    Raises:
        RunError: when there is no such study.
        InvalidValue: when no such trial is running.
    """
    trials = study_view(home, name).trials
    trial = trials[number] if 0 <= number < len(trials) else None
    if trial is None or trial.state != "running" or trial.run_id is None:
        running = ", ".join(str(trial.number) for trial in trials if trial.state == "running")
        raise InvalidValue("trial", number, "is not running", hint=f"running: {running or 'none'}")
    Store(home).run(trial.run_id).ask_to_stop()


def add_trial(home: Path, name: str, values: Mapping[str, str]) -> int:
    """Put a trial in line, beside those planned; what is not given is left to the sampler. Returns its number.

    A driver takes it up as soon as it has room; without one it waits until the study is continued.

    Raises:
        RunError: when there is no such study.
        InvalidValue: for a value that the study's space does not have.
    """
    from experiments.studies.trials import template

    folder = StudyFolder.of(home, name)
    params = check_trial(_existing_plan(folder), values)
    storage = _open_storage(folder)
    studies = storage.get_all_studies()
    if not studies:
        raise InvalidValue("study", name, "has not begun", hint="start it first")
    number: int = storage.get_trial(storage.create_new_trial(studies[0]._study_id, template(params))).number
    return number


def check_trial(plan: SweepPlan, values: Mapping[str, str]) -> dict[str, Value]:
    """The values of a trial to be added, as they were written.

    Raises:
        InvalidValue: for a value outside of the study's space, or one that a grid is missing.
    """
    params = {field: _value_inside(plan, field, text) for field, text in values.items()}
    missing = [dimension.field for dimension in plan.space.dimensions if dimension.field not in params]
    if missing and plan.sampler == "grid":
        raise InvalidValue("trial", "", "a grid leaves nothing open", hint=f"give {', '.join(missing)} too")
    return params


def _value_inside(plan: SweepPlan, field: str, text: str) -> Value:
    dimension = plan.space.dimension(field)
    if dimension is None:
        raise InvalidValue(field, text, "is not searched in this study", hint=f"searched: {plan.space}")
    value = dimension.read(text) if field.startswith(SLOT) else parse_value(field, text)
    if not dimension.holds(value):
        raise InvalidValue(field, text, f"must lie within {dimension}", hint="choose a value of the study's space")
    return value


def _open_storage(folder: StudyFolder) -> JournalStorage:
    from experiments.studies.journal import open_storage  # takes Optuna, which a list of studies can do without

    return open_storage(folder)


def _existing_plan(folder: StudyFolder) -> SweepPlan:
    plan = folder.plan()
    if plan is None:
        raise no_such_study(folder.folder.parent.parent, folder.name)
    return plan


def _goodness(trial: TrialView) -> tuple[float, ...]:
    """A key by which the better of two finished trials is greater: by accuracy, then by what it costs."""
    return (*trial.scores[:1], *(-cost for cost in trial.scores[1:]), -trial.number)


def _trial_view(trial: FrozenTrial) -> TrialView:
    notes: dict[str, Any] = trial.user_attrs
    said = {REJECTED: "rejected", FAILED: "failed", PRUNED: "pruned"}
    state = next((state for note, state in said.items() if note in notes), STATE_NAMES[trial.state.name])
    scores = tuple(trial.values) if state == "finished" and trial.values is not None else ()
    runs = [run_id for _, (run_id, _) in sorted(notes.get(SCORES, {}).items(), key=lambda item: int(item[0]))]
    started, ended = trial.datetime_start, trial.datetime_complete
    return TrialView(
        number=trial.number,
        state=state,
        params=trial.params or dict(trial.system_attrs.get("fixed_params", {})),
        value=scores[0] if scores else None,
        scores=scores,
        runs=tuple(runs),
        group_id=str(notes.get(GROUP, "")),
        values=dict(sorted(trial.intermediate_values.items())),
        run_id=notes.get(RUN_ID),
        reason=next((str(notes[why]) for why in (REJECTED, PRUNED, FAILED, REPEATS) if why in notes), ""),
        added=bool(notes.get(ADDED)),
        repeats=REPEATS in notes,
        started=started,
        seconds=(ended - started).total_seconds() if started and ended else None,
    )
