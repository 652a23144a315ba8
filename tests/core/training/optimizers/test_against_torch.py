"""Each optimizer with its options takes the steps of torch's own, in double precision."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_optimizers import PlainOptimizer
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import TrainConfig
from core.training.optimizers.optimizer import Optimizer

STEPS = 50

RECIPES: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": "sgd", "lr": 0.05},
    "sgd without momentum": {"optimizer": "sgd", "lr": 0.05, "momentum": 0.0, "weight_decay": 0.01},
    "sgd, all options": {
        "optimizer": "sgd",
        "lr": 0.05,
        "nesterov": True,
        "weight_decay": 0.01,
        "decay": "weights",
        "l1": 1e-4,
        "clip_norm": 0.5,
    },
    "adam": {"optimizer": "adam", "lr": 0.003},
    "adam, all options": {
        "optimizer": "adam",
        "lr": 0.003,
        "beta1": 0.8,
        "beta2": 0.95,
        "eps": 1e-6,
        "weight_decay": 0.01,
        "decay": "weights",
        "l1": 1e-4,
        "clip_norm": 0.5,
    },
    "adamw": {"optimizer": "adamw", "lr": 0.003, "weight_decay": 0.1},
    "adamw, all options": {
        "optimizer": "adamw",
        "lr": 0.003,
        "weight_decay": 0.1,
        "decay": "weights",
        "l1": 1e-4,
        "clip_norm": 0.5,
    },
    "rmsprop": {"optimizer": "rmsprop", "lr": 0.001},
    "rmsprop without momentum": {"optimizer": "rmsprop", "lr": 0.001, "momentum": 0.0, "alpha": 0.9},
    "rmsprop, all options": {
        "optimizer": "rmsprop",
        "lr": 0.001,
        "eps": 1e-6,
        "weight_decay": 0.01,
        "decay": "weights",
        "l1": 1e-4,
        "clip_norm": 0.5,
    },
    "muon": {"optimizer": "muon", "lr": 0.02},
    "muon, all options": {
        "optimizer": "muon",
        "lr": 0.02,
        "momentum": 0.95,
        "nesterov": True,
        "adamw_lr": 0.001,
        "weight_decay": 0.1,
        "decay": "weights",
        "l1": 1e-4,
        "clip_norm": 0.5,
    },
}


class Net(nn.Module):
    """Kernels that are wide, tall, in groups and depthwise, norms of several kinds, and matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 3),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3, groups=6, bias=False),
            nn.Conv2d(6, 10, 1),
            nn.LayerNorm([10, 4, 4]),
            nn.Conv2d(10, 8, 3, groups=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32, 12),
            nn.Tanh(),
        )
        self.head = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def make_net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net().double().to(memory_format=torch.channels_last)


def loss_of(model: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(16, 1, 8, 8, generator=generator, dtype=torch.float64)
    return F.cross_entropy(model(images), torch.randint(0, 10, (16,), generator=generator))


def rate_of(config: TrainConfig, step: int) -> float:
    return config.lr * (0.3 + 0.7 * ((7 * step) % 11) / 10)


def momentum_of(step: int) -> float:
    return 0.85 + 0.1 * ((3 * step) % 7) / 6


def trained(config: TrainConfig, steps: int, *, cycled: bool = False) -> tuple[Net, Net]:
    """Our network and torch's after so many steps."""
    ours = make_net()
    theirs = deepcopy(ours).to(memory_format=torch.contiguous_format)
    lr, momentum = (torch.zeros(1, dtype=torch.float64) for _ in range(2))
    optimizer = Optimizer(ours, config, lr, momentum if cycled else None)
    reference = PlainOptimizer(theirs, config)
    for step in range(steps):
        lr.fill_(rate_of(config, step))
        momentum.fill_(momentum_of(step))
        optimizer.zero_grad()
        loss_of(ours, step).backward()
        optimizer.step()
        reference.zero_grad()
        loss = loss_of(theirs, step)
        (loss + reference.penalty() if config.l1 else loss).backward()
        reference.step(rate_of(config, step), momentum_of(step) if cycled else None)
    return ours, theirs


def assert_equal(ours: nn.Module, theirs: nn.Module, tolerance: float = 1e-9) -> None:
    named = dict(theirs.named_parameters())
    for name, mine in ours.named_parameters():
        its = named[name]
        error = float((mine - its).detach().abs().max())
        assert error <= tolerance * max(float(its.detach().abs().max()), 0.1), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_fifty_steps_with_a_changing_rate_are_torchs(recipe):
    ours, theirs = trained(TrainConfig.checked(RECIPES[recipe]), STEPS)
    assert_equal(ours, theirs)
    before = dict(make_net().named_parameters())
    assert not any(torch.equal(one, before[name]) for name, one in ours.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name.endswith("options")])
def test_with_a_momentum_that_changes_from_step_to_step_they_are_torchs(recipe):
    assert_equal(*trained(TrainConfig.checked(RECIPES[recipe]), STEPS, cycled=True))


@settings(max_examples=12, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "optimizer": st.sampled_from(["sgd", "adam", "adamw", "rmsprop", "muon"]),
            "momentum": st.sampled_from([0.5, 0.9, 0.99]),
            "nesterov": st.booleans(),
            "beta1": st.sampled_from([0.0, 0.5, 0.9]),
            "beta2": st.sampled_from([0.9, 0.999]),
            "eps": st.sampled_from([1e-8, 1e-3]),
            "weight_decay": st.sampled_from([0.0, 0.01, 1.0]),
            "decay": st.sampled_from(["all", "weights"]),
            "l1": st.sampled_from([0.0, 1e-3]),
            "clip_norm": st.sampled_from([0.0, 0.1, 100.0]),
        }
    )
)
def test_so_are_those_of_any_options(options):
    config = TrainConfig.checked({"lr": 0.002} | options)
    assert_equal(*trained(config, 8))


def test_in_single_precision_muon_is_torchs_but_for_its_rounding_to_bfloat16():
    torch.manual_seed(3)
    gradient = torch.randn(16, 40)
    model = nn.Sequential(nn.Linear(40, 16, bias=False), nn.Linear(16, 10, bias=False))
    theirs = nn.Parameter(model[0].weight.detach().clone())
    before = theirs.detach().clone()
    model[0].weight.grad, theirs.grad = gradient.clone(), gradient.clone()
    config = TrainConfig.checked({"optimizer": "muon", "lr": 0.1})
    Optimizer(model, config, torch.full((1,), 0.1, dtype=torch.float64)).step()
    torch.optim.Muon([theirs], lr=0.1, momentum=0.9, weight_decay=0.0, nesterov=False).step()
    moved = theirs.detach() - before
    assert float((model[0].weight.detach() - theirs.detach()).norm()) < 0.02 * float(moved.norm())
