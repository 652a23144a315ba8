"""What a run is beside its network: how far it has come, its scores, the weights worth keeping, the events about it."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from core.advice import Action, Step
from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.device import describe_device, use_threads
from core.errors import InvalidValue, TrainingFailed, one_line
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, StepProgress
from core.history import best_epoch, early_signal, first_epoch_at, reaches
from core.models.summary import Summary
from core.storage.checkpoint import Checkpoint
from core.storage.tensors import weights_sha256
from core.training.evaluate import Score
from core.training.schedule import learning_rate
from core.training.step import Totals


class Clock:
    """Counts seconds from `start`, on top of those counted before."""

    def __init__(self, before: float = 0.0) -> None:
        self._before = before
        self._started: float | None = None

    def start(self) -> None:
        """Start counting; a clock that runs just goes on."""
        if self._started is None:
            self._started = time.perf_counter()

    def seconds(self) -> float:
        return self._before + (0.0 if self._started is None else time.perf_counter() - self._started)


class RunRecord(ABC):
    """One run, whoever trains it.

    `epoch` is the one under way, counted from 1. It and the weights may be read whenever an event has just been
    yielded: `best_weights` and `final_weights` by name on the CPU. With RunFinished come `predictions`, uint8 on the
    CPU, (T,) for T test images in their order: the `labels`, the class given by the `final` weights and, with a
    validation split, by the `selected` ones.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """

    def __init__(self, config: TrainConfig, dataset: Dataset, summary: Summary, device: torch.device) -> None:
        _check_sizes(config, dataset, summary)
        self.config = config
        self.summary = summary
        self.device = device
        self._dataset = dataset
        self._count = len(dataset.train_labels) - config.val_split
        self.steps_per_epoch = math.ceil(self._count / config.batch_size)
        self.epoch = 0
        self._step = 0  # of the epoch under way, how many are done
        self._run_clock, self._epoch_clock = Clock(), Clock()
        self._accuracies: dict[int, float] = {}
        self.best_weights: dict[str, Tensor] = {}
        self.final_weights: dict[str, Tensor] = {}
        self.predictions: dict[str, Tensor] = {}

    @property
    def best_epoch(self) -> int:
        """The epoch of `best_weights`, by accuracy on the held-out images or else on the test images."""
        return best_epoch(self._accuracies)

    @abstractmethod
    def checkpoint(self) -> Checkpoint:
        """The state between two steps; read it when an event has just been yielded."""

    def _between_epochs(self) -> bool:
        return self.epoch == 0 or self.epoch in self._accuracies

    def _done(self) -> bool:
        """Whether there is no epoch under way and none to come."""
        if not self._between_epochs():
            return False
        at_target = (
            self.config.stop_at_target and self.epoch > 0 and reaches(self._accuracies[self.epoch], self.config.target)
        )
        return at_target or self.epoch >= self.config.epochs

    def _lr(self, step: int) -> float:
        """The rate of a step of the epoch under way, counted from 0."""
        return learning_rate(self.config, (self.epoch - 1) * self.steps_per_epoch + step, self.steps_per_epoch)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the loss is not finite in epoch {self.epoch}", hint=Step(Action.LOWER, "lr", f"{self.config.lr:g}")
            )

    def _state(self) -> dict[str, Any]:
        """The part of a checkpoint that is not tensors."""
        return {
            "epoch": self.epoch,
            "step": self._step,
            "accuracies": [self._accuracies[epoch] for epoch in sorted(self._accuracies)],
            "seconds": self._run_clock.seconds(),
            "epoch_seconds": self._epoch_clock.seconds(),
            "threads": torch.get_num_threads() if self.device.type == "cpu" else 0,
        }

    def _restore_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a `_state`; raises one or another error when it is not one of this config."""
        self.epoch, self._step = int(state["epoch"]), int(state["step"])
        if not (0 <= self.epoch <= self.config.epochs and 0 <= self._step <= self.steps_per_epoch):
            raise ValueError(f"epoch {self.epoch}, step {self._step} is outside the run")
        self._accuracies = dict(enumerate(map(float, state["accuracies"]), start=1))
        if len(self._accuracies) not in (self.epoch - 1, self.epoch):
            raise ValueError(f"{len(self._accuracies)} scores in epoch {self.epoch}")
        self._run_clock = Clock(float(state["seconds"]))
        self._epoch_clock = Clock(float(state["epoch_seconds"]))
        if self.device.type == "cpu":
            use_threads(int(state.get("threads", 0)))

    def _started(self, engine: str, note: str) -> RunStarted:
        """`note` is the engine's; that of the data set comes before it."""
        return RunStarted(
            config=self.config.model_dump(),
            spec=self.summary.spec,
            total_params=self.summary.total_params,
            device=describe_device(self.device),
            dataset=self._dataset.name,
            train_images=self._count,
            val_images=self.config.val_split,
            test_images=len(self._dataset.test_labels),
            steps_per_epoch=self.steps_per_epoch,
            note="; ".join(filter(None, (self._dataset.note, note))),
            engine=engine,
        )

    def _progressed(self, loss: float) -> StepProgress:
        done = min(self._step * self.config.batch_size, self._count)
        return StepProgress(
            epoch=self.epoch,
            step=self._step,
            steps_per_epoch=self.steps_per_epoch,
            loss=loss,
            images_per_second=done / self._epoch_clock.seconds(),
        )

    def _epoch_finished(self, totals: Totals, score: Score, trained: float) -> EpochFinished:
        """Take in the score of the epoch under way, which took so many seconds to train."""
        self._check_finite(score.loss)
        self._accuracies[self.epoch] = score.accuracy
        on_test = self.config.val_split == 0
        if on_test:
            self.predictions = {"final": score.predictions}
        return EpochFinished(
            epoch=self.epoch,
            train_loss=totals.loss / self._count,
            train_accuracy=totals.correct / self._count,
            test_loss=score.loss if on_test else None,
            test_accuracy=score.accuracy if on_test else None,
            test_correct=score.correct if on_test else None,
            test_total=score.total if on_test else None,
            val_loss=None if on_test else score.loss,
            val_accuracy=None if on_test else score.accuracy,
            lr=self._lr(self.steps_per_epoch - 1),
            seconds=self._epoch_clock.seconds(),
            images_per_second=self._count / trained,
        )

    def _finished(self, last: Score | None, chosen: Score | None) -> RunFinished:
        """The end, with `final_weights` set.

        Args:
            last: the test score of the last epoch, where that is not yet among the accuracies.
            chosen: with a validation split, that of the selected epoch.
        """
        scores = {"final": last, "selected": chosen}
        self.predictions |= {name: score.predictions for name, score in scores.items() if score is not None}
        self.predictions["labels"] = self._dataset.test_labels.to("cpu", torch.uint8)
        on_test = self.config.val_split == 0
        return RunFinished(
            epochs=self.epoch,
            final_test_accuracy=self._accuracies[self.epoch] if on_test or last is None else last.accuracy,
            best_test_accuracy=max(self._accuracies.values()) if on_test else None,
            best_epoch=self.best_epoch if on_test else None,
            selected_epoch=None if on_test else self.best_epoch,
            selected_test_accuracy=None if chosen is None else chosen.accuracy,
            first_epoch_at_target=first_epoch_at(self._accuracies, self.config.target),
            early_signal=early_signal(self._accuracies),
            seconds=self._run_clock.seconds(),
            weights_sha256=weights_sha256(self.final_weights),
        )

    def _out_of_memory(self) -> RunFailed:
        return RunFailed.of(self.epoch, _no_room(self.config, self.device))


def _check_sizes(config: TrainConfig, dataset: Dataset, summary: Summary) -> None:
    count = len(dataset.train_labels)
    if config.val_split >= count:
        raise InvalidValue(
            "val_split", config.val_split, f"must be below the {count:,} training images", hint="hold out fewer images"
        )
    tail = (count - config.val_split) % config.batch_size or config.batch_size
    for layer in summary.rows:
        if layer.kind == "BatchNorm2d" and tail == 1 and layer.output_shape[1:] == (1, 1):
            raise InvalidValue(
                "batch_size",
                config.batch_size,
                f"leaves a last batch of one image, over which {layer.label} on a 1x1 map has no deviation",
                hint="choose another batch size, or write the block without batch norm (n)",
            )


@contextmanager
def preparing(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Raises `TrainingFailed` where the device has no room for what is made within the block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise _no_room(config, device) from error


def _no_room(config: TrainConfig, device: torch.device) -> TrainingFailed:
    text = f"out of memory on {describe_device(device)}"
    return TrainingFailed(one_line(text, 300), hint=Step(Action.SHRINK, "batch_size", str(config.batch_size)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether that is what an error of torch's says."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "DefaultCPUAllocator" in str(error) or "out of memory" in str(error)
