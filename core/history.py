"""The best epoch, the first at a target, the early signal and the end of a run, from its accuracies so far.

Accuracies are fractions by epoch; epochs count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from core.config import TrainConfig  # which costs more to import than what only looks at runs may take

EARLY_EPOCHS = 3
EARLY_ACCURACY = 0.9910
"""The early signal of the exercise: a run above this within the first epochs may reach 99.4 %."""

EndedBy = Literal["epochs", "stop_at_target", "early_stop"]
"""The field of a config by which a run is at its end: all epochs are done, or one of two rules ends it before."""


class End(NamedTuple):
    """The epoch after which a run ends, and why."""

    epoch: int
    by: EndedBy


def best_epoch(accuracies: Mapping[int, float]) -> int:
    """The first epoch with the highest accuracy; 0 before any."""
    return max(accuracies, key=lambda epoch: (accuracies[epoch], -epoch), default=0)


def first_epoch_at(accuracies: Mapping[int, float], target_percent: float) -> int | None:
    """The first epoch at or above a target in percent; None when none is."""
    return min((epoch for epoch, value in accuracies.items() if reaches(value, target_percent)), default=None)


def reaches(accuracy: float, target_percent: float) -> bool:
    """Whether an accuracy, a fraction, is at least a target in percent, within rounding."""
    return accuracy * 100 >= target_percent - 1e-9


def early_signal(accuracies: Mapping[int, float]) -> bool | None:
    """Whether the run was above `EARLY_ACCURACY` within its first three epochs; None before the first one."""
    early = [accuracy for epoch, accuracy in accuracies.items() if epoch <= EARLY_EPOCHS]
    return max(early) > EARLY_ACCURACY if early else None


def end_of(config: TrainConfig, accuracies: Mapping[int, float]) -> End | None:
    """Where a run ends; None as long as its epochs so far call for more.

    Of several reasons after one epoch the first counts: all epochs are done, the target is reached, or so many epochs
    as `early_stop` says have had no accuracy above the best one before them.
    """
    best, best_at = -1.0, 0
    for epoch in sorted(accuracies):
        if accuracies[epoch] > best:
            best, best_at = accuracies[epoch], epoch
        if epoch >= config.epochs:
            return End(epoch, "epochs")
        if config.stop_at_target and reaches(accuracies[epoch], config.target):
            return End(epoch, "stop_at_target")
        if 0 < config.early_stop <= epoch - best_at:
            return End(epoch, "early_stop")
    return None
