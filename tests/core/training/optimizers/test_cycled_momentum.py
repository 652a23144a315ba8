"""A momentum that differs from step to step, held against torch's optimizers under OneCycleLR."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from plain_training import make_scheduler, step_quietly
from torch import nn

from core.config import TrainConfig
from core.training.optimizers.optimizer import Optimizer
from core.training.schedule import learning_rate, momentum_of
from core.training.trainer import Trainer

STEPS = 60
EPOCHS = 6
CYCLE = {"schedule": "onecycle", "cycle_momentum": True, "base_momentum": 0.6, "max_momentum": 0.95, "epochs": EPOCHS}


def make_model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(2, 5, 3), nn.Tanh(), nn.Flatten(), nn.Linear(45, 4)).double()


def add_gradients(model: nn.Module, step: int) -> None:
    model.zero_grad()
    inputs = torch.randn(6, 2, 5, 5, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
    (model(inputs) - 0.3).square().mean().backward()


def torchs(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    rest = {"lr": config.lr, "weight_decay": config.weight_decay, "foreach": False}
    match config.optimizer:
        case "sgd":
            return torch.optim.SGD(model.parameters(), momentum=0.1, nesterov=config.nesterov, **rest)
        case "rmsprop":
            return torch.optim.RMSprop(model.parameters(), momentum=0.1, alpha=config.alpha, eps=config.eps, **rest)
        case "adam":
            return torch.optim.Adam(model.parameters(), betas=(0.1, config.beta2), eps=config.eps, **rest)
        case _:
            return torch.optim.AdamW(model.parameters(), betas=(0.1, config.beta2), eps=config.eps, **rest)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("phases", [{}, {"three_phase": True, "anneal": "linear"}], ids=["cos", "linear"])
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0},  # which the cycle takes the place of
        {"optimizer": "sgd", "lr": 0.1, "nesterov": True},
        {"optimizer": "rmsprop", "lr": 0.01},
        {"optimizer": "adam", "lr": 0.01},
        {"optimizer": "adamw", "lr": 0.01},
    ],
    ids=str,
)
def test_sixty_steps_are_torchs_in_double_precision(options, phases, weight_decay):
    config = TrainConfig.checked({**CYCLE, **options, **phases, "weight_decay": weight_decay})
    ours = make_model()
    theirs = deepcopy(ours)
    lr, momentum = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    optimizer = Optimizer(ours, config, lr, momentum)
    reference = torchs(config, theirs)
    scheduler = make_scheduler(config, reference, STEPS // EPOCHS)
    for step in range(STEPS):
        lr.fill_(learning_rate(config, step, STEPS // EPOCHS))
        momentum.fill_(momentum_of(config, step, STEPS // EPOCHS))
        for model, moved in ((ours, optimizer), (theirs, reference)):
            add_gradients(model, step)
            moved.step()
        if step + 1 < STEPS:
            step_quietly(scheduler)
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-9, atol=1e-12)


@pytest.fixture
def momenta_taken(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The momentum of each step that an optimizer takes."""
    taken: list[float] = []
    make, step, given = Optimizer.__init__, Optimizer.step, {}

    def made(self, model, config, lr, momentum=None, *others):
        given[id(self)] = momentum
        make(self, model, config, lr, momentum, *others)

    def told(self):
        step(self)
        if given[id(self)] is not None:
            taken.append(float(given[id(self)]))

    monkeypatch.setattr(Optimizer, "__init__", made)
    monkeypatch.setattr(Optimizer, "step", told)
    return taken


@pytest.mark.parametrize("optimizer", ["sgd", "muon", "adamw"])
def test_each_step_of_a_run_has_its_momentum(make_trainer, momenta_taken, optimizer):
    trainer: Trainer = make_trainer(**CYCLE | {"epochs": 3}, optimizer=optimizer, lr=0.01, engine="eager")
    list(trainer.run())
    steps = trainer.steps_per_epoch
    assert momenta_taken == [momentum_of(trainer.config, step, steps) for step in range(3 * steps)]
    assert min(momenta_taken) == pytest.approx(0.6, abs=0.05)


def test_a_cycle_without_a_way_is_the_momentum_itself_to_the_rounding(make_trainer):
    still = {"schedule": "onecycle", "cycle_momentum": True, "base_momentum": 0.9, "max_momentum": 0.9}
    for optimizer in ("sgd", "adam", "muon"):
        cycled = make_trainer(**still, optimizer=optimizer, lr=0.01, engine="eager")
        plain = make_trainer(schedule="onecycle", momentum=0.9, optimizer=optimizer, lr=0.01, engine="eager")
        for trainer in (cycled, plain):
            list(trainer.run())
        for name, tensor in plain.final_weights.items():
            torch.testing.assert_close(cycled.final_weights[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
