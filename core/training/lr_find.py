"""The learning-rate range test: a run's own first steps, at rates that rise from far too low to far too high."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from typing import ClassVar

import torch
from torch import nn

from core.config import TrainConfig
from core.data.loader import Dataset
from core.errors import ShouldStop, Stopped, TrainingFailed
from core.events import RunFailed, RunStarted, RunStopped, StepProgress
from core.models.summary import Summary
from core.training.evaluate import BATCH
from core.training.range_curve import RangePoint, RangeTest, RunningMean, rising_rates
from core.training.trainer import Trainer


class RangeTrainer(Trainer):
    """Trains a network from its initial weights as a run of this config would, but for the rates, which rise step by
    step. Nothing of it is kept.

    Args:
        test: how far the rates go, and in how many steps.
    """

    tells_each_step: ClassVar[bool] = True

    def __init__(
        self,
        test: RangeTest,
        config: TrainConfig,
        dataset: Dataset,
        summary: Summary,
        model: nn.Module,
        device: torch.device,
    ) -> None:
        images = len(dataset.limited(config.limit_train, config.limit_test).train_labels) - config.val_split
        per_epoch = max(1, math.ceil(images / config.batch_size))
        self.rising = rising_rates(test.low, test.high, test.steps_of(per_epoch))
        self._diverges = False
        changes = _without_end(config) | {"epochs": math.ceil(len(self.rising) / per_epoch)}
        super().__init__(config.model_copy(update=changes), dataset, summary, model, device)

    def rates(self) -> list[float]:
        """The rates of the epoch under way; the last one again where it has more steps than the test."""
        before = (max(self.epoch, 1) - 1) * self.steps_per_epoch
        rates = self.rising[before : before + self.steps_per_epoch]
        return rates + self.rising[-1:] * (self.steps_per_epoch - len(rates))

    def points(self, should_stop: ShouldStop = lambda: "") -> Iterator[RunStarted | RangePoint]:
        """What is trained, and how; then the loss at each step, up to the last one or to where the loss explodes.

        Raises:
            Stopped: when asked to, before any step.
            TrainingFailed: when a step cannot be made, for want of memory or by a user's own module.
        """
        step, mean = 0, RunningMean(self.rising)
        events = self.run(should_stop)
        assert isinstance(events, Generator)
        try:
            for event in events:
                match event:
                    case RunStarted():
                        yield event
                    case StepProgress(loss=float(loss)):
                        mean.add(loss)
                        step += 1
                        yield RangePoint(step, self.rising[step - 1], loss)
                        if step == len(self.rising) or mean.has_exploded:
                            return
                    case RunStopped(reason=reason):
                        raise Stopped(reason)
                    case RunFailed() if not self._diverges:
                        raise TrainingFailed(event.error, hint=event.advice)
                    case _:
                        pass
        finally:
            events.close()

    def _note_on_rate(self) -> str:
        return ""  # the config's own is not trained with

    def _diverged(self) -> RunFailed:
        self._diverges = True  # which is what the test is looking for
        return super()._diverged()


def _without_end(config: TrainConfig) -> dict[str, object]:
    """Changes to a config that leave out all but its training steps. Scores after an epoch, which only a test over
    several has, are made on few images."""
    scored = min(config.limit_test or BATCH, BATCH)
    ends = {
        "stop_at_target": False,
        "early_stop": 0,
        "ema": False,
        "swa": False,
        "tta": "none",
        "teacher": "",
        "limit_test": scored,
    }
    return ends | {"schedule": "constant", "warmup_epochs": 0.0}
