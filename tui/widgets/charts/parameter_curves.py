"""The parameters of a study against what its trials came to: one by one, and all at once in parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from experiments.reports.scale import log_ticks
from experiments.studies.dimensions import Dimension, RangeDimension
from experiments.studies.space import in_words
from experiments.studies.view import StudyView, TrialView
from tui.widgets.charts.overlay import Curve

BEST, OTHER = 0, 1
"""The numbers, and so the markers and colours, of the best quarter of the trials and of the others."""


def scored(view: StudyView) -> tuple[list[TrialView], list[TrialView]]:
    """The best quarter of the finished trials, at least one, and the others; a repeated one says nothing new."""
    finished = [trial for trial in view.trials if trial.value is not None and not trial.repeats]
    finished.sort(key=lambda trial: trial.value or 0.0, reverse=True)
    count = math.ceil(len(finished) / 4)
    return finished[:count], finished[count:]


def slice_curves(view: StudyView, dimension: Dimension) -> list[Curve]:
    """Accuracy in percent by the value of one parameter: its logarithm where it is searched so, and the place in the
    list of one that is not a number."""
    best, other = scored(view)
    return [_points(OTHER, other, dimension), _points(BEST, best, dimension)]


def slice_words(dimension: Dimension) -> str:
    """What x is; its labels are `slice_labels`."""
    return (
        f"{dimension.field}, log scale" if isinstance(dimension, RangeDimension) and dimension.log else dimension.field
    )


def slice_labels(dimension: Dimension) -> list[list[tuple[float, str]]]:
    """The values themselves where their logarithms or places stand on the axis; for numbers as they are, nothing."""
    if not isinstance(dimension, RangeDimension):
        return [[(float(at), in_words(value)) for at, value in enumerate(dimension.values)]]
    if not dimension.log:
        return []
    choices = [log_ticks(dimension.low, dimension.high, most) for most in (8, 3)]
    return [[(math.log10(tick), f"{tick:g}") for tick in ticks] for ticks in choices]


def parallel_labels(view: StudyView) -> list[list[tuple[float, str]]]:
    """At each axis its name and its ends, ``lr 0.01:0.1``; where that is too long, the name."""
    dimensions = view.plan.space.dimensions
    names = [*(dimension.field for dimension in dimensions), "accuracy"]
    values = [100 * (trial.value or 0.0) for trials in scored(view) for trial in trials] or [0.0]
    ends = [*map(_ends_in_words, dimensions), f"{min(values):.2f}:{max(values):.2f}"]
    full = [f"{name} {words}" for name, words in zip(names, ends, strict=True)]
    return [[(float(at), text) for at, text in enumerate(texts)] for texts in (full, names)]


def _ends_in_words(dimension: Dimension) -> str:
    if isinstance(dimension, RangeDimension):
        return f"{dimension.low:g}:{dimension.high:g}"
    return f"{in_words(dimension.values[0])}:{in_words(dimension.values[-1])}"


def parallel_curves(view: StudyView) -> list[Curve]:
    """A line for each trial through the places of its values in their ranges, in percent; the last is the accuracy."""
    best, other = scored(view)
    values = [trial.value or 0.0 for trial in (*best, *other)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    curves = []
    for number, trials in ((OTHER, other), (BEST, best)):
        for trial in trials:
            heights = [_height(dimension, trial) for dimension in view.plan.space.dimensions]
            heights.append(((trial.value or 0.0) - low) / (high - low) if high > low else 0.5)
            xs = np.arange(len(heights), dtype=np.float64)
            curves.append(Curve(number, xs, 100 * np.array(heights, dtype=np.float64), marked=False))
    return curves


def _points(number: int, trials: Sequence[TrialView], dimension: Dimension) -> Curve:
    known = sorted((x, 100 * (trial.value or 0.0)) for trial in trials if (x := _place(dimension, trial)) is not None)
    xs, ys = (np.array(column, dtype=np.float64) for column in (zip(*known, strict=True) if known else ((), ())))
    return Curve(number, xs, ys, joined=False)


def _place(dimension: Dimension, trial: TrialView) -> float | None:
    """Where a trial's value stands on the axis of its parameter; None where it has none."""
    value = trial.params.get(dimension.field)
    if isinstance(dimension, RangeDimension):
        if not isinstance(value, int | float):
            return None
        return math.log10(value) if dimension.log else float(value)
    return float(dimension.values.index(value)) if value in dimension.values else None


def _height(dimension: Dimension, trial: TrialView) -> float:
    """The place of a trial's value in the range of its parameter, from 0 to 1; not a number where it has none."""
    place = _place(dimension, trial)
    if isinstance(dimension, RangeDimension):
        ends = (dimension.low, dimension.high)
        low, high = map(math.log10, ends) if dimension.log else ends
    else:
        low, high = 0.0, len(dimension.values) - 1.0
    if place is None:
        return math.nan
    return (place - low) / (high - low) if high > low else 0.5
