"""Specs drawn at random over the whole grammar, the one-line rule for messages, and tiny trainings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
import torch
from random_specs import draw_any_spec
from torch import nn

if TYPE_CHECKING:
    from core.data.loader import Dataset
    from core.events import TrainEvent
    from core.training.trainer import Trainer

TINY = {"arch": "c4k5s3 p2 c8k3 gap fc10", "lr": 0.1, "batch_size": 64, "epochs": 3, "device": "cpu"}


@pytest.fixture(scope="session")
def random_spec() -> Callable[[random.Random], str]:
    return draw_any_spec


def assert_presentable(message: str, *named: str) -> None:
    """One line that a terminal can show, not endless, which names what it should."""
    assert message.isprintable(), repr(message)
    assert len(message) < 400, message
    for name in named:
        assert name in message


@pytest.fixture(scope="session")
def presentable() -> Callable[..., None]:
    return assert_presentable


@pytest.fixture
def make_trainer(blobs: Dataset) -> Callable[..., Trainer]:
    """Makes the trainer of a tiny network, or of a module, on data that it learns in a second."""
    from core.config import TrainConfig
    from core.models.network import make_network
    from core.models.own.table import summarize_module
    from core.training.trainer import Trainer

    def make(*, model: nn.Module | None = None, data: Dataset = blobs, **options: object) -> Trainer:
        config = TrainConfig.checked(TINY | options)
        task = data.task
        network = (
            make_network(config, task) if model is None else (summarize_module(model, config.arch, (), task), model)
        )
        return Trainer(config, data, *network, torch.device("cpu"))

    return make


@pytest.fixture
def kernels() -> None:
    """For tests that need the kernels in C."""
    from core.engines.native.library import kernels_obstacle

    if reason := kernels_obstacle():
        pytest.skip(f"the native engine {reason}")


@pytest.fixture
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import core.training.loop

    monkeypatch.setattr(core.training.loop, "PROGRESS_INTERVAL", 0.0)


@pytest.fixture
def steps_taken(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The learning rate of each step that an optimizer takes during the test."""
    from core.training.optimizers.optimizer import Optimizer

    rates: list[float] = []
    step = Optimizer.step

    def told(self: Optimizer) -> None:
        step(self)
        rates.append(float(self.lr))

    monkeypatch.setattr(Optimizer, "step", told)
    return rates


def without_clocks(events: Iterable[TrainEvent]) -> list[dict[str, object]]:
    clocks = {"seconds", "images_per_second"}
    return [{key: value for key, value in asdict(event).items() if key not in clocks} for event in events]


@pytest.fixture(scope="session")
def untimed() -> Callable[[Iterable[TrainEvent]], list[dict[str, object]]]:
    """Events as records, without what differs from one run to the same run again."""
    return without_clocks
