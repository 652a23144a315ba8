"""Studies and their trials in words: what the tables and lines of the interface say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.studies.list import StudyEntry
from experiments.studies.view import StudyView, TrialView
from tui.text.output import duration, percent
from tui.text.race_words import racer_in_words, standing_in_words
from tui.text.study_report import COSTS, objective_in_words, params_in_words, score_in_words, space_in_words

TRIAL_SORTS = {"number": "newest", "value": "best"}
VALUES = {"val": "held-out", "test": "TEST"}
"""The images that accuracies are measured on, in a word."""


def age(seconds: float) -> str:
    """``now``, ``5m ago``, ``3h ago``, ``12d ago``."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return "now"


def best_in_words(view: StudyView) -> str:
    if view.best is None:
        return "no trial has finished"
    on_test = " on TEST (optimistic)" if view.plan.scored_on == "test" else ""
    if view.front:
        highest = f"highest {percent(view.best.value)}{on_test} by trial {view.best.number}"
        return f"front of {len(view.front)} trials, {highest}"
    return f"best {percent(view.best.value)}{on_test} by trial {view.best.number}"


def entry_in_words(entry: StudyEntry) -> str:
    """The error, the race, the objective and the space of a study, for which its table has no columns."""
    if entry.view is None:
        return entry.problem or "it loads its data, and makes its plan then"
    words = f"{objective_in_words(entry.view.plan)}; searched: {space_in_words(entry.view.plan.space)}"
    return "\n".join(part for part in (entry.problem, standing_in_words(entry.view.race), words) if part)


def trial_in_words(view: StudyView, trial: TrialView) -> str:
    """Everything of a trial that its columns may have no room for."""
    plan, state = view.plan, view.state_of(trial)
    parts = [f"trial {trial.number} {state}{' (added by hand)' if trial.added else ''}"]
    if trial.reason:
        parts.append(trial.reason)
    costs = zip(plan.objectives[1:], trial.scores[1:], strict=False)
    parts += [f"{score_in_words(objective, score)} {COSTS[objective]}" for objective, score in costs]
    if raced := racer_in_words(view.race, trial.number):
        parts.append(raced)
    parts.append(params_in_words(trial.params, plan.space) or "values left to the sampler")
    if trial.seconds is not None:
        parts.append(duration(trial.seconds))
    if trial.group_id:
        parts.append(f"group {trial.group_id}")
    elif trial.run_id:
        parts.append(trial.run_id)
    return "  ".join(parts)


def arranged_trials(trials: Sequence[TrialView], sort: str) -> list[TrialView]:
    """Running trials first, then by number or by value; those without a value after the others, by their last one."""

    def key(trial: TrialView) -> tuple[Any, ...]:
        if sort == "number":
            return (-trial.number,)
        last = trial.values[max(trial.values)] if trial.values else 0.0
        return (trial.value is None, -(trial.value or last), trial.number)

    return sorted(trials, key=lambda trial: (trial.state != "running", *key(trial)))
