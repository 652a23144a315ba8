"""The learning rate of each step, held against torch's schedulers."""

import math

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR

from core.config import TrainConfig
from core.training.schedule import learning_rate

SIZES = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 2), (5, 7), (20, 16), (20, 235)]


def rates(config: TrainConfig, steps: int) -> list[float]:
    return [learning_rate(config, step, steps) for step in range(config.epochs * steps)]


def torchs_rates(make, config: TrainConfig, steps: int, *, once_an_epoch: bool = False) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.lr, momentum=0.9)
    scheduler = make(optimizer)
    found = []
    for step in range(config.epochs * steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        is_last = step == config.epochs * steps - 1
        if not is_last and (not once_an_epoch or (step + 1) % steps == 0):
            scheduler.step()
    return found


@pytest.mark.parametrize(("epochs", "steps"), SIZES)
@pytest.mark.parametrize("warmup", [0.3, 0.05, 0.95])
def test_onecycle_is_torchs(epochs, steps, warmup):
    config = TrainConfig(schedule="onecycle", epochs=epochs, warmup=warmup, lr=0.1)
    total = epochs * steps
    expected = torchs_rates(
        lambda optimizer: OneCycleLR(optimizer, 0.1, total_steps=total, pct_start=warmup, cycle_momentum=False),
        config,
        steps,
    )
    assert rates(config, steps) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_a_warmup_of_one_step_which_torch_divides_by_zero_on_starts_at_the_top():
    config = TrainConfig(schedule="onecycle", epochs=1, warmup=0.5, lr=0.1)
    assert rates(config, 2) == pytest.approx([0.1, 0.1 / 25 / 1e4])


@pytest.mark.parametrize(("epochs", "steps"), SIZES)
def test_cosine_is_torchs(epochs, steps):
    config = TrainConfig(schedule="cosine", epochs=epochs, lr=0.1)
    expected = torchs_rates(lambda optimizer: CosineAnnealingLR(optimizer, T_max=epochs * steps), config, steps)
    assert rates(config, steps) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("epochs", "steps"), SIZES)
@pytest.mark.parametrize(("size", "gamma"), [(1, 0.5), (2, 0.1), (7, 0.3), (100, 0.1)])
def test_step_is_torchs(epochs, steps, size, gamma):
    config = TrainConfig(schedule="step", epochs=epochs, step_size=size, gamma=gamma, lr=0.1)
    expected = torchs_rates(lambda optimizer: StepLR(optimizer, size, gamma), config, steps, once_an_epoch=True)
    assert rates(config, steps) == pytest.approx(expected, rel=1e-9)


def test_constant_is_constant():
    assert set(rates(TrainConfig(lr=0.03), 50)) == {0.03}


@pytest.mark.parametrize("schedule", ["constant", "onecycle", "cosine", "step"])
@pytest.mark.parametrize("warmup", [1e-300, 1e-9, 0.5, 1 - 1e-16, 1 - 2**-53])
def test_every_rate_is_finite_and_never_above_the_configs(schedule, warmup):
    for epochs, steps in SIZES[:6]:
        config = TrainConfig(schedule=schedule, epochs=epochs, warmup=warmup, lr=0.1)
        assert all(math.isfinite(rate) and 0 <= rate <= 0.1 * (1 + 1e-12) for rate in rates(config, steps))
