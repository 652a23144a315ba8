"""What the epochs of a run so far amount to. Accuracies are fractions by epoch, which is counted from 1."""

from __future__ import annotations

from collections.abc import Mapping

EARLY_EPOCHS = 3
EARLY_ACCURACY = 0.9910
"""The early signal of the exercise: above this within the first epochs, a run has scope to reach 99.4 %."""


def best_epoch(accuracies: Mapping[int, float]) -> int:
    """The epoch that was first to reach the highest accuracy; 0 before the first."""
    return max(accuracies, key=lambda epoch: (accuracies[epoch], -epoch), default=0)


def first_epoch_at(accuracies: Mapping[int, float], target_percent: float) -> int | None:
    """The first epoch at or above a target in percent; None when none is."""
    return min((epoch for epoch, value in accuracies.items() if reaches(value, target_percent)), default=None)


def reaches(accuracy: float, target_percent: float) -> bool:
    """Whether an accuracy, a fraction, is at least a target in percent, rounding of the two put aside."""
    return accuracy * 100 >= target_percent - 1e-9


def early_signal(accuracies: Mapping[int, float]) -> bool | None:
    """The verdict after the first three epochs, or at a shorter run's end; None before the first epoch."""
    early = [accuracy for epoch, accuracy in accuracies.items() if epoch <= EARLY_EPOCHS]
    return max(early) > EARLY_ACCURACY if early else None
