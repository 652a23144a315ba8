"""The learning rate and the momentum of each step, as plain functions of the step's number.

The formulas are those of torch's schedulers; the tests compare the two. A schedule is laid out over the steps of a run,
or over those that a warm-up leaves. Steps and epochs are counted from 0 here.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from core.config import Anneal, TrainConfig

LEAST_DROP = 1e-8
"""plateau: a drop by no more than this is not made (`ReduceLROnPlateau`'s eps)."""
CURVE_POINTS = 200
"""How many points a drawn curve has at most."""


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int, on_plateau: float | None = None) -> float:
    """The rate of a step of the whole run.

    Args:
        on_plateau: with the schedule plateau, the rate of the step's epoch, which is one of `plateau_rates`; the
            config's where that is left out.
    """
    total = config.epochs * steps_per_epoch
    if config.schedule == "onecycle":
        return _one_cycle(config, step, total)
    warm = warmup_steps(config, steps_per_epoch)
    if step < warm:
        return _warm_up(config, step, warm)
    step, total = step - warm, total - warm  # as `SequentialLR` does
    match config.schedule:
        case "constant":
            return config.lr
        case "cosine":
            return _cosine(config, step, total)
        case "step":
            return _step(config, step // steps_per_epoch)
        case "multistep":
            return _multi_step(config, step // steps_per_epoch)
        case "plateau":
            return config.lr if on_plateau is None else on_plateau


def warmup_steps(config: TrainConfig, steps_per_epoch: int) -> int:
    """How many steps there are in which the rate first rises; onecycle has none beside its own."""
    return 0 if config.schedule == "onecycle" else round(config.warmup_epochs * steps_per_epoch)


def cycles_momentum(config: TrainConfig) -> bool:
    """Whether the momentum, or Adam's beta1, differs from step to step."""
    return config.schedule == "onecycle" and config.cycle_momentum


def momentum_of(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The momentum of a step, or Adam's beta1, where it `cycles_momentum`.

    It falls from max_momentum to base_momentum while the rate rises, and rises while that falls; with three phases it
    stays up in the last.
    """
    low, high = config.base_momentum, config.max_momentum
    values = (high, low, high, high) if config.three_phase else (high, low, high)
    at = _place_in_cycle(config, step, config.epochs * steps_per_epoch)
    return _between(config.anneal, values[at.phase], values[at.phase + 1], at.share)


def plateau_rates(config: TrainConfig, losses: Sequence[float], steps_per_epoch: int) -> list[float]:
    """The rate of each epoch so far and of the next, from the losses that the epochs so far were scored with.

    As `ReduceLROnPlateau` with the mode min and a relative threshold: after more than `patience` epochs in a row none
    of which has a loss below the best one by the threshold's share, the rate is multiplied by `gamma`, down to
    `min_lr`. The epochs in which the rate still rises do not count.
    """
    rate, best, bad = config.lr, math.inf, 0
    rates = [rate]
    warm = warmup_steps(config, steps_per_epoch)
    for epoch, loss in enumerate(losses):
        if epoch * steps_per_epoch < warm:
            pass
        elif loss < best * (1 - config.threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > config.patience:
            bad = 0
            lower = max(rate * config.gamma, config.min_lr)
            rate = lower if rate - lower > LEAST_DROP else rate
        rates.append(rate)
    return rates


def curve(config: TrainConfig, steps_per_epoch: int, points: int = CURVE_POINTS) -> list[float]:
    """The rates of a whole run, to be drawn: of its first and its last step and of others evenly between them.

    There are at most so many points, at least 2. Where and whether plateau lowers the rate nobody knows before: its
    curve has no drops.
    """
    last = config.epochs * steps_per_epoch - 1
    count = min(points, last + 1)
    steps = (round(point * last / max(1, count - 1)) for point in range(count))
    return [learning_rate(config, step, steps_per_epoch) for step in steps]


def _warm_up(config: TrainConfig, step: int, warm: int) -> float:
    """`LinearLR` with start_factor = 1 / (warm + 1) and total_iters = warm; the full rate comes after the last."""
    return config.lr * (step + 1) / (warm + 1)


def _cosine(config: TrainConfig, step: int, total: int) -> float:
    """`CosineAnnealingLR` with T_max = total and eta_min = min_lr."""
    return config.min_lr + (config.lr - config.min_lr) * (1 + math.cos(math.pi * step / total)) / 2


def _step(config: TrainConfig, epoch: int) -> float:
    """`StepLR`, stepped once an epoch."""
    return float(config.lr * config.gamma ** (epoch // config.step_size))


def _multi_step(config: TrainConfig, epoch: int) -> float:
    """`MultiStepLR`, stepped once an epoch: a milestone that is named twice counts twice."""
    milestones = list(map(int, config.milestones.split(",")))
    return float(config.lr * config.gamma ** bisect_right(milestones, epoch))


def _one_cycle(config: TrainConfig, step: int, total: int) -> float:
    """`OneCycleLR` with pct_start = warmup."""
    start = config.lr / config.div_factor
    end = start / config.final_div_factor
    values = (start, config.lr, start, end) if config.three_phase else (start, config.lr, end)
    at = _place_in_cycle(config, step, total)
    return _between(config.anneal, values[at.phase], values[at.phase + 1], at.share)


class _Place(NamedTuple):
    """A step's place in a cycle: its phase, counted from 0, and how far that has come, from 0 to 1."""

    phase: int
    share: float


def _place_in_cycle(config: TrainConfig, step: int, total: int) -> _Place:
    """A phase ends at a step, maybe between two: the first one at `warmup` of all steps, and with three phases the
    second takes as long."""
    top = config.warmup * total - 1
    ends = [top, 2 * top] if config.three_phase else [top]
    begin = 0.0
    for phase, end in enumerate(ends):
        if step <= end:
            return _Place(phase, (step - begin) / (end - begin) if end > begin else 1.0)
        begin = end
    return _Place(len(ends), (step - begin) / (total - 1 - begin))


def _between(anneal: Anneal, start: float, end: float, share: float) -> float:
    if anneal == "linear":
        return (end - start) * share + start
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def on_test_set(config: TrainConfig) -> str:
    """What follows the scores on the test set, which is then no test of it, in words; empty where nothing does."""
    if config.val_split:
        return ""
    rate, early = config.schedule == "plateau", config.early_stop > 0
    if rate and early:
        return "the learning rate and early stopping follow the test set"
    return "the learning rate follows the test set" * rate + "early stopping follows the test set" * early
