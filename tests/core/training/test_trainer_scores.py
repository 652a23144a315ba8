"""What a run is credited with: targets, the epoch that a validation split chooses, best and averaged weights."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from core.events import EpochFinished, RunFinished, RunStopped
from core.storage.tensors import weights_sha256
from core.training.average import copy_weights
from core.training.evaluate import Evaluator, Labelled, Pixels
from core.training.sampling import split_validation


def never() -> str:
    return ""


def epochs(events: list) -> list[EpochFinished]:
    return [event for event in events if isinstance(event, EpochFinished)]


def asked(times: int) -> Callable[[], str]:
    """A reason to stop from the question of this number on, counted from 0."""
    counter = itertools.count()
    return lambda: "enough" if next(counter) >= times else ""


class Spoiled(nn.Module):
    """Learns as usual until a given training step, and from then on gives the opposite of what it has learnt."""

    def __init__(self, good_steps: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.good_steps = good_steps

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.steps += 1
        return self.net(images) * torch.where(self.steps > self.good_steps, -1.0, 1.0)


@pytest.mark.parametrize("stop", [True, False])
def test_a_run_finishes_at_its_target_if_it_is_to(make_trainer, stop):
    events = list(make_trainer(epochs=8, target=60.0, stop_at_target=stop).run())
    scores = [event.test_accuracy for event in epochs(events)]
    reached = next(epoch for epoch, score in enumerate(scores, 1) if score >= 0.6)
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert end.first_epoch_at_target == reached
    assert end.epochs == len(scores) == (reached if stop else 8)


def test_a_target_that_is_not_reached_is_not_claimed(make_trainer):
    end = list(make_trainer(epochs=1, lr=1e-6, target=100.0, stop_at_target=True).run())[-1]
    assert (end.epochs, end.first_epoch_at_target, end.early_signal) == (1, None, False)


def test_with_a_validation_split_the_epoch_is_chosen_on_held_out_images_alone(make_trainer, blobs):
    model = Spoiled(good_steps=11)  # four steps an epoch: the last step of the run spoils it
    trainer = make_trainer(model=model, val_split=64, lr=0.01)
    pixels = Pixels(blobs.mean, blobs.std)
    _, held_out = split_validation(320, 64)
    events = []
    for event in trainer.run():
        events.append(event)
        if isinstance(event, EpochFinished):
            held = Labelled(blobs.train_images[held_out], blobs.train_labels[held_out])
            score = Evaluator(model, held, pixels).score(never)
            assert (event.val_accuracy, event.val_loss) == (score.accuracy, score.loss)
    started, end = events[0], events[-1]
    assert (started.train_images, started.val_images, started.test_images) == (256, 64, 130)
    for event in epochs(events):
        assert (event.test_loss, event.test_accuracy, event.test_correct, event.test_total) == (None,) * 4
    scores = [event.val_accuracy for event in epochs(events)]
    assert scores[2] < scores[0] <= max(scores)
    assert end.selected_epoch == trainer.best_epoch == scores.index(max(scores)) + 1
    assert (end.best_test_accuracy, end.best_epoch) == (None, None)
    last = Evaluator(model, Labelled(blobs.test_images, blobs.test_labels), pixels).score(never)
    assert end.final_test_accuracy == last.accuracy
    assert end.weights_sha256 == weights_sha256(copy_weights(model)) == weights_sha256(trainer.final_weights)
    chosen = Spoiled(good_steps=11)
    chosen.load_state_dict(trainer.best_weights)
    selected = Evaluator(chosen, Labelled(blobs.test_images, blobs.test_labels), pixels).score(never)
    assert end.selected_test_accuracy == selected.accuracy > last.accuracy


def test_the_best_weights_are_those_of_the_best_epoch_and_no_later_ones(make_trainer):
    model = Spoiled(good_steps=14)
    trainer = make_trainer(model=model, lr=0.01)
    after = [weights_sha256(copy_weights(model)) for event in trainer.run() if isinstance(event, EpochFinished)]
    assert trainer.best_epoch < 3
    assert weights_sha256(trainer.best_weights) == after[trainer.best_epoch - 1]


def test_a_moving_average_is_what_is_scored_and_kept(make_trainer, blobs):
    trainer = make_trainer(ema=True, ema_decay=0.9)
    end = list(trainer.run())[-1]
    assert weights_sha256(copy_weights(trainer.scored_model)) == end.weights_sha256
    assert weights_sha256(copy_weights(trainer.model)) != end.weights_sha256
    pixels = Pixels(blobs.mean, blobs.std)
    score = Evaluator(trainer.scored_model, Labelled(blobs.test_images, blobs.test_labels), pixels).score(never)
    assert end.final_test_accuracy == score.accuracy
    plain = make_trainer()
    list(plain.run())
    assert weights_sha256(copy_weights(plain.model)) == weights_sha256(copy_weights(trainer.model))


@pytest.mark.parametrize("question", [15, 16])
@pytest.mark.parametrize("ema", [False, True])
def test_a_stop_in_the_final_scoring_leaves_the_weights_of_the_last_epoch(make_trainer, question, ema):
    """Behind a validation split the test set is scored for the last and for the selected epoch, at the very end."""
    trainer = make_trainer(model=Spoiled(good_steps=11), val_split=64, lr=0.01, ema=ema, ema_decay=0.01)
    last = ""
    for event in trainer.run(asked(question)):
        if isinstance(event, EpochFinished):
            last = weights_sha256(copy_weights(trainer.scored_model))
    assert isinstance(event, RunStopped)
    assert trainer.best_epoch < trainer.epoch == 3
    assert weights_sha256(copy_weights(trainer.scored_model)) == last
