"""The learning rate and the momentum of each step, held against torch's schedulers and optimizers."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_training import make_scheduler, step_quietly
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from core.config import Schedule, TrainConfig
from core.training.schedule import curve, cycles_momentum, learning_rate, momentum_of, plateau_rates, warmup_steps

SIZES = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 2), (5, 7), (20, 16), (20, 235)]
LATE = st.floats(1e-3, 0.3)
"""Rates, and lowest rates: a drop to them is above the smallest that plateau makes."""


def rates(config: TrainConfig, steps: int) -> list[float]:
    return [learning_rate(config, step, steps) for step in range(config.epochs * steps)]


def momenta(config: TrainConfig, steps: int) -> list[float]:
    return [momentum_of(config, step, steps) for step in range(config.epochs * steps)]


def torchs(config: TrainConfig, steps: int, adam: bool = False) -> list[tuple[float, float]]:
    """The rate and the momentum, or beta1, that torch's optimizer has for each step."""
    parameters = [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))]
    optimizer: Optimizer = AdamW(parameters, lr=config.lr) if adam else SGD(parameters, lr=config.lr, momentum=0.9)
    scheduler = make_scheduler(config, optimizer, steps)
    found = []
    for step in range(config.epochs * steps):
        group = optimizer.param_groups[0]
        found.append((float(group["lr"]), group["betas"][0] if adam else group["momentum"]))
        optimizer.step()
        if step + 1 < config.epochs * steps:
            step_quietly(scheduler)
    return found


def assert_torchs(config: TrainConfig, steps: int) -> None:
    expected = [rate for rate, _ in torchs(config, steps)]
    assert rates(config, steps) == pytest.approx(expected, rel=1e-9, abs=1e-12)


ONE_CYCLES = st.fixed_dictionaries(
    {
        "warmup": st.floats(0.02, 0.5),
        "anneal": st.sampled_from(["cos", "linear"]),
        "div_factor": st.floats(1, 100),
        "final_div_factor": st.floats(1, 1e5),
        "three_phase": st.booleans(),
        "cycle_momentum": st.booleans(),
        "base_momentum": st.floats(0, 0.9),
        "max_momentum": st.floats(0.9, 0.99),
    }
)


@given(ONE_CYCLES, st.integers(1, 9), st.integers(1, 40), st.booleans())
@settings(max_examples=60, deadline=None)
def test_onecycle_is_torchs_with_all_of_its_parameters(options, epochs, steps, adam):
    assume(options["warmup"] * epochs * steps - 1 != 0)  # torch divides by zero there
    config = TrainConfig.checked({"schedule": "onecycle", "lr": 0.1, "epochs": epochs, **options})
    expected = torchs(config, steps, adam)
    assert rates(config, steps) == pytest.approx([rate for rate, _ in expected], rel=1e-9, abs=1e-12)
    if cycles_momentum(config):
        assert momenta(config, steps) == pytest.approx([momentum for _, momentum in expected], abs=1e-9)


@pytest.mark.parametrize(("epochs", "steps"), SIZES)
@pytest.mark.parametrize("warmup", [0.3, 0.05, 0.95])
def test_onecycle_is_torchs_as_it_is_by_default(epochs, steps, warmup):
    assert_torchs(TrainConfig(schedule="onecycle", epochs=epochs, warmup=warmup, lr=0.1), steps)


def test_a_warmup_of_one_step_which_torch_divides_by_zero_on_starts_at_the_top():
    config = TrainConfig(schedule="onecycle", epochs=1, warmup=0.5, lr=0.1, cycle_momentum=True)
    assert rates(config, 2) == pytest.approx([0.1, 0.1 / 25 / 1e4])
    assert momenta(config, 2) == pytest.approx([0.85, 0.95])


def test_the_momentum_is_lowest_where_the_rate_is_highest():
    config = TrainConfig(schedule="onecycle", epochs=10, lr=0.1, cycle_momentum=True, warmup=0.3)
    found, theirs = momenta(config, 10), rates(config, 10)
    assert found.index(min(found)) == theirs.index(max(theirs)) == 29
    assert (found[0], found[29], found[-1]) == pytest.approx((0.95, 0.85, 0.95))


OTHERS: list[Schedule] = ["constant", "cosine", "step", "multistep"]


@given(
    st.sampled_from(OTHERS),
    st.fixed_dictionaries(
        {
            "epochs": st.integers(1, 12),
            "warmup_epochs": st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 3.0]),
            "min_lr": st.floats(0, 0.1),
            "gamma": st.floats(0.05, 1),
            "step_size": st.integers(1, 5),
            "milestones": st.sampled_from(["1", "2,5", "5, 2", "3+3 + 7", "1,40"]),
        }
    ),
    st.integers(1, 20),
)
@settings(max_examples=80, deadline=None)
def test_each_other_schedule_is_torchs_after_a_linear_warmup(schedule, options, steps):
    assume(options["warmup_epochs"] < options["epochs"])
    config = TrainConfig.checked({"schedule": schedule, "lr": 0.1, **options})
    assume(warmup_steps(config, steps) < config.epochs * steps)
    assert_torchs(config, steps)


@pytest.mark.parametrize(("epochs", "steps"), SIZES)
@pytest.mark.parametrize("options", [{"schedule": "cosine"}, *({"schedule": "step", "step_size": n} for n in (1, 7))])
def test_cosine_and_step_are_torchs_as_they_are_by_default(epochs, steps, options):
    assert_torchs(TrainConfig(epochs=epochs, lr=0.1, **options), steps)


@pytest.mark.parametrize("schedule", [*OTHERS, "plateau"])
def test_a_warmup_rises_in_equal_steps_to_the_rate_that_the_schedule_begins_with(schedule):
    config = TrainConfig.checked({"schedule": schedule, "lr": 0.3, "epochs": 5, "warmup_epochs": 0.5})
    found = rates(config, 10)
    assert found[:6] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    without = rates(config.changed(warmup_epochs=0, epochs=5), 10)
    assert schedule == "cosine" or found[5:] == pytest.approx(without[:45])


def test_a_warmup_of_all_steps_but_a_part_of_one_is_no_division_by_zero():
    config = TrainConfig.checked({"schedule": "cosine", "lr": 0.1, "epochs": 1, "warmup_epochs": 0.999})
    assert rates(config, 3) == pytest.approx([0.025, 0.05, 0.075])


@given(
    losses=st.lists(st.sampled_from([2.0, 1.0, 0.999, 0.99, 0.5, 0.0]), max_size=30),
    lr=LATE,
    options=st.fixed_dictionaries(
        {
            "patience": st.integers(0, 4),
            "threshold": st.sampled_from([0.0, 1e-4, 0.01, 0.3]),
            "gamma": st.floats(0.05, 0.99),
            "min_lr": st.sampled_from([0.0, 1e-3]),
        }
    ),
)
@settings(max_examples=100, deadline=None)
def test_plateau_is_torchs(losses, lr, options):
    config = TrainConfig.checked({"schedule": "plateau", "lr": lr, **options})
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = ReduceLROnPlateau(
        optimizer, "min", config.gamma, config.patience, config.threshold, min_lr=config.min_lr
    )
    expected = [lr]
    for loss in losses:
        scheduler.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    assert plateau_rates(config, losses, 10) == expected


@pytest.mark.parametrize(("warmup_epochs", "first"), [(0.0, 3), (0.2, 4), (1.0, 4), (1.1, 5)])
def test_the_epochs_of_a_warmup_do_not_count_for_plateau(warmup_epochs, first):
    options = {"schedule": "plateau", "lr": 0.1, "gamma": 0.5, "patience": 1, "warmup_epochs": warmup_epochs}
    found = plateau_rates(TrainConfig.checked(options), [1.0] * 6, 10)
    assert found.index(0.05) == first


def test_the_rate_of_a_step_on_a_plateau_is_the_one_that_is_given():
    config = TrainConfig.checked({"schedule": "plateau", "lr": 0.1, "warmup_epochs": 1.0})
    assert learning_rate(config, 9, 10, on_plateau=0.02) == pytest.approx(0.1 * 10 / 11)
    assert learning_rate(config, 10, 10, on_plateau=0.02) == 0.02
    assert learning_rate(config, 10, 10) == 0.1


def test_constant_is_constant():
    assert set(rates(TrainConfig(lr=0.03), 50)) == {0.03}


@pytest.mark.parametrize("schedule", ["constant", "onecycle", "cosine", "step", "multistep", "plateau"])
@pytest.mark.parametrize("warmup", [1e-300, 1e-9, 0.5, 1 - 1e-16, 1 - 2**-53])
@pytest.mark.parametrize("three_phase", [False, True])
def test_every_rate_is_finite_and_never_above_the_configs(schedule, warmup, three_phase):
    for epochs, steps in SIZES[:6]:
        config = TrainConfig(schedule=schedule, epochs=epochs, warmup=warmup, lr=0.1, three_phase=three_phase)
        assert all(math.isfinite(rate) and 0 <= rate <= 0.1 * (1 + 1e-12) for rate in rates(config, steps))
        assert all(0.85 - 1e-12 <= momentum <= 0.95 + 1e-12 for momentum in momenta(config, steps))


@pytest.mark.parametrize("schedule", ["constant", "onecycle", "cosine", "step", "multistep", "plateau"])
@pytest.mark.parametrize("points", [2, 30, 200, 10_000])
@pytest.mark.parametrize(("epochs", "steps"), SIZES)
def test_a_curve_goes_from_the_first_step_to_the_last(schedule, points, epochs, steps):
    config = TrainConfig(schedule=schedule, epochs=epochs, lr=0.1, milestones="1,2")
    found, every = curve(config, steps, points), rates(config, steps)
    assert len(found) == min(points, epochs * steps)
    assert found[0] == every[0]
    assert found[-1] == every[-1] or len(every) == 1
    assert set(found) <= set(every)
    if points >= len(every):
        assert found == every
    if schedule in ("cosine", "step", "multistep"):
        assert all(one >= other for one, other in pairwise(found))
