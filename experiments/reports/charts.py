"""The charts of runs and groups, accuracy and loss by epoch, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from experiments.reports.looks import HELD_OUT, TEST, TRAIN
from experiments.reports.svg_chart import ChartSeries, line_chart, percent_tick
from experiments.results.groups import by_epoch
from experiments.runs.view import RunView
from experiments.statistics.descriptive import Spread

WIDTH, HEIGHT = 720, 360
LOOKS = {"test": TEST, "val": HELD_OUT, "train": TRAIN}
WORDS = {"test": "test", "val": "held-out", "train": "train (running mean)"}
DOTTED, DASHED = "2 3", "7 3"


@dataclass(frozen=True, slots=True)
class RunCurve:
    """A line and its label: of one run, or of several their median with a band between the quartiles."""

    label: str
    views: Sequence[RunView]


def charts_of(curves: Sequence[RunCurve], *, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """Accuracy, for one entry once more with that on training images, and loss."""
    size = (width, height)
    charts = [accuracy_chart(curves, size)]
    if len(curves) == 1:
        charts.append(accuracy_chart(curves, size, with_training=True))
    return [*charts, loss_chart(curves, size)]


def accuracy_chart(
    curves: Sequence[RunCurve], size: tuple[int, int] = (WIDTH, HEIGHT), *, with_training: bool = False
) -> str:
    """Accuracy by epoch, and the target where all runs have the same one."""
    targets = {view.config.get("target") for curve in curves for view in curve.views}
    target = targets.pop() if len(targets) == 1 else None
    line = (target / 100, f"target {target:g}%") if isinstance(target, int | float) else None
    width, height = size
    return line_chart(
        _series(curves, "accuracy", with_training=with_training),
        title="Accuracy, that on training images too" if with_training else "Accuracy",
        x_label="epoch",
        y_label="accuracy",
        y_format=percent_tick,
        y_top=1.0,
        target=line,
        width=width,
        height=height,
    )


def loss_chart(curves: Sequence[RunCurve], size: tuple[int, int] = (WIDTH, HEIGHT)) -> str:
    """Mean cross entropy by epoch."""
    series, (width, height) = _series(curves, "loss", with_training=len(curves) == 1), size
    return line_chart(
        series,
        title="Loss, log scale",
        x_label="epoch",
        y_label="cross entropy",
        log=True,
        width=width,
        height=height,
    )


def _series(curves: Sequence[RunCurve], metric: str, *, with_training: bool) -> list[ChartSeries]:
    """The colours of one entry tell its parts apart, those of several the entries."""
    series = []
    for number, curve in enumerate(curves):
        for part in ("train", "test", "val") if with_training else ("test", "val"):
            if spreads := by_epoch(curve.views, attrgetter(f"{part}_{metric}")):
                label = " ".join(filter(None, (curve.label, WORDS[part])))
                look = LOOKS[part] if len(curves) == 1 else number
                dash = DOTTED if part == "train" else DASHED if part == "val" else ""
                series.append(_line(label, spreads, look, dash, banded=len(curve.views) > 1, marked=part != "train"))
    return series


def _line(
    label: str, spreads: Mapping[int, Spread], look: int, dash: str, *, banded: bool, marked: bool
) -> ChartSeries:
    medians = [spread.median for spread in spreads.values()]
    low = [spread.q1 for spread in spreads.values()] if banded else None
    high = [spread.q3 for spread in spreads.values()] if banded else None
    return ChartSeries(label, list(spreads), medians, low, high, look=look, dash=dash, marked=marked)
