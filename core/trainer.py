"""Training: a config and a data set become a stream of events and a trained network."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from core.arch import is_user_module
from core.checkpoint import START_AGAIN, Checkpoint
from core.clock import Clock
from core.config import TrainConfig
from core.data import Dataset
from core.device import describe_device
from core.engine import EagerEngine
from core.errors import InvalidValue, RunError, ShouldStop, Stopped, TrainingFailed, one_line
from core.evaluate import Pixels, Score, evaluate
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress, TrainEvent
from core.history import best_epoch, early_signal, first_epoch_at, reaches
from core.sampling import (
    EpochDraw,
    draw_epoch,
    random_state,
    restore_random_state,
    seed_dropout,
    split_validation,
)
from core.schedule import learning_rate
from core.summary import Summary
from core.weights import WeightAverage, copy_weights, weights_sha256

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress events, at least."""

Labelled = tuple[Tensor, Tensor]
"""Images (N, 28, 28) uint8 and labels (N,) int64, on the run's device."""


class Trainer:
    """One run: made with everything ready, then `run` once.

    `epoch` is the one under way, counted from 1. It and the weights may be read whenever an event has just been
    yielded: `best_weights` and `final_weights` by name on the CPU, `scored_model` as a module.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """

    def __init__(
        self, config: TrainConfig, dataset: Dataset, summary: Summary, model: nn.Module, device: torch.device
    ) -> None:
        dataset = dataset.limited(config.limit_train, config.limit_test)
        _check_sizes(config, dataset, summary)
        self.config = config
        self.summary = summary
        self.device = device
        self._dataset = dataset
        images, labels = dataset.train_images, dataset.train_labels
        self._val: Labelled | None = None
        if config.val_split:
            kept, held_out = split_validation(len(labels), config.val_split)
            self._val = (images[held_out].to(device), labels[held_out].to(device))
            images, labels = images[kept], labels[kept]
        self._test: Labelled = (dataset.test_images.to(device), dataset.test_labels.to(device))
        self._pixels = Pixels(dataset.mean, dataset.std)
        self._count = len(labels)
        self.steps_per_epoch = math.ceil(self._count / config.batch_size)
        # Made for convolutions; a user's module of other layers just ignores it.
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self._average = WeightAverage(self.model, config.ema_decay) if config.ema else None
        self._engine = EagerEngine(
            self.model, config, images.to(device), labels.to(device), self._pixels, self._average
        )
        self.epoch = 0
        self._step = 0  # of the epoch under way, how many are done
        self._draw = EpochDraw(torch.empty(0, dtype=torch.int64), None)
        self._run_clock, self._epoch_clock = Clock(), Clock()
        self._accuracies: dict[int, float] = {}
        self.best_weights: dict[str, Tensor] = {}
        self.final_weights: dict[str, Tensor] = {}

    @property
    def scored_model(self) -> nn.Module:
        """The network that evaluation scores: the moving average where there is one."""
        return self._average.model if self._average is not None else self.model

    @property
    def best_epoch(self) -> int:
        """The epoch of `best_weights`, by accuracy on the held-out images or else on the test images."""
        return best_epoch(self._accuracies)

    def run(self, should_stop: ShouldStop = lambda: "") -> Iterator[TrainEvent]:
        """Train. Lazy: each event is yielded before work goes on, and a caller that takes no more has stopped the run.

        `should_stop` is asked before every batch, in evaluation too. The last event is RunFinished, RunStopped or
        RunFailed.
        """
        self._run_clock.start()
        yield self._started()
        try:
            while not self._done():
                if self._between_epochs():
                    self._begin_epoch()
                self._epoch_clock.start()
                yield from self._train_steps(should_stop)
                yield self._finish_epoch(should_stop)
            yield self._finished(should_stop)
        except Stopped as stop:
            yield RunStopped(epoch=self.epoch, reason=stop.message)
        except TrainingFailed as failure:
            yield RunFailed(epoch=self.epoch, error=failure.message, hint=failure.hint)
        except (Exception, SystemExit) as error:
            expected = self._expected_failure(error)
            if expected is None:
                raise
            yield expected

    def checkpoint(self) -> Checkpoint:
        """The state between two steps; read it when an event has just been yielded."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "model": copy_weights(self.model),
            "average": copy_weights(self._average.model) if self._average is not None else {},
            "best": self.best_weights,
            "engine": self._engine.state(),
            "random": random_state(self.device),
            "draw": self._draw.tensors() if not self._between_epochs() else {},
        }
        tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        state = {
            "epoch": self.epoch,
            "step": self._step,
            "accuracies": [self._accuracies[epoch] for epoch in sorted(self._accuracies)],
            "seconds": self._run_clock.seconds(),
            "epoch_seconds": self._epoch_clock.seconds(),
        }
        return Checkpoint(tensors, state)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint of the same config was made; to be called before `run`.

        Raises:
            RunError: when it is not a checkpoint of this config.
        """
        try:
            self.model.load_state_dict(checkpoint.part("model"))
            if self._average is not None:
                self._average.model.load_state_dict(checkpoint.part("average"))
            self.best_weights = checkpoint.part("best")
            self.epoch, self._step = int(checkpoint.state["epoch"]), int(checkpoint.state["step"])
            if not (0 <= self.epoch <= self.config.epochs and 0 <= self._step <= self.steps_per_epoch):
                raise ValueError(f"epoch {self.epoch}, step {self._step} is outside the run")
            self._accuracies = dict(enumerate(map(float, checkpoint.state["accuracies"]), start=1))
            if len(self._accuracies) not in (self.epoch - 1, self.epoch):
                raise ValueError(f"{len(self._accuracies)} scores in epoch {self.epoch}")
            self._run_clock = Clock(float(checkpoint.state["seconds"]))
            self._epoch_clock = Clock(float(checkpoint.state["epoch_seconds"]))
            if draw := checkpoint.part("draw"):
                self._draw = EpochDraw.from_tensors(draw)
                self._engine.start_epoch(self._draw)
            self._engine.load_state(checkpoint.part("engine"))
            restore_random_state(checkpoint.part("random"), self.device)
        except (RuntimeError, ArithmeticError, KeyError, TypeError, ValueError) as error:
            text = f"the checkpoint does not fit the run's config: {one_line(error)}"
            raise RunError(text, hint=START_AGAIN) from error

    def _expected_failure(self, error: BaseException) -> RunFailed | None:
        """What is not the program's fault; None for a defect."""
        if _is_out_of_memory(error):
            text = f"out of memory on {describe_device(self.device)}"
            hint = f"use a smaller --batch-size than {self.config.batch_size}"
        elif is_user_module(self.config.arch):
            text = f"{self.config.arch} raised {type(error).__name__}: {error}"
            hint = "try it on a batch of its own, in training mode"
        else:
            return None
        return RunFailed(epoch=self.epoch, error=one_line(text, 300), hint=hint)

    def _between_epochs(self) -> bool:
        return self.epoch == 0 or self.epoch in self._accuracies

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._step = 0
        self._epoch_clock = Clock()
        self._draw = draw_epoch(self.config, self._count, self.epoch)
        self._engine.start_epoch(self._draw)
        seed_dropout(self.config, self.epoch)

    def _train_steps(self, should_stop: ShouldStop) -> Iterator[TrainEvent]:
        """Train from wherever the epoch under way has come to, up to its end."""
        size, steps = self.config.batch_size, self.steps_per_epoch
        self.model.train()
        reported, images_reported, reported_at = self._engine.totals(), self._step * size, -math.inf
        while self._step < steps:
            Stopped.check(should_stop)
            done = min((self._step + 1) * size, self._count)
            self._engine.step(self._step * size, done, self._lr(self._step))
            self._step += 1
            now = time.perf_counter()
            if now - reported_at >= PROGRESS_INTERVAL or self._step == steps:
                totals = self._engine.totals()
                self._check_finite(totals.loss)
                loss = (totals.loss - reported.loss) / (done - images_reported)
                reported, images_reported, reported_at = totals, done, now
                rate = done / self._epoch_clock.seconds()
                yield StepProgress(
                    epoch=self.epoch, step=self._step, steps_per_epoch=steps, loss=loss, images_per_second=rate
                )

    def _finish_epoch(self, should_stop: ShouldStop) -> EpochFinished:
        trained = self._epoch_clock.seconds()
        totals = self._engine.totals()
        score = self._score(self._val or self._test, should_stop)
        self._check_finite(score.loss)
        self._accuracies[self.epoch] = score.accuracy
        if self.best_epoch == self.epoch:
            self.best_weights = copy_weights(self.scored_model)
        on_test = self._val is None
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

    def _lr(self, step: int) -> float:
        """The rate of a step of the epoch under way, counted from 0."""
        return learning_rate(self.config, (self.epoch - 1) * self.steps_per_epoch + step, self.steps_per_epoch)

    def _done(self) -> bool:
        """Whether there is no epoch under way and none to come."""
        if not self._between_epochs():
            return False
        at_target = (
            self.config.stop_at_target and self.epoch > 0 and reaches(self._accuracies[self.epoch], self.config.target)
        )
        return at_target or self.epoch >= self.config.epochs

    def _score(self, labelled: Labelled, should_stop: ShouldStop) -> Score:
        return evaluate(self.scored_model, *labelled, self._pixels, should_stop)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the loss is not finite in epoch {self.epoch}", hint=f"use a lower --lr than {self.config.lr:g}"
            )

    def _started(self) -> RunStarted:
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
            note=self._dataset.note,
        )

    def _finished(self, should_stop: ShouldStop) -> RunFinished:
        final, selected = self._accuracies[self.epoch], None
        weights = self.final_weights = copy_weights(self.scored_model)
        if self._val is not None:
            final = self._score(self._test, should_stop).accuracy
            self.scored_model.load_state_dict(self.best_weights)
            try:
                selected = self._score(self._test, should_stop).accuracy
            finally:
                self.scored_model.load_state_dict(weights)
        on_test = self._val is None
        return RunFinished(
            epochs=self.epoch,
            final_test_accuracy=final,
            best_test_accuracy=max(self._accuracies.values()) if on_test else None,
            best_epoch=self.best_epoch if on_test else None,
            selected_epoch=None if on_test else self.best_epoch,
            selected_test_accuracy=selected,
            first_epoch_at_target=first_epoch_at(self._accuracies, self.config.target),
            early_signal=early_signal(self._accuracies),
            seconds=self._run_clock.seconds(),
            weights_sha256=weights_sha256(weights),
        )


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


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "DefaultCPUAllocator" in str(error) or "out of memory" in str(error)
