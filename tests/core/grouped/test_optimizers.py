"""Copies that are trained as one network move as each would alone, by every optimizer."""

from __future__ import annotations

import pytest
import torch
from optimizer_recipes import OPTIMIZER_RECIPES
from plain_training import make_step as make_single_step
from plain_training import start_epoch
from torch import Tensor

from core.config import TrainConfig
from core.data.loader import Dataset
from core.engines.graph.replayable import operations_of, replay_obstacle
from core.grouped.network import GroupedNetwork
from core.grouped.step import GroupedStep
from core.models.network import make_network
from core.training.average import copy_weights
from core.training.evaluate import Pixels
from core.training.sampling import draw_epoch
from core.training.schedule import learning_rate

SMALL = {"arch": "c4k5s3 p2 s6k3p1 c8k1g2 ln gap fc12 fc10", "batch_size": 40, "epochs": 3, "device": "cpu"}
COUNT, STEPS = 320, 8


def configs_of(recipe: str) -> list[TrainConfig]:
    """Three runs that differ in seed and rate."""
    first = TrainConfig.checked(SMALL | {"lr": 0.05} | OPTIMIZER_RECIPES[recipe])
    return [first.changed(seed=seed, lr=first.lr * factor) for seed, factor in enumerate((1.0, 0.5, 2.0))]


def make_group(configs: list[TrainConfig], data: Dataset, dtype: torch.dtype) -> tuple[GroupedStep, GroupedNetwork]:
    networks = [make_network(config) for config in configs]
    model = GroupedNetwork(networks[0][0], [network for _, network in networks]).to(dtype)
    pixels = Pixels(data.mean, data.std, dtype)
    rates = [config.lr for config in configs]
    return GroupedStep(model, configs[0], data.train_images, data.train_labels, pixels, None, highest=rates), model


def start(step: GroupedStep, configs: list[TrainConfig], epoch: int) -> None:
    before = (epoch - 1) * STEPS
    rates = [[learning_rate(config, before + at, STEPS) for at in range(STEPS)] for config in configs]
    step.start_epoch([draw_epoch(config, COUNT, epoch) for config in configs], rates, before)


def single(config: TrainConfig, data: Dataset) -> dict[str, Tensor]:
    """Weights and state of the run by itself, in double precision."""
    step, model, _ = make_single_step(config, data, torch.float64)
    model.train()
    for epoch in range(1, config.epochs + 1):
        start_epoch(step, config, COUNT, epoch)
        for _ in range(STEPS):
            step(config.batch_size)
    return copy_weights(model) | step.state()


@pytest.mark.parametrize("recipe", OPTIMIZER_RECIPES)
def test_each_copy_is_the_run_of_its_seed_and_rate(blobs, recipe):
    configs = configs_of(recipe)
    step, model = make_group(configs, blobs, torch.float64)
    for epoch in range(1, configs[0].epochs + 1):
        start(step, configs, epoch)
        for _ in range(STEPS):
            step(configs[0].batch_size)
    state = step.state()
    for copy, config in enumerate(configs):
        found = model.weights_of(copy) | step.state_of(state, copy)
        wanted = single(config, blobs)
        assert found.keys() == wanted.keys()
        for name, tensor in wanted.items():
            assert found[name].shape == tensor.shape, name
            assert float((found[name] - tensor).abs().max()) <= 1e-9 * max(float(tensor.abs().max()), 1.0), name


@pytest.mark.parametrize("recipe", OPTIMIZER_RECIPES)
def test_a_step_can_be_recorded_and_replayed(blobs, recipe):
    configs = configs_of(recipe)
    step, _ = make_group(configs, blobs, torch.float32)
    start(step, configs, 1)
    calls = [operations_of(lambda: step(40)) for _ in range(3)]
    assert replay_obstacle(calls[1], calls[2]) == ""
