"""The curves of a study: what each trial came to and the best so far, and one trial's epochs beside the others'."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import median
from typing import Any

import numpy as np

from experiments.studies.view import StudyView, TrialView
from tui.drawing.series import Values
from tui.widgets.charts.overlay import Curve

TRIAL, PRUNED, BEST = 0, 1, 2
"""The numbers, and so the markers and colours, of the curves of trials."""
THIS, MEDIAN = 0, 1
"""The numbers of the curves by epoch."""


def history(view: StudyView) -> list[Curve]:
    """By number of trial, in percent: finished ones, the last value of pruned ones, and the best so far as steps."""
    finished = [(trial.number, 100 * trial.value) for trial in view.trials if trial.value is not None]
    pruned = [
        (trial.number, 100 * trial.values[max(trial.values)])
        for trial in view.trials
        if trial.state == "pruned" and trial.values
    ]
    best = list(accumulate((value for _, value in finished), max))
    steps: list[tuple[float, float]] = []
    for (number, _), before, after in zip(finished, best[:1] + best, best, strict=False):
        steps += [(number, before), (number, after)]
    if steps and view.trials[-1].number > steps[-1][0]:
        steps.append((view.trials[-1].number, steps[-1][1]))
    return [
        Curve(BEST, *_columns(steps), marked=False),
        Curve(PRUNED, *_columns(pruned), joined=False),
        Curve(TRIAL, *_columns(finished), joined=False),
    ]


def front_curves(view: StudyView) -> list[Curve]:
    """Accuracy in percent by the first cost: every finished trial, and the front as a line through its own."""
    finished = [trial for trial in view.trials if trial.scores and not trial.repeats]
    places = [(trial.scores[1], 100 * trial.scores[0]) for trial in finished]
    on_front = [place for place, trial in zip(places, finished, strict=True) if trial.number in view.front]
    others = [place for place, trial in zip(places, finished, strict=True) if trial.number not in view.front]
    return [
        Curve(BEST, *_columns(sorted(on_front)), marked=False),
        Curve(PRUNED, *_columns(others), joined=False),
        Curve(TRIAL, *_columns(on_front), joined=False),
    ]


def by_epoch(view: StudyView, current: TrialView) -> list[Curve]:
    """A trial's values by epoch, in percent, over the median of all others that came so far."""
    others: dict[int, list[float]] = {}
    for trial in view.trials:
        if trial.number != current.number:
            for epoch, value in trial.values.items():
                others.setdefault(epoch, []).append(value)
    medians = [(epoch, 100 * median(others[epoch])) for epoch in sorted(others)]
    own = [(epoch, 100 * value) for epoch, value in current.values.items()]
    return [Curve(MEDIAN, *_columns(medians)), Curve(THIS, *_columns(own))]


def _columns(points: Sequence[tuple[Any, Any]]) -> tuple[Values, Values]:
    table = np.array(points, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
