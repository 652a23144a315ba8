"""The learning rate of each step, as a plain function of the step's number.

The formulas are those of torch's schedulers; the tests compare the two.
"""

from __future__ import annotations

import math

from core.config import TrainConfig

ONECYCLE_START = 25.0
"""onecycle starts at the highest rate divided by this (`OneCycleLR`'s div_factor) ..."""
ONECYCLE_END = 1e4
"""... and ends at that start divided by this (final_div_factor)."""


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of a step, counted from 0 over the whole run."""
    total = config.epochs * steps_per_epoch
    match config.schedule:
        case "constant":
            return config.lr
        case "cosine":  # CosineAnnealingLR with T_max = total
            return config.lr * (1 + math.cos(math.pi * step / total)) / 2
        case "step":  # StepLR, stepped once an epoch
            return float(config.lr * config.gamma ** (step // steps_per_epoch // config.step_size))
        case "onecycle":  # OneCycleLR with pct_start = warmup and cosine annealing
            start = config.lr / ONECYCLE_START
            top = config.warmup * total - 1
            if step <= top:
                return _anneal(start, config.lr, step / top if top > 0 else 1.0)
            return _anneal(config.lr, start / ONECYCLE_END, (step - top) / (total - 1 - top))


def _anneal(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
