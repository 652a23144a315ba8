"""A study as it stands, for people and for programs: what came of its trials, and which of them are the best."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any

from core.config import TrainConfig
from core.errors import LabError, RunError
from experiments.presets.loader import DEFAULT
from experiments.runs.store import Store
from experiments.statistics.digits import in_digits
from experiments.studies.dimensions import Dimension, ListDimension, RangeDimension, Value, in_words
from experiments.studies.objectives import ACCURACIES
from experiments.studies.plan import SweepPlan, start_values
from experiments.studies.space import SLOT, Space
from experiments.studies.view import ENDED, IMPORTANCE_TRIALS, StudyView, TrialView
from tui.text.output import counted, percent, say, table
from tui.text.race_words import race_table, rounds_in_words, standing_in_words
from tui.text.run_command import changed_options

BEST = 10
"""Trials in the table of the best."""
NOT_ENDED = ("running", "stopped", "waiting")


def say_study(view: StudyView, store: Store) -> None:
    """Print what came of all trials."""
    plan = view.plan
    say(f"study {view.name}: {counts(view)}{rejected_in_words(view)}")
    say(f"objective: {objective_in_words(plan)}")
    say(f"searched: {space_in_words(plan.space)}; {plan.sampler}, pruner {plan.pruner}")
    if view.repeated:
        say(f"{trials_in_words(view.repeated)} repeated another's params, and took its result")
    if view.count("failed"):
        say(_how_to_redo(view))
    if not (view.is_complete or view.is_driven):
        say(f"mnist-tui sweep --study {view.name} goes on with it")
    if view.best is None:
        return
    say()
    if plan.space.template is not None:
        say(f"choices: {choices_in_words(plan.space)}")
    if view.front:
        say(front_in_words(view))
    say(_best_table(view, store))
    if (images := _images_of_best(view, store)) and view.best.value is not None:
        say(_noise(view.best.value, images))
    if words := standing_in_words(view.race):
        say()
        say(race_table(view.race, plan.scored_on))
        for line in rounds_in_words(view.race):
            say(line)
        say(words)
    say()
    if view.importance:
        shares = ", ".join(f"{field} {share:.0%}" for field, share in view.importance.items())
        say(f"importance (PED-ANOVA, {len(_ranked(view))} trials): {shares}")
    else:
        say(f"importance: {importance_obstacle(view)}")
    best = f"highest {plan.scored_on}" if view.front else "best"
    say(f"{best}: mnist-tui run {shlex.join(flags_of(plan, view.best.params))}")


def flags_of(plan: SweepPlan, params: Mapping[str, Value]) -> list[str]:
    """The words after ``mnist-tui run`` that train the config of these params once more, with all seeds of a trial."""
    config, origin = plan.config(params), plan.origin
    try:
        values = start_values(origin)
    except LabError:  # the file has been moved or changed since; the plan has all of it
        origin = ("--preset", DEFAULT)
        values = start_values(origin)
    usual = TrainConfig.checked({**values, "budget": False}).model_dump()
    usual["budget"] = values.get("budget") is not False
    seeds = range(config.seed, config.seed + plan.seeds_per_trial) if plan.seeds_per_trial > 1 else ()
    return [*origin, *changed_options(config.model_dump(), usual, seeds)]


def importance_obstacle(view: StudyView) -> str:
    """The reason why there is no importance of parameters; a trial that repeats another does not count."""
    counted = len(_ranked(view))
    if counted < IMPORTANCE_TRIALS:
        different = " of different params" if view.repeated else ""
        return f"needs {IMPORTANCE_TRIALS} finished trials{different}, has {counted}"
    return "all trials score the same"


def study_record(view: StudyView, store: Store) -> dict[str, Any]:
    """The study as JSON-ready keys and values; accuracies are fractions."""
    best = view.best
    return {
        "run_id": best.run_id if best else None,
        "study": view.name,
        "objective": view.plan.objective,
        "objectives": list(view.plan.objectives),
        "objective_is_optimistic": view.plan.scored_on == "test",
        "seeds_per_trial": view.plan.seeds_per_trial,
        "space": view.plan.space.to_json(),
        "choices": choices(view.plan.space) or None,
        "trials": len(view.trained),
        "done": view.done,
        "planned": view.planned,
        "rejected": view.count("rejected"),
        "states": dict(view.states),
        "repeated": view.repeated,
        "values_are": view.values_are,
        "best": _trial_record(view, best, store) if best else None,
        "best_flags": flags_of(view.plan, best.params) if best else None,
        "front": list(view.front) if len(view.plan.objectives) > 1 else None,
        "race": dict(view.race) or None,
        "importance": dict(view.importance) or None,
        "results": [_trial_record(view, trial, store) for trial in view.trials],
    }


def trials_in_words(count: int) -> str:
    return counted(count, "trial")


def counts(view: StudyView) -> str:
    """``12 of 20 trials done: 10 finished, 2 pruned; 1 running``."""
    states = view.states
    ended, others = (
        ", ".join(f"{states[state]:,} {state}" for state in names if states[state]) for names in (ENDED, NOT_ENDED)
    )
    done = f"{view.done:,} of {trials_in_words(view.planned)} done"
    return done + (f": {ended}" if ended else "") + (f"; {others}" if others else "")


def _images_of_best(view: StudyView, store: Store) -> int | None:
    """The images that the best trial was scored on, as its run's log has them."""
    if view.best is None or view.best.run_id is None:
        return None
    try:
        started = store.run(view.best.run_id).view().started
    except RunError:
        started = None
    if started is None:
        return None
    return started.test_images if view.plan.scored_on == "test" else started.val_images


def rejected_in_words(view: StudyView) -> str:
    """Number of proposals that were not trained, and the commonest reason."""
    reasons = Counter(trial.reason for trial in view.trials if trial.state == "rejected")
    if not reasons:
        return ""
    reason, count = reasons.most_common(1)[0]
    often = f" ({count} of them)" if len(reasons) > 1 else ""
    return f"; {counted(reasons.total(), 'proposal')} rejected: {reason}{often}"


def _noise(best: float, images: int) -> str:
    """The difference between two trials that chance alone makes, from the accuracy of the best."""
    error = math.sqrt(best * (1 - best) / images)
    return f"one standard error of {percent(best)} on {images:,} images: {error * 100:.2f} points"


def _how_to_redo(view: StudyView) -> str:
    """Advice on failed trials, which continuing a study leaves as they are."""
    failed, ways = view.count("failed"), []
    if view.plan.sampler != "grid":  # which proposes nothing twice
        command = f"mnist-tui sweep --study {view.name} --trials {view.plan.trials + failed}"
        ways.append(f"{command} proposes {failed} other{'s' * (failed > 1)}")
    ways.append("in mnist-tui, Add trial on a failed one proposes the same again")
    return f"failed trials count and are not repeated by themselves: {'; '.join(ways)}"


COSTS = {"params": "parameters", "macs": "multiply-adds for an image", "seconds": "seconds for a step"}
"""The objectives of which less is better, in words."""


def objective_in_words(plan: SweepPlan) -> str:
    """The objectives of the sweep, and whether the first is optimistic."""
    words = f"accuracy on {plan.base.val_split:,} held-out training images after the last epoch"
    if plan.scored_on == "test":
        words = "TEST accuracy after the last epoch (optimistic: the test set chooses the config)"
    if plan.seeds_per_trial > 1:
        words += f", mean of {plan.seeds_per_trial} seeds"
    costs = [COSTS[objective] for objective in plan.objectives[1:]]
    return words + (f", against {' and '.join(costs)}" if costs else "")


def space_in_words(space: Space) -> str:
    words = {dimension.field: dimension_in_words(dimension) for dimension in space.dimensions}
    return ", ".join(f"{field} {words.get(field, text)}" for field, text in space.to_json().items())


def choices(space: Space) -> dict[str, str]:
    """The names of a template's choices, and the words of the template that they are made in; none without one."""
    slots = space.template.slots if space.template is not None else ()
    return {f"{SLOT}{number}": slot.word for number, slot in enumerate(slots, start=1)}


def choices_in_words(space: Space) -> str:
    return ", ".join(f"{name} {word}" for name, word in choices(space).items())


def front_in_words(view: StudyView) -> str:
    """``Pareto front: 5 of 24 finished trials; no other is better in one objective and as good in the rest``."""
    what = f"{len(view.front)} of {len(_ranked(view))} finished trials"
    return f"Pareto front: {what}; no other is better in one objective and as good in the rest"


def score_in_words(objective: str, score: float) -> str:
    """An objective of a trial: 99.12 for an accuracy, 4,938 parameters, 0.0123 seconds."""
    if objective in ACCURACIES:
        return percent(score)
    return f"{score:.4g}" if objective == "seconds" else f"{score:,.0f}"


def dimension_in_words(dimension: Dimension) -> str:
    """A dimension as one would write it: ``0:0.2``, where a study's own record has ``0.0:0.2``."""
    match dimension:
        case ListDimension():
            return str(dimension)
        case RangeDimension(_, low, high, log, step):
            ends = [low, high] if step is None else [low, high, step]
            return ":".join([f"{end:.12g}" for end in ends] + ["log"] * log)


def params_in_words(params: Mapping[str, Value], space: Space) -> str:
    """A trial's values, of a template's choices the spec that they are."""
    words = " ".join(f"{field}={short(value)}" for field, value in space.changes(params).items() if field != "arch")
    arch = space.changes(params).get("arch")
    if arch is None:  # a template of which not all is chosen yet
        arch_words = " ".join(f"{field}={short(value)}" for field, value in params.items() if field.startswith(SLOT))
    else:
        arch_words = f"arch={shlex.quote(str(arch))}"
    return " ".join(part for part in (arch_words, words) if part)


def short(value: Value) -> str:
    """A value in few digits."""
    return in_digits(value) if isinstance(value, float) else in_words(value)


def _ranked(view: StudyView) -> list[TrialView]:
    """The trials that have a result of their own, the best first."""
    found = [trial for trial in view.trials if trial.value is not None and not trial.repeats]
    return sorted(found, key=lambda trial: (-(trial.value or 0), trial.number))


def _best_table(view: StudyView, store: Store) -> str:
    """The best trials by accuracy, or the front by what they cost."""
    ranked, objectives = _ranked(view), view.plan.objectives
    if view.front:
        ranked = sorted((trial for trial in ranked if trial.number in view.front), key=lambda trial: trial.scores[1:])
    shown = ranked if view.front else ranked[:BEST]
    fields = [dimension.field for dimension in view.plan.space.dimensions]
    rows = [
        [
            str(trial.number),
            *(score_in_words(objective, score) for objective, score in zip(objectives, trial.scores, strict=True)),
            *(short(trial.params[field]) if field in trial.params else "-" for field in fields),
            f"{trial.group_id or trial.run_id}{'' if _is_kept(trial, store) else ' (deleted)'}",
        ]
        for trial in shown
    ]
    words = table(["trial", *objectives, *fields, "group" if view.plan.seeds_per_trial > 1 else "run"], rows)
    rest = len(ranked) - len(rows)
    return words + (f"\n{rest:,} more finished: --json lists all" if rest else "")


def _is_kept(trial: TrialView, store: Store) -> bool:
    """Whether a trial's run is still there."""
    return trial.run_id is not None and store.run(trial.run_id).folder.is_dir()


def _trial_record(view: StudyView, trial: TrialView, store: Store) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "run_id": trial.run_id,
        "run_is_kept": _is_kept(trial, store),
        "state": view.state_of(trial),
        "value": trial.value,
        "scores": dict(zip(view.plan.objectives, trial.scores, strict=False)) or None,
        "on_front": trial.number in view.front if len(view.plan.objectives) > 1 else None,
        "params": dict(trial.params),
        "arch": view.plan.space.spec(trial.params),
        "runs": list(trial.runs) or ([trial.run_id] if trial.run_id else []),
        "group_id": trial.group_id or None,
        "values": {str(epoch): value for epoch, value in trial.values.items()},
        "reason": trial.reason,
    }
