"""Each optimizer gives the same in every engine, and after a stop in the middle of an epoch."""

from __future__ import annotations

import pytest
import torch
from optimizer_recipes import OPTIMIZER_RECIPES
from plain_training import train_with

from core.config import TrainConfig
from core.engines.native.engine import NativeEngine
from core.events import EpochFinished, RunFinished
from core.storage.checkpoint import load_checkpoint, save_checkpoint

SMALL = {"arch": "c4k5s3 p2 s6k3p1 gap fc12 fc10", "lr": 0.05, "batch_size": 48, "epochs": 2, "device": "cpu"}


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("recipe", OPTIMIZER_RECIPES)
def test_the_gradients_of_the_kernels_lead_to_the_same_weights(blobs, recipe):
    config = TrainConfig.checked(SMALL | OPTIMIZER_RECIPES[recipe])
    native = train_with(config, blobs, torch.float64, NativeEngine("fp32"))
    eager = train_with(config, blobs, torch.float64)
    for name, tensor in eager.tensors().items():
        error = (native.tensors()[name] - tensor).abs().max() if tensor.is_floating_point() else 0
        assert error <= 1e-9, name


@pytest.mark.parametrize("engine", ["eager", "native"])
@pytest.mark.parametrize("recipe", OPTIMIZER_RECIPES)
def test_a_run_that_is_stopped_within_an_epoch_goes_on_to_the_same_bits(
    make_trainer, kernels, tmp_path, recipe, engine
):
    values = SMALL | OPTIMIZER_RECIPES[recipe] | {"engine": engine}
    *_, whole = make_trainer(**values).run()
    assert isinstance(whole, RunFinished)
    for questions in (3, 11):
        left = iter(range(questions))
        first = make_trainer(**values)
        list(first.run(lambda left=left: "" if next(left, None) is not None else "enough"))
        assert first.step not in (0, first.steps_per_epoch)
        save_checkpoint(first.checkpoint(), tmp_path / "c.safetensors")
        second = make_trainer(**values)
        second.restore(load_checkpoint(tmp_path / "c.safetensors"))
        *_, end = second.run()
        assert end.weights_sha256 == whole.weights_sha256


def test_bfloat16_trains_with_each(make_trainer):
    for recipe in OPTIMIZER_RECIPES.values():
        events = list(make_trainer(**(SMALL | recipe | {"precision": "bf16"})).run())
        assert isinstance(events[-1], RunFinished)
        losses = [event.train_loss for event in events if isinstance(event, EpochFinished)]
        assert losses[1] < losses[0]
