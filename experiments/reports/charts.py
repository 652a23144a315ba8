"""The charts of runs and groups, accuracy and loss by epoch, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from experiments.reports.svg_chart import ChartSeries, line_chart, percent_tick
from experiments.results.groups import by_epoch
from experiments.runs.view import RunView
from experiments.statistics.descriptive import Spread

HEIGHT = 360


@dataclass(frozen=True, slots=True)
class RunCurve:
    """A line and its label: of one run, or of several their median with a band between the quartiles."""

    label: str
    views: Sequence[RunView]


def accuracy_chart(curves: Sequence[RunCurve]) -> str:
    """Accuracy by epoch, and the target where all runs have the same one."""
    targets = {view.config.get("target") for curve in curves for view in curve.views}
    target = targets.pop() if len(targets) == 1 else None
    line = (target / 100, f"target {target:g}%") if isinstance(target, int | float) else None
    return line_chart(
        _series(curves, "accuracy"),
        title="Accuracy",
        x_label="epoch",
        y_label="accuracy",
        y_format=percent_tick,
        target=line,
        height=HEIGHT,
    )


def loss_chart(curves: Sequence[RunCurve]) -> str:
    """Mean cross entropy by epoch."""
    series = _series(curves, "loss")
    return line_chart(series, title="Loss", x_label="epoch", y_label="cross entropy", height=HEIGHT)


def _series(curves: Sequence[RunCurve], metric: str) -> list[ChartSeries]:
    """Curves on training and evaluated images for one entry, on evaluated images alone for several."""
    parts = {"test": "test", "val": "held-out"}
    if len(curves) == 1:
        parts["train"] = "train (running mean)"
    series = []
    for curve in curves:
        for part, words in parts.items():
            if spreads := by_epoch(curve.views, attrgetter(f"{part}_{metric}")):
                label = " ".join(filter(None, (curve.label, words)))
                series.append(_line(label, spreads, banded=len(curve.views) > 1))
    return series


def _line(label: str, spreads: Mapping[int, Spread], *, banded: bool) -> ChartSeries:
    medians = [spread.median for spread in spreads.values()]
    if not banded:
        return ChartSeries(label, list(spreads), medians)
    q1, q3 = [spread.q1 for spread in spreads.values()], [spread.q3 for spread in spreads.values()]
    return ChartSeries(label, list(spreads), medians, q1, q3)
