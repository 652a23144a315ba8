"""What a run's epochs amount to."""

import pytest

from core.config import TrainConfig
from core.history import best_epoch, early_signal, end_of, first_epoch_at, reaches


def by_epoch(accuracies):
    return dict(enumerate(accuracies, start=1))


@pytest.mark.parametrize(
    ("accuracies", "best"), [([], 0), ([0.1], 1), ([0.1, 0.3, 0.2], 2), ([0.1, 0.3, 0.3], 2), ([0.0, 0.0], 1)]
)
def test_the_best_epoch_is_the_first_of_the_highest(accuracies, best):
    assert best_epoch(by_epoch(accuracies)) == best


def test_a_target_is_reached_when_it_is_met_exactly():
    assert reaches(9940 / 10_000, 99.4)
    assert not reaches(9939 / 10_000, 99.4)
    assert all(reaches(correct / 10_000, correct / 100) for correct in range(10_001))
    assert not any(reaches((correct - 1) / 10_000, correct / 100) for correct in range(1, 10_001))


def test_the_first_epoch_at_a_target_counts_from_one():
    assert first_epoch_at(by_epoch([0.98, 0.994, 0.99, 0.995]), 99.4) == 2
    assert first_epoch_at(by_epoch([0.98, 0.99]), 99.4) is None
    assert first_epoch_at({}, 1) is None


@pytest.mark.parametrize(
    ("accuracies", "signal"),
    [
        ([], None),
        ([0.9911], True),
        ([0.9910], False),
        ([0.98, 0.99, 0.9911], True),
        ([0.98, 0.99, 0.991, 0.999], False),
        ([0.9911, 0.5, 0.5, 0.5], True),
    ],
)
def test_the_early_signal_is_a_score_above_the_mark_within_three_epochs(accuracies, signal):
    assert early_signal(by_epoch(accuracies)) is signal


TARGET = {"stop_at_target": True, "target": 90.0}


@pytest.mark.parametrize(
    ("options", "accuracies", "end"),
    [
        ({}, [], None),
        ({}, [0.5, 0.6], None),
        ({}, [0.5, 0.6, 0.7], (3, "epochs")),
        (TARGET, [0.5, 0.89], None),
        (TARGET, [0.5, 0.9], (2, "stop_at_target")),
        (TARGET, [0.5, 0.6, 0.9], (3, "epochs")),
        ({"early_stop": 1}, [0.5, 0.6], None),
        ({"early_stop": 1}, [0.5, 0.5], (2, "early_stop")),
        ({"early_stop": 1}, [0.0, 0.0], (2, "early_stop")),
        ({"early_stop": 2}, [0.5, 0.5], None),
        ({"early_stop": 2, "epochs": 9}, [0.5, 0.4, 0.5, 0.9, 0.9], (3, "early_stop")),
        ({"early_stop": 2, "epochs": 9}, [0.5, 0.4, 0.6, 0.5, 0.6], (5, "early_stop")),
        ({"early_stop": 2, "epochs": 9}, [0.5, 0.4, 0.6, 0.5, 0.61], None),
        ({"early_stop": 1, **TARGET, "epochs": 9}, [0.95, 0.9], (1, "stop_at_target")),
        ({"early_stop": 1, **TARGET, "epochs": 9}, [0.5, 0.4, 0.9], (2, "early_stop")),
    ],
    ids=str,
)
def test_a_run_ends_after_all_epochs_or_where_a_rule_says_so(options, accuracies, end):
    assert end_of(TrainConfig.checked({"epochs": 3, **options}), by_epoch(accuracies)) == end
