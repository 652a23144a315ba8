"""Our steps are those of torch's optimizer, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from plain_optimizers import PlainOptimizer
from torch import nn

from core.config import TrainConfig
from core.training.optimizers.optimizer import Optimizer

RECIPES = [
    {"momentum": 0.0},
    {"momentum": 0.9},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
]


def gradients_of(model: nn.Module, step: int) -> None:
    inputs = torch.randn(6, 3, 7, 7, generator=torch.Generator().manual_seed(step))
    model.zero_grad()
    model(inputs.to(memory_format=torch.channels_last)).square().mean().backward()


def make_model() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("options", RECIPES, ids=str)
def test_steps_equal_those_of_torchs_optimizer_bit_for_bit(options):
    config, rate = TrainConfig.checked(options), torch.zeros(1, dtype=torch.float64)
    ours, theirs = make_model(), make_model()
    optimizer, reference = (
        Optimizer(ours, config, rate),
        torch.optim.SGD(theirs.parameters(), lr=0.1, fused=True, **options),
    )
    for step, lr in enumerate((0.1, 0.3, 0.02)):
        gradients_of(ours, step)
        gradients_of(theirs, step)
        rate.fill_(lr)
        reference.param_groups[0]["lr"] = lr
        optimizer.step()
        reference.step()
        for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(mine, its)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "muon"])
def test_parameters_of_several_types_are_moved_too(optimizer):
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2).double(), nn.Linear(2, 4).bfloat16(), nn.Linear(4, 10))
    theirs = deepcopy(ours)
    config = TrainConfig.checked({"optimizer": optimizer, "nesterov": True, "weight_decay": 0.01, "clip_norm": 5.0})
    moves = Optimizer(ours, config, torch.full((1,), config.lr, dtype=torch.float64))
    reference = PlainOptimizer(theirs, config)
    for step in range(3):
        for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.grad = torch.randn_like(mine) + step
            its.grad = mine.grad.clone()
        moves.step()
        reference.step(config.lr)
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        coarse = mine.dtype == torch.bfloat16
        torch.testing.assert_close(mine, its, atol=0.1 if coarse else 1e-5, rtol=0.02 if coarse else 1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "muon"])
def test_parameters_that_are_frozen_or_unused_are_left_alone_even_with_weight_decay(optimizer):
    model = make_model()
    model.add_module("unused", nn.Linear(2, 2))
    model[0].requires_grad_(False)
    before = deepcopy(model.state_dict())
    config = TrainConfig.checked({"optimizer": optimizer, "weight_decay": 0.5, "l1": 0.1, "clip_norm": 1.0})
    moves = Optimizer(model, config, torch.full((1,), 0.1, dtype=torch.float64))
    moves.zero_grad()
    moves.step()
    model[2](model[1](model[0](torch.randn(2, 3, 7, 7)))).sum().backward()
    moves.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"2.weight", "2.bias"}


def test_making_one_does_not_import_torchs_compiler():
    code = """
import sys, torch
from core.config import TrainConfig
from core.training.optimizers.optimizer import Optimizer
model = torch.nn.Linear(2, 2)
model(torch.ones(1, 2)).sum().backward()
for name in ("sgd", "adam", "adamw", "rmsprop", "muon"):
    config = TrainConfig(optimizer=name, clip_norm=1.0, l1=0.1)
    Optimizer(model, config, torch.full((1,), 0.1, dtype=torch.float64)).step()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
