"""The training step, held against a plain PyTorch loop in double precision."""

import pytest
import torch
from plain_training import COMMON_RECIPES, assert_follows, make_step, start_epoch, train_plainly, train_with
from torch.nn import functional as F

from core.config import TrainConfig
from core.engines.engine import batch_sizes
from core.models.network import make_network
from core.storage.tensors import weights_sha256
from core.training.average import copy_weights
from core.training.evaluate import Pixels
from core.training.sampling import EpochDraw

TINY = {"arch": "c4k5s3 p2 c8k3 gap fc10", "lr": 0.02, "batch_size": 48, "epochs": 8, "device": "cpu"}
"""On 320 images eight epochs of six batches and a tail of 32: 56 steps."""

RECIPES = {
    **COMMON_RECIPES,
    "one batch an epoch": {"batch_size": 1000, "epochs": 50, "schedule": "onecycle", "budget": False},
    "separable, dropout of 0": {"arch": "s6p1 a4 c8nk3 d0 fc12 fc10", "schedule": "cosine", "ema": True},
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_fifty_steps_equal_a_plain_loop_in_double_precision(blobs, recipe, dtype, tolerance):
    config = TrainConfig.checked(TINY | RECIPES[recipe])
    plain = train_plainly(config, blobs)
    trained = train_with(config, blobs, dtype)
    assert len(trained.rates) >= 50
    assert_follows(trained, plain, tolerance)
    assert trained.correct == plain.correct


@pytest.mark.parametrize("arch", ["conv9", "conv5"])
def test_the_named_networks_equal_a_plain_loop_in_double_precision(blobs, arch):
    config = TrainConfig.checked(TINY | {"arch": arch, "lr": 0.002, "epochs": 2, "schedule": "onecycle"})
    assert_follows(train_with(config, blobs, torch.float64), train_plainly(config, blobs), 1e-9)


def test_totals_begin_anew_with_each_epoch(blobs):
    config = TrainConfig.checked(TINY | {"lr": 1e-9, "momentum": 0.0, "epochs": 1})
    once = train_with(config, blobs)
    twice = train_with(config.changed(epochs=2), blobs)
    assert 0 < once.correct <= 320
    assert twice.loss == pytest.approx(once.loss, rel=0.05)


def test_a_step_trains_on_the_images_at_its_place_in_the_order_and_on_no_others(blobs):
    config = TrainConfig.checked(TINY | {"arch": "fc10", "batch_size": 32, "lr": 0.1, "momentum": 0.0})
    order = torch.arange(320).flip(0)
    step, model, _ = make_step(config, blobs)
    step.start_epoch([EpochDraw(order, None)], [[0.0, 0.0, 0.1] + [0.0] * 7], 0)
    for _ in range(10):
        step(32)
    weight = model.state_dict()["Linear-1.weight"]
    fresh = make_network(config)[1]
    chosen = order[64:96]
    inputs = Pixels(blobs.mean, blobs.std)(blobs.train_images[chosen])
    F.cross_entropy(fresh(inputs), blobs.train_labels[chosen]).backward()
    linear = fresh[-1]
    torch.testing.assert_close(weight, linear.weight.detach() - 0.1 * linear.weight.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.0}, {"ema": True, "augment": "affine", "schedule": "onecycle"}])
def test_a_step_goes_on_exactly_from_its_state(blobs, options):
    config = TrainConfig.checked(TINY | options)
    step, model, average = make_step(config, blobs)
    start_epoch(step, config, 320, 2)
    for size in (48, 48):
        step(size)
    state, weights = step.state(), copy_weights(model)
    averaged = None if average is None else copy_weights(average.model)
    assert int(state["steps"]) == 7 + 2
    other, other_model, other_average = make_step(config, blobs)
    other_model.load_state_dict(weights)
    if other_average is not None:
        other_average.model.load_state_dict(averaged)
    start_epoch(other, config, 320, 2)
    other.load_state(state)
    for size in (48, 48, 48, 48, 32):
        step(size)
        other(size)
    assert weights_sha256(copy_weights(other_model)) == weights_sha256(copy_weights(model))
    assert other.totals() == step.totals()
    if average is not None:
        assert weights_sha256(copy_weights(other_average.model)) == weights_sha256(copy_weights(average.model))


def test_between_two_epochs_a_state_leads_to_the_start_of_the_next(blobs):
    config = TrainConfig.checked(TINY)
    step, _, _ = make_step(config, blobs)
    start_epoch(step, config, 320, 2)
    for size in (48, 48, 48, 48, 48, 48, 32):
        step(size)
    state = step.state()
    assert int(state["steps"]) == 14
    start_epoch(step, config, 320, 1)
    step.load_state(state)
    assert int(step.state()["steps"]) == 14
    step(48)  # as an engine does that gets ready
    assert int(step.state()["steps"]) == 15


def test_everything_keeps_its_place_in_memory_from_epoch_to_epoch(blobs):
    config = TrainConfig.checked(TINY | {"ema": True, "augment": "shift"})
    step, _, _ = make_step(config, blobs)
    start_epoch(step, config, 320, 1)
    step(48)
    tensors = {name: value for name, value in vars(step).items() if isinstance(value, torch.Tensor)}
    places = {name: tensor.data_ptr() for name, tensor in tensors.items()}
    changed = [tensor.data_ptr() for tensor in step.changed()]
    state = step.state()
    start_epoch(step, config, 320, 2)
    step(48)
    step.load_state(state)
    assert {name: vars(step)[name].data_ptr() for name in places} == places
    assert {"_order", "_changes", "_rates", "_shares"} <= places.keys()
    assert [tensor.data_ptr() for tensor in step.changed()] == changed


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(320, 48, [48, 32]), (320, 64, [64]), (5, 64, [5]), (64, 64, [64]), (65, 64, [64, 1])]
)
def test_batches_have_at_most_two_sizes(count, size, sizes):
    assert batch_sizes(count, size) == sizes
