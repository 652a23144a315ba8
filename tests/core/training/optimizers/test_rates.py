"""A rate that is far off for the optimizer is remarked on, and left as it is."""

from __future__ import annotations

import pytest

from core.config import TrainConfig
from core.training.optimizers.rates import note_on_rate


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({}, ""),
        ({"optimizer": "muon"}, ""),
        ({"optimizer": "adam", "lr": 0.003}, ""),
        ({"optimizer": "adam", "lr": 0.1}, ""),  # somebody's choice
        ({"optimizer": "adam"}, "the learning rate, 0.03772, is one for sgd; with adam about 0.003 is usual"),
        ({"optimizer": "rmsprop"}, "with rmsprop about 0.0003 is usual"),
    ],
)
def test_only_the_rate_of_sgd_with_another_optimizer_is_remarked_on(options, note):
    found = note_on_rate(TrainConfig.checked(options))
    assert found.endswith(note)
    assert bool(found) == bool(note)


def test_the_run_says_so_and_trains_with_the_rate_that_was_given(make_trainer):
    trainer = make_trainer(optimizer="adamw", lr=TrainConfig().lr, epochs=1)
    started, *_ = events = list(trainer.run())
    assert "with adamw about 0.003 is usual" in started.note
    assert events[-2].lr == TrainConfig().lr
