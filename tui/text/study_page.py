"""A study as one HTML page: what was searched, the front or the best so far as a chart, and its points as a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from experiments.reports.characters import well_formed
from experiments.reports.page import CHART_SIZES, ReportTable, environment, table_of
from experiments.reports.svg_chart import ChartSeries, line_chart, percent_tick
from experiments.runs.environment import package_versions
from experiments.studies.view import StudyView, TrialView
from tui.text.output import percent
from tui.text.race_words import race_rows, rounds_in_words, standing_in_words
from tui.text.study_report import (
    COSTS,
    choices_in_words,
    counts,
    front_in_words,
    objective_in_words,
    params_in_words,
    rejected_in_words,
    score_in_words,
    space_in_words,
)

POINT, OTHER, LINE = 0, 1, 2
"""The looks of the interface: a trial that counts, one that does not, and the line through the best."""


def study_page(view: StudyView) -> bytes:
    """The page, in UTF-8."""
    plan = view.plan
    facts = {
        "objective": objective_in_words(plan),
        "searched": space_in_words(plan.space),
        "choices": choices_in_words(plan.space) if plan.space.template is not None else "",
        "sampler": f"{plan.sampler}, pruner {plan.pruner}",
        "trials": counts(view) + rejected_in_words(view),
        "importance": ", ".join(f"{field} {share:.0%}" for field, share in view.importance.items()),
    }
    finished = [trial for trial in view.trials if trial.scores and not trial.repeats]
    on_front = sorted((t for t in finished if t.number in view.front), key=lambda trial: trial.scores[1:])
    best = on_front or sorted(finished, key=lambda trial: (-(trial.value or 0.0), trial.number))
    return well_formed(
        environment()
        .get_template("study.html")
        .render(
            title=f"mnist-tui: sweep {view.name}",
            name=view.name,
            facts={name: text for name, text in facts.items() if text},
            charts={kind: [Markup(_chart(view, finished, size))] for kind, size in CHART_SIZES.items()},
            front=front_in_words(view) if view.front else "",
            points=_points(view, best if view.front else best[:10]),
            race=standing_in_words(view.race),
            rounds=rounds_in_words(view.race),
            racers=table_of(*race_rows(view.race, plan.scored_on)),
            trials=_trials(view),
            version=package_versions(("mnist-tui",))["mnist-tui"],
        )
    )


def _chart(view: StudyView, finished: Sequence[TrialView], size: tuple[int, int]) -> str:
    images = "test (optimistic)" if view.plan.scored_on == "test" else "held-out"
    width, height = size
    shared: dict[str, Any] = {"y_format": percent_tick, "y_top": 1.0, "width": width, "height": height}
    shared["y_label"] = f"{images} accuracy"
    if len(view.plan.objectives) > 1:
        name = COSTS[view.plan.objectives[1]]
        return line_chart(_front(view, finished), title=f"Accuracy by {name}", x_label=name, **shared)
    return line_chart(_history(view, finished), title="Accuracy by trial", x_label="trial", **shared)


def _front(view: StudyView, finished: Sequence[TrialView]) -> list[ChartSeries]:
    """Every finished trial by its first cost, and the front as a line through its own."""
    places = sorted((trial.scores[1], trial.scores[0], trial.number in view.front) for trial in finished)
    front = [(x, y) for x, y, is_on in places if is_on]
    other = [(x, y) for x, y, is_on in places if not is_on]
    return [
        ChartSeries("", *_columns(front), look=LINE, dash="", marked=False),
        ChartSeries("other trials", *_columns(other), look=OTHER, line=False),
        ChartSeries("on the front", *_columns(front), look=POINT, line=False),
    ]


def _history(view: StudyView, finished: Sequence[TrialView]) -> list[ChartSeries]:
    """What each trial came to, and the best so far."""
    values = [(trial.number, trial.scores[0]) for trial in finished]
    best = list(accumulate((value for _, value in values), max))
    pruned = [(t.number, t.values[max(t.values)]) for t in view.trials if t.state == "pruned" and t.values]
    return [
        ChartSeries("best so far", [number for number, _ in values], best, look=LINE, dash="", marked=False),
        ChartSeries("pruned at", *_columns(pruned), look=OTHER, line=False),
        ChartSeries("trial", *_columns(values), look=POINT, line=False),
    ]


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _points(view: StudyView, trials: Sequence[TrialView]) -> ReportTable:
    objectives = view.plan.objectives
    columns = ["trial", *(COSTS.get(objective, objective) for objective in objectives), "values", "run"]
    return table_of(
        columns,
        [
            [
                str(trial.number),
                *(score_in_words(name, score) for name, score in zip(objectives, trial.scores, strict=True)),
                params_in_words(trial.params, view.plan.space),
                trial.group_id or trial.run_id,
            ]
            for trial in trials
        ],
    )


def _trials(view: StudyView) -> ReportTable:
    columns = ("trial", "state", view.plan.scored_on, "epochs", "values", "why", "run")
    rows = [
        (
            str(trial.number),
            view.state_of(trial),
            None if trial.value is None else percent(trial.value),
            len(trial.values) or None,
            params_in_words(trial.params, view.plan.space),
            trial.reason or None,
            trial.run_id,
        )
        for trial in view.trained
    ]
    return table_of(columns, rows)
