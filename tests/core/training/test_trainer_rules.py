"""What a run does by its own scores: the rate falls on a plateau, and the run ends early."""

import pytest
import torch
from torch import nn

from core.events import EpochFinished, RunFinished
from core.training.schedule import plateau_rates

SLOW = {"arch": "fc10", "lr": 1e-7, "epochs": 9}
"""It learns nothing, and each epoch has the accuracy of the first."""


def epochs(events):
    return [event for event in events if isinstance(event, EpochFinished)]


def loss_of(event):
    return event.test_loss if event.val_loss is None else event.val_loss


@pytest.mark.parametrize("val_split", [0, 64])
@pytest.mark.parametrize("options", [{"patience": 0, "threshold": 0.8}, {"patience": 1, "threshold": 0.9}])
@pytest.mark.parametrize("warmup_epochs", [0.0, 1.5])
def test_the_rate_falls_by_the_losses_of_the_epochs_before(make_trainer, val_split, options, warmup_epochs):
    rule = {"schedule": "plateau", "gamma": 0.5, "epochs": 7, "warmup_epochs": warmup_epochs, **options}
    trainer = make_trainer(val_split=val_split, **rule)
    done = epochs(trainer.run())
    expected = plateau_rates(trainer.config, [loss_of(event) for event in done], trainer.steps_per_epoch)
    rising = 1 if warmup_epochs else 0
    assert [event.lr for event in done][rising:] == expected[rising:-1]
    assert done[-1].lr < trainer.config.lr
    assert trainer.checkpoint().state["losses"] == [loss_of(event) for event in done]


def test_the_optimizer_takes_the_rate_that_the_log_tells(make_trainer, steps_taken):
    rule = {"schedule": "plateau", "gamma": 0.5, "patience": 0, "threshold": 0.9, "epochs": 4}
    trainer = make_trainer(**rule, engine="eager")
    done = epochs(trainer.run())
    assert steps_taken == pytest.approx([event.lr for event in done for _ in range(trainer.steps_per_epoch)])
    assert [event.lr for event in done] == [0.1, 0.1, 0.05, 0.025]


@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize("val_split", [0, 64])
def test_a_run_ends_after_so_many_epochs_without_a_better_accuracy(make_trainer, patience, val_split):
    trainer = make_trainer(early_stop=patience, val_split=val_split, **SLOW)
    events = list(trainer.run())
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert (end.epochs, end.ended_by) == (patience + 1, "early_stop")
    assert len(epochs(events)) == patience + 1
    assert trainer.best_epoch == 1
    assert (end.selected_epoch if val_split else end.best_epoch) == 1


def test_the_weights_are_those_of_the_run_without_the_rule_up_to_there(make_trainer):
    early = make_trainer(early_stop=2, **SLOW)
    list(early.run())
    whole = make_trainer(**SLOW | {"epochs": 3})
    end = list(whole.run())[-1]
    assert end.ended_by == "epochs"
    assert all(torch.equal(early.final_weights[name], tensor) for name, tensor in whole.final_weights.items())


def test_a_run_that_gets_better_in_time_has_all_its_epochs(make_trainer):
    trainer = make_trainer(early_stop=4, epochs=4)
    end = list(trainer.run())[-1]
    assert (end.epochs, end.ended_by) == (4, "epochs")


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({}, ""),
        ({"schedule": "plateau"}, "the learning rate follows the test set"),
        ({"early_stop": 3}, "early stopping follows the test set"),
        ({"schedule": "plateau", "early_stop": 3}, "the learning rate and early stopping follow the test set"),
        ({"schedule": "plateau", "early_stop": 3, "val_split": 64}, ""),
    ],
)
def test_what_follows_the_test_set_is_noted(make_trainer, options, note):
    started = next(make_trainer(**options, engine="eager").run())
    assert ("follow" in started.note) == bool(note)
    assert note in started.note


def test_a_module_of_ones_own_ends_early_too(make_trainer):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Softsign())
    end = list(make_trainer(model=module, early_stop=1, **SLOW).run())[-1]
    assert (end.epochs, end.ended_by) == (2, "early_stop")


def test_a_run_stopped_in_its_last_epochs_ends_where_it_would_have(make_trainer):
    whole = list(make_trainer(early_stop=2, **SLOW).run())
    for questions in range(1, 18):
        left = iter(range(questions))
        first = make_trainer(early_stop=2, **SLOW)
        before = list(first.run(lambda left=left: "" if next(left, None) is not None else "enough"))
        second = make_trainer(early_stop=2, **SLOW)
        second.restore(first.checkpoint())
        then = list(second.run())
        assert len(epochs(before)) + len(epochs(then)) == 3
        assert (then[-1].epochs, then[-1].ended_by) == (3, "early_stop")
        assert then[-1].weights_sha256 == whole[-1].weights_sha256
