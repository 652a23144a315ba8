"""Plots of learning rates: of a schedule over a run, and of the loss over the rate in a range test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.config import TrainConfig
from core.training.range_curve import RangePoint, smoothed
from core.training.schedule import curve
from tui.drawing.plot import LinePlot, PlotLine

STEPS = 200
"""Steps of an epoch where it does not matter how many there are: more than the points of a curve."""


def schedule_plot(config: TrainConfig, *, ascii_only: bool = False) -> LinePlot:
    """The learning rate over the epochs of a run, its highest and its lowest value labelled.

    Where the lowest depends on how many steps an epoch has, that is the value to which it comes close with many.
    """
    rates = np.array(curve(config, STEPS))
    low, high = _lowest(config, float(rates.min())), config.lr
    labels = {high: f"{high:.3g}"} if low == high else {low: f"{low:.3g}", high: f"{high:.3g}"}
    epochs = f"{config.epochs} epoch{'' if config.epochs == 1 else 's'}"
    if config.schedule == "plateau":
        epochs += ", drops unknown"
    up = (0.0, 2 * high) if low == high else (low, high)
    xs = np.linspace(0.0, float(config.epochs), len(rates))
    ends = {float(config.epochs): epochs, 0.0: "0"}  # the first matters more where there is no room for both
    return LinePlot((0.0, float(config.epochs)), up, [PlotLine("line", xs, rates)], ends, labels, ascii_only=ascii_only)


def _lowest(config: TrainConfig, drawn: float) -> float:
    if config.warmup_epochs and config.schedule != "onecycle":
        return 0.0
    return config.min_lr if config.schedule == "cosine" else drawn


def range_plot(
    points: Sequence[RangePoint], ends: tuple[float, float], suggestion: float | None, *, ascii_only: bool = False
) -> LinePlot:
    """The plot over all rates between the ends, those not tried yet included; the suggestion is marked."""
    rates = np.array([point.rate for point in points])
    losses = [point.loss for point in points]
    means = np.array(smoothed(points))
    lowest = int(means.argmin()) if points else 0
    top = 1.1 * float(
        means[: lowest + 1].max(initial=1e-9)
    )  # beyond the lowest the loss may rise without end; that is cut off
    raw = PlotLine("raw", rates, np.array(losses), joined=False)
    labels = {0.0: "0", top: f"{top:.3g}"}
    if points:
        labels[float(means.min())] = f"{means.min():.3g}"
    powers = range(math.ceil(math.log10(ends[0]) - 1e-9), math.floor(math.log10(ends[1]) + 1e-9) + 1)
    ticks = {10.0**power: f"{10.0**power:g}" for power in powers}
    marks = {} if suggestion is None else {suggestion: f"{suggestion:.3g}"}
    return LinePlot(
        ends,
        (0.0, top),
        [raw, PlotLine("mean", rates, means)],
        marks | ticks,
        labels,
        log=True,
        marked=suggestion,
        ascii_only=ascii_only,
    )
