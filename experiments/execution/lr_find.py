"""The learning-rate range test of a config, made in this process (`experiments.execution.apart` has another)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from core.config import TrainConfig
from core.events import RunStarted, from_record, to_record
from core.models.own.files import OwnFiles
from core.training.range_curve import RangePoint, RangeTest
from experiments.execution.runner import Runner

RangeStep = RunStarted | RangePoint
"""What a test says: how it is made, and each step of it."""


def range_test(
    runner: Runner, config: TrainConfig, test: RangeTest, files: OwnFiles | None = None
) -> Iterator[RangeStep]:
    """Make the test in this process; nothing of it is kept.

    Raises:
        InvalidValue, OverBudget, DataError: for what cannot be trained, before the first step.
        TrainingFailed: as a run fails, other than by a loss that is not finite, which ends the test.
        Stopped: when asked to.
    """
    from core.device.device import flushed_denormals
    from core.training.lr_find import RangeTrainer

    with flushed_denormals():
        trainer, source = runner.prepare_as(partial(RangeTrainer, test), config, files)
        runner.first_read.keep(config, source)
        yield from trainer.points(runner.should_stop)


def step_record(step: RangeStep) -> dict[str, Any]:
    return {"point": asdict(step)} if isinstance(step, RangePoint) else {"started": to_record(step)}


def step_of(record: Mapping[str, Any]) -> RangeStep:
    """What a `step_record` was made of."""
    if "point" in record:
        return RangePoint(**record["point"])
    started = from_record(record["started"])
    assert isinstance(started, RunStarted), "nothing else is sent"
    return started
