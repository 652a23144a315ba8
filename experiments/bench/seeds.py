"""Speed of training several seeds as one network, compared with the same runs one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.allocator import keep_freed_memory
from core.device.device import flushed_denormals, pick_device
from core.events import RunFinished, RunStarted, TrainEvent
from core.grouped.network import grouping_obstacle
from core.grouped.trainer import GroupTrainer
from core.models.network import make_network
from core.training.trainer import Trainer


@dataclass(frozen=True, slots=True)
class SeedsTiming:
    """The time of whole runs, with evaluation after each epoch and without writing files.

    `preparing` is the time until the first step in seconds: building networks, moving data to the device, recording
    graphs. `note` says why seeds of this network cannot be trained as one.
    """

    arch: str
    way: str
    engine: str
    copies: int
    epochs: int
    preparing: float
    seconds: float
    note: str = ""

    @property
    def seeds_per_minute(self) -> float:
        return 60 * self.copies / (self.preparing + self.seconds)


def time_seeds(config: TrainConfig, dataset: Dataset, copies: int, *, in_turn: int = 1) -> list[SeedsTiming]:
    """Time so many seeds as one network, where that is possible, and the first `in_turn` of them one after the other.

    Raises:
        InvalidValue: when config, data and machine do not fit together.
    """
    keep_freed_memory()
    configs = [config.changed(seed=seed) for seed in range(copies)]
    device = pick_device(config.device)
    obstacle, timings = grouping_obstacle(configs), []
    with flushed_denormals():
        if not obstacle:
            began = time.perf_counter()
            networks = [make_network(one) for one in configs]
            group = GroupTrainer(configs, dataset, networks[0][0], [model for _, model in networks], device)
            timings.append(_time(config, "grouped", copies, began, (event for _, event in group.run(lambda _: ""))))
            del group, networks
            torch.cuda.empty_cache()
        began = time.perf_counter()
        events = (event for one in configs[:in_turn] for event in _alone(one, dataset))
        timings.append(replace(_time(config, "in turn", in_turn, began, events), note=obstacle))
    return timings


def _alone(config: TrainConfig, dataset: Dataset) -> Iterator[TrainEvent]:
    summary, model = make_network(config)
    return Trainer(config, dataset, summary, model, pick_device(config.device)).run()


def _time(config: TrainConfig, way: str, copies: int, began: float, events: Iterator[TrainEvent]) -> SeedsTiming:
    """Time runs by their events: the first comes when all is prepared, the last when the weights are on the CPU."""
    first = next(events)
    assert isinstance(first, RunStarted)
    ready = time.perf_counter()
    finished = sum(isinstance(event, RunFinished) for event in events)
    assert finished == copies, "every run comes to its end"
    seconds = time.perf_counter() - ready
    return SeedsTiming(config.arch, way, first.engine, copies, config.epochs, ready - began, seconds)
