"""What the epochs of a run so far amount to: the score of a run, and which epoch it comes from."""

from __future__ import annotations

from collections.abc import Sequence

EARLY_EPOCHS = 3
EARLY_ACCURACY = 0.9910
"""The early signal of the exercise: above this within the first epochs, a run has scope to reach 99.4 %."""


def best_epoch(accuracies: Sequence[float]) -> int:
    """The epoch, counted from 1, that was first to reach the highest accuracy; 0 before the first."""
    return accuracies.index(max(accuracies)) + 1 if accuracies else 0


def first_epoch_at(accuracies: Sequence[float], target_percent: float) -> int | None:
    """The first epoch, counted from 1, at or above a target in percent; None when none is."""
    return next((epoch for epoch, accuracy in enumerate(accuracies, 1) if reaches(accuracy, target_percent)), None)


def reaches(accuracy: float, target_percent: float) -> bool:
    """Whether an accuracy, a fraction, is at least a target in percent, rounding of the two put aside."""
    return accuracy * 100 >= target_percent - 1e-9


def early_signal(accuracies: Sequence[float]) -> bool | None:
    """The verdict after the first three epochs, or at a shorter run's end; None before the first epoch."""
    return max(accuracies[:EARLY_EPOCHS]) > EARLY_ACCURACY if accuracies else None
