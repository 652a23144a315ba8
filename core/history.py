"""The best epoch, the first at a target and the early signal of a run, from its accuracies so far.

Accuracies are fractions by epoch; epochs count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping

EARLY_EPOCHS = 3
EARLY_ACCURACY = 0.9910
"""The early signal of the exercise: a run above this within the first epochs may reach 99.4 %."""


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
