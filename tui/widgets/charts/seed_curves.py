"""The seeds of a group in one chart, with their mean and its band, as they come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core.events import EpochFinished
from experiments.runs.row import Status
from tui.drawing.series import Values, smoothed
from tui.live.follow import Follower
from tui.widgets.charts.overlay import MOST, Curve

MEAN = 0
"""The number, and so the marker and colour, of the mean's curve; no seed has its colour."""

Value = Callable[[EpochFinished], float | None]


def number_of(place: int) -> int:
    """The number of the curve of the seed at a place, from 0."""
    return 1 + place % (MOST - 1) + MOST * (place // (MOST - 1))


def counted(seeds: Sequence[Follower]) -> list[Follower]:
    """The seeds that the mean is of: those that have finished or go on and have an epoch behind them; where there are
    none, all that have one."""
    with_epochs = [seed for seed in seeds if seed.view.epochs]
    return [seed for seed in with_epochs if seed.status in (Status.FINISHED, Status.RUNNING)] or with_epochs


def seed_curves(seeds: Sequence[Follower], shown: str, value: Value, weight: float, first: int) -> list[Curve]:
    """A curve by epoch for each seed, that of the run `shown` with markers, and their mean between one standard
    deviation below and one above, over the epochs that all of them have: where one drops out the mean would jump.

    Args:
        weight: that of smoothing; 0 for none.
        first: the first epoch that is drawn.
    """
    curves = []
    for place, seed in enumerate(seeds):
        xs, ys = _points(seed, value)
        kept = xs >= first
        curves.append(Curve(number_of(place), xs[kept], smoothed(ys, weight)[kept], marked=seed.run.id == shown))
    return [*curves, *_mean([_points(seed, value) for seed in counted(seeds)], weight, first)]


def _points(seed: Follower, value: Value) -> tuple[Values, Values]:
    epochs = seed.view.epochs
    return np.array([e.epoch for e in epochs], dtype=float), np.array([value(e) for e in epochs], dtype=float)


def _mean(points: Sequence[tuple[Values, Values]], weight: float, first: int) -> list[Curve]:
    if len(points) < 2:
        return []
    xs = points[0][0]
    for others, _ in points[1:]:
        xs = np.intersect1d(xs, others)
    ys = np.array([values[np.isin(epochs, xs)] for epochs, values in points])
    mean, sd = smoothed(ys.mean(axis=0), weight), smoothed(ys.std(axis=0, ddof=1), weight)
    kept = xs >= first
    return [Curve(MEAN, xs[kept], mean[kept], band=((mean - sd)[kept], (mean + sd)[kept]))]
