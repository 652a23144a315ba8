"""Whole runs on a data set that is learnt in a second: events in order, numbers, determinism, failures."""

import json
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

import core.training.loop
from core.errors import InvalidValue
from core.events import EpochFinished, RunFailed, RunFinished, StepProgress, TrainEvent, to_record
from core.storage.tensors import weights_sha256
from core.training.average import copy_weights
from core.training.evaluate import Evaluator, Labelled, Pixels
from core.training.schedule import learning_rate
from core.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("every_step_is_told")

MakeTrainer = Callable[..., Trainer]


def run(make_trainer: MakeTrainer, **options: object) -> list[TrainEvent]:
    return list(make_trainer(**options).run())


def epochs(events: list[TrainEvent]) -> list[EpochFinished]:
    return [event for event in events if isinstance(event, EpochFinished)]


def digest(make_trainer: MakeTrainer, **options: object) -> str:
    end = run(make_trainer, **options)[-1]
    assert isinstance(end, RunFinished), end
    return end.weights_sha256


def test_a_run_learns_and_tells_its_story_in_order(make_trainer, blobs):
    trainer = make_trainer()
    events = list(trainer.run())
    told = [event.NAME for event in events if not isinstance(event, StepProgress)]
    assert told == ["run_started", *["epoch_finished"] * 3, "run_finished"]
    steps = [(event.epoch, event.step, event.steps_per_epoch) for event in events if isinstance(event, StepProgress)]
    assert steps == [(epoch, step, 5) for epoch in (1, 2, 3) for step in (1, 2, 3, 4, 5)]
    started, end = events[0], events[-1]
    assert started.config == trainer.config.model_dump()
    assert (started.spec, started.total_params) == ("c4k5s3 p2 c8k3 gap fc10", 514)
    assert (started.train_images, started.val_images, started.test_images, started.steps_per_epoch) == (320, 0, 130, 5)
    assert (started.dataset, started.note) == ("blobs", "")
    scores = [event.test_accuracy for event in epochs(events)]
    assert scores[-1] > 0.5
    assert epochs(events)[-1].train_loss < epochs(events)[0].train_loss
    assert (end.epochs, end.final_test_accuracy, end.best_test_accuracy) == (3, scores[-1], max(scores))
    assert end.best_epoch == scores.index(max(scores)) + 1
    assert (end.selected_epoch, end.selected_test_accuracy) == (None, None)
    assert end.weights_sha256 == weights_sha256(copy_weights(trainer.model)) == weights_sha256(trainer.final_weights)


def test_every_event_is_ready_for_json(make_trainer):
    for event in run(make_trainer, val_split=20):
        json.dumps(to_record(event), allow_nan=False)


def test_an_epochs_numbers_are_those_of_its_steps_and_of_its_model(make_trainer, blobs):
    trainer = make_trainer(batch_size=48)  # six batches and a tail of 32
    losses: list[tuple[float, int]] = []
    for event in trainer.run():
        if isinstance(event, StepProgress):
            losses.append((event.loss, 48 if event.step < 7 else 32))
        if isinstance(event, EpochFinished):
            mean = sum(loss * images for loss, images in losses) / 320
            assert event.train_loss == pytest.approx(mean, rel=1e-6)
            data = Labelled(blobs.test_images, blobs.test_labels)
            score = Evaluator(trainer.model, data, Pixels(blobs.mean, blobs.std)).score(str)
            assert (event.test_correct, event.test_total) == (score.correct, 130)
            assert (event.test_accuracy, event.test_loss) == (score.accuracy, pytest.approx(score.loss))
            assert (event.val_loss, event.val_accuracy) == (None, None)
            losses.clear()


def test_training_leaves_the_data_set_as_it_was(make_trainer, blobs):
    before = [tensor.clone() for tensor in (blobs.train_images, blobs.train_labels, blobs.test_images)]
    run(make_trainer, augment="affine", epochs=1)
    after = [blobs.train_images, blobs.train_labels, blobs.test_images]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("schedule", ["constant", "onecycle", "cosine", "step"])
def test_each_step_is_taken_at_the_rate_that_the_schedule_says(make_trainer, schedule, steps_taken):
    options = {"schedule": schedule, "step_size": 2}
    trainer = make_trainer(**options)
    events = list(trainer.run())
    assert steps_taken == [learning_rate(trainer.config, step, 5) for step in range(15)]
    assert [event.lr for event in epochs(events)] == steps_taken[4::5]


RECIPES = [
    {},
    {"augment": "shift"},
    {"augment": "affine"},
    {"dropout": 0.2},
    {"precision": "bf16"},
    {"ema": True},
    {"label_smoothing": 0.1, "nesterov": True, "weight_decay": 1e-3},
    {"val_split": 40},
    {"arch": "s8p1 a2 c8n d0.3 p2 fc16 fc10"},
]


@pytest.mark.parametrize("options", RECIPES, ids=lambda options: "-".join(options) or "plain")
def test_one_seed_gives_one_run_and_another_seed_another(make_trainer, options, untimed):
    first = run(make_trainer, epochs=2, **options)
    torch.rand(7)
    again = run(make_trainer, epochs=2, **options)
    assert isinstance(first[-1], RunFinished)
    assert untimed(first) == untimed(again)
    assert digest(make_trainer, epochs=2, seed=1, **options) != first[-1].weights_sha256


def test_no_two_recipes_give_the_same_weights(make_trainer):
    assert len({digest(make_trainer, epochs=1, **options) for options in RECIPES}) == len(RECIPES)


def test_how_often_progress_is_told_changes_nothing(make_trainer, monkeypatch, untimed):
    often = run(make_trainer)
    monkeypatch.setattr(core.training.loop, "PROGRESS_INTERVAL", 1e9)
    seldom = run(make_trainer)
    steps = [(event.epoch, event.step) for event in seldom if isinstance(event, StepProgress)]
    assert steps == [(epoch, step) for epoch in (1, 2, 3) for step in (1, 5)]
    assert untimed(epochs(often)) == untimed(epochs(seldom))
    assert seldom[-1].weights_sha256 == often[-1].weights_sha256


def test_a_limited_run_is_the_run_on_the_first_images(make_trainer, blobs):
    events = run(make_trainer, limit_train=100, limit_test=30)
    assert (events[0].train_images, events[0].test_images, events[0].steps_per_epoch) == (100, 30, 2)
    assert {event.test_total for event in epochs(events)} == {30}
    assert events[-1].weights_sha256 == digest(make_trainer, data=blobs.limited(100, 30))
    assert run(make_trainer, limit_train=10**6)[0].train_images == 320


@pytest.mark.parametrize("lr", [100.0, 20.0])
def test_a_loss_that_is_not_finite_fails_the_run_with_a_way_out(make_trainer, lr, presentable):
    *events, end = run(make_trainer, lr=lr, arch="fc64 fc64 fc10", epochs=20, budget=False)
    assert isinstance(end, RunFailed)
    assert all(math.isfinite(event.loss) for event in events if isinstance(event, StepProgress))
    presentable(end.error, f"the loss is not finite in epoch {end.epoch}")
    presentable(end.hint, f"lower lr than {lr:g}")


def test_activations_are_channels_last_in_training(make_trainer):
    trainer = make_trainer(epochs=1, engine="eager")
    strides: list[tuple[int, ...]] = []
    first = next(module for module in trainer.model.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda _module, _inputs, output: strides.append(output.stride()))
    list(trainer.run())
    assert set(strides) == {(4 * 8 * 8, 1, 4 * 8, 4)}
    second = next(module for module in trainer.model.modules() if isinstance(module, nn.Conv2d) and module is not first)
    for tensor in (second.weight, second.weight.grad):
        assert tensor.stride() == (4 * 3 * 3, 1, 4 * 3, 4)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"batch_size": 1}, "batch_size"),
        ({"batch_size": 319}, "batch_size"),
        ({"limit_train": 65}, "batch_size"),
        ({"val_split": 319}, "val_split"),
    ],
)
def test_a_last_batch_of_one_is_refused_where_a_norm_would_have_no_deviation(make_trainer, options, field, presentable):
    with pytest.raises(InvalidValue) as caught:
        make_trainer(arch="c8k5s4 p6 c8k1 fc10", **options)
    assert caught.value.field == field
    presentable(caught.value.message, "BatchNorm2d-5", "one image")
    assert isinstance(run(make_trainer, arch="c8k5s4 p6 c8k1n fc10", epochs=1, **options)[-1], RunFinished)


@pytest.mark.parametrize(
    ("arch", "named"),
    [
        ("c4s9 gap flat bn fc10", "BatchNorm1d-4 has no deviation"),
        ("fc8l bn fc10", "BatchNorm1d-2 has no deviation"),
        ("c4s9 p3 res(c4k1l | bn) fc10", "BatchNorm2d-5 on a 1x1 map has no deviation"),
        ("c4s9 p3 tie2(c4k1) fc10", "BatchNorm2d-5 on a 1x1 map has no deviation"),
    ],
)
def test_so_is_one_of_units_and_one_inside_other_layers(make_trainer, arch, named, presentable):
    with pytest.raises(InvalidValue) as caught:
        make_trainer(arch=arch, batch_size=319)
    presentable(caught.value.message, named)


def test_norms_of_one_image_alone_train_on_a_last_batch_of_one(make_trainer):
    arch = "c4s9l in gap gn2 flat ln fc8l gn4 fc10"
    assert isinstance(run(make_trainer, arch=arch, epochs=1, batch_size=319)[-1], RunFinished)


def test_a_norm_on_a_map_of_one_pixel_trains_on_a_last_batch_of_two(make_trainer):
    assert isinstance(run(make_trainer, arch="c8k5s4 p6 c8k1 fc10", epochs=1, batch_size=318)[-1], RunFinished)


@pytest.mark.parametrize("held_out", [320, 321, 50_000])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(make_trainer, held_out):
    with pytest.raises(InvalidValue, match="must be below the 320 training images"):
        make_trainer(val_split=held_out)


class Breaks(nn.Module):
    """Works in evaluation, and in training raises or takes more memory than there is."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        self.error = error

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and self.error is not None:
            raise self.error
        if self.training:
            torch.empty(1 << 58)
        return self.net(images)


def test_running_out_of_memory_fails_the_run_with_a_way_out(make_trainer, presentable):
    end = run(make_trainer, model=Breaks(None))[-1]
    assert isinstance(end, RunFailed)
    presentable(end.error, "out of memory on cpu")
    presentable(end.hint, "smaller batch size than 64")


def test_a_defect_is_not_swallowed_but_a_users_module_is_blamed_for_its_own(make_trainer, presentable):
    model = Breaks(ZeroDivisionError("of\nmine \x1b[2J" + "x" * 5000))
    with pytest.raises(ZeroDivisionError):
        run(make_trainer, model=model)
    with pytest.raises(InvalidValue) as caught:
        run(make_trainer, model=model, arch="nets.py:Net")
    presentable(caught.value.message, "nets.py:Net", "ZeroDivisionError: of mine")
