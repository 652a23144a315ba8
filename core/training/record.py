"""The record of a run: progress, scores, the weights worth keeping, and the events about them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import ClassVar

import torch
from torch import Tensor

from core.advice import Action, Tip
from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.device import describe_device
from core.device.random_state import random_state
from core.engines.engine import Engine
from core.errors import TrainingFailed, one_line
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress
from core.history import End, best_epoch, early_signal, end_of, first_epoch_at
from core.models.own.blame import blame
from core.models.reference import split_reference
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.storage.checkpoint import Checkpoint
from core.storage.tensors import weights_sha256
from core.task import ImageTask
from core.training.average import averaged_words
from core.training.clock import Clock
from core.training.evaluate import Score
from core.training.failures import HOW_TO_SEE_MORE, check_split, is_of_backward, is_out_of_memory, no_room
from core.training.gauges import LayerGauges
from core.training.optimizers.rates import note_on_rate
from core.training.sampling import EpochDraw, draw_epoch
from core.training.schedule import cycles_momentum, learning_rate, momentum_of, on_test_set, plateau_rates
from core.training.step import Totals
from core.training.teacher import Teacher


class RunRecord(ABC):
    """One run, whoever trains it.

    `epoch` is the one under way, counted from 1, and `step` how many of its steps are done. They and the weights may be
    read whenever an event has just been yielded: `best_weights` and `final_weights` by name on the CPU. With
    RunFinished come `predictions`, uint8 on the CPU, (T,) for T test images in their order: the `labels`, the class
    given by the `final` weights and, with a validation split, by the `selected` ones.

    An epoch has `images` training images in `steps_per_epoch` steps. `copy` is the run's place among those that are
    trained together. One that has `ended` may still be computed with the others, to no further effect.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """

    tells_each_step: ClassVar[bool] = False
    """Whether there is a progress event after each step, and not only by time."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        summary: Summary,
        device: torch.device,
        copy: int = 0,
        teacher: Teacher | None = None,
    ) -> None:
        assert bool(config.teacher) == (teacher is not None), "whoever makes a run with a teacher brings it"
        check_split(config, dataset)
        self.config = config
        self.summary = summary
        self.device = device
        self.copy = copy
        self._dataset = dataset
        self._teacher = teacher
        self.images = len(dataset.train_labels) - config.val_split
        self.steps_per_epoch = math.ceil(self.images / config.batch_size)
        self.epoch = 0
        self.step = 0
        self.ended = False
        self.notes: tuple[str, ...] = ()
        self.draw = draw_epoch(config, self.images, 1)
        self.best_weights: dict[str, Tensor] = {}
        self.final_weights: dict[str, Tensor] = {}
        self.predictions: dict[str, Tensor] = {}
        self._accuracies: dict[int, float] = {}
        self.gauges = LayerGauges()  # of the last step of the epoch under way, once that is done
        self._losses: list[float] = []  # of the same scores; empty in a run that an earlier version began
        self._run_clock, self._epoch_clock = Clock(), Clock()
        self._reported = Totals(0.0, 0)  # what the last progress told of
        self._reported_images = 0
        self._threads: list[int] = []  # of the steps since `go_on`

    @property
    def task(self) -> ImageTask:
        """What the run's network is to do."""
        return self._dataset.task

    @property
    def best_epoch(self) -> int:
        """The epoch of `best_weights`, by accuracy on the held-out images or else on the test images."""
        return best_epoch(self._accuracies)

    @property
    def between_epochs(self) -> bool:
        """Whether the last epoch that was begun has been scored, or none has begun."""
        return self.epoch == 0 or self.epoch in self._accuracies

    @property
    def done(self) -> bool:
        """Whether the last epoch is scored: the last of all, or one after which the run shall end before."""
        return self._end is not None

    @property
    def _end(self) -> End | None:
        """Where and why the run ends; None as long as it goes on."""
        return end_of(self.config, self._accuracies) if self.between_epochs else None

    @property
    def images_done(self) -> int:
        """Images of the epoch under way that have been trained on."""
        return min(self.step * self.config.batch_size, self.images)

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """What executes the run's steps."""

    @abstractmethod
    def checkpoint(self) -> Checkpoint:
        """The state after the last step; read it when an event has just been yielded."""

    def start_clock(self) -> None:
        """Let the run's time begin, or go on."""
        self._run_clock.start()

    def _note_on_rate(self) -> str:
        return note_on_rate(self.config)

    def started(self, engine: str, note: str, reason: str = "") -> RunStarted:
        """`note` is the engine's; that of the data set and those of the run itself come before it."""
        taught = "" if self._teacher is None else f"learns from {self._teacher.words}"
        notes = taught, averaged_words(self.config), on_test_set(self.config), self._note_on_rate()
        return RunStarted(
            config=self.config.model_dump(),
            spec=self.summary.spec,
            total_params=self.summary.total_params,
            device=describe_device(self.device, self.engine.most_threads),
            dataset=self._dataset.name,
            train_images=self.images,
            val_images=self.config.val_split,
            test_images=len(self._dataset.test_labels),
            steps_per_epoch=self.steps_per_epoch,
            note="; ".join(filter(None, (self._dataset.note, *self.summary.remarks, *notes, *self.notes, note))),
            engine=engine,
            engine_reason=reason,
            kernels=self.engine.kernels,
            pixel_mean=self._dataset.mean,
            pixel_std=self._dataset.std,
            teacher="" if self._teacher is None else self._teacher.sha256,
            image_size=self._dataset.task.size,
            classes=self._dataset.classes,
        )

    def begin_epoch(self) -> None:
        """Make the next epoch the one under way, with its own random draws."""
        self.epoch += 1
        self.step = 0
        self._epoch_clock = Clock()
        self.draw = draw_epoch(self.config, self.images, self.epoch)

    def rates(self) -> list[float]:
        """The learning rate of each step of the epoch under way; before the first, of that one's."""
        epoch = max(self.epoch, 1) - 1
        of_epoch = None
        if self.config.schedule == "plateau":
            of_epoch = plateau_rates(self.config, self._losses[:epoch], self.steps_per_epoch)[-1]
        steps = range(epoch * self.steps_per_epoch, (epoch + 1) * self.steps_per_epoch)
        return [learning_rate(self.config, step, self.steps_per_epoch, of_epoch) for step in steps]

    def momenta(self) -> list[float]:
        """The momentum of each step of the same epoch, or Adam's beta1; empty where it does not change."""
        first = (max(self.epoch, 1) - 1) * self.steps_per_epoch
        steps = range(self.steps_per_epoch if cycles_momentum(self.config) else 0)
        return [momentum_of(self.config, first + step, self.steps_per_epoch) for step in steps]

    def go_on(self, totals: Totals) -> None:
        """Begin or go on with the steps of the epoch under way, whose totals so far are these."""
        self._epoch_clock.start()
        self._reported, self._reported_images = totals, self.images_done
        self._threads = []

    def count_step(self) -> None:
        """Take in that one more step of the epoch is done."""
        self.step += 1
        self._threads.append(self.engine.threads)

    def progress(self, totals: Totals) -> StepProgress | RunFailed:
        """The run's progress event, with the mean loss over the images since the last one."""
        images = self.images_done
        loss = (totals.loss - self._reported.loss) / (images - self._reported_images)
        self._reported, self._reported_images = totals, images
        if not math.isfinite(totals.loss):
            return self._diverged()
        return StepProgress(
            epoch=self.epoch,
            step=self.step,
            steps_per_epoch=self.steps_per_epoch,
            loss=loss,
            images_per_second=images / self._epoch_clock.seconds(),
            threads=self._threads[-1] if self.device.type == "cpu" else None,
        )

    def epoch_seconds(self) -> float:
        """Time spent on the epoch under way so far."""
        return self._epoch_clock.seconds()

    def finish_epoch(self, totals: Totals, score: Score, trained: float) -> EpochFinished | RunFailed:
        """Take in the score of the epoch under way, which took so many seconds to train."""
        if not math.isfinite(score.loss):
            return self._diverged()
        if len(self._losses) == len(self._accuracies):
            self._losses.append(score.loss)
        self._accuracies[self.epoch] = score.accuracy
        on_test = self.config.val_split == 0
        if on_test:
            self.predictions = {"final": score.predictions}
        return EpochFinished(
            epoch=self.epoch,
            train_loss=totals.loss / self.images,
            train_accuracy=totals.correct / self.images,
            test_loss=score.loss if on_test else None,
            test_accuracy=score.accuracy if on_test else None,
            test_correct=score.correct if on_test else None,
            test_total=score.total if on_test else None,
            val_loss=None if on_test else score.loss,
            val_accuracy=None if on_test else score.accuracy,
            lr=self.rates()[-1],
            seconds=self._epoch_clock.seconds(),
            images_per_second=self.images / trained,
            **self.gauges.to_state(),
            threads=fmean(self._threads) if self._threads and self.device.type == "cpu" else None,
        )

    def finish(self, last: Score | None, selected: Score | None, viewed: Score | None = None) -> RunFinished:
        """End the run, its `final_weights` being set.

        Args:
            last: the test score of the last epoch, where that is not yet among the accuracies.
            selected: with a validation split, that of the selected epoch.
            viewed: with test-time augmentation, that of the last epoch with it.
        """
        self.ended = True
        scores = {"final": last, "selected": selected}
        self.predictions |= {name: score.predictions for name, score in scores.items() if score is not None}
        self.predictions["labels"] = self._dataset.test_labels.to("cpu", torch.uint8)
        on_test = self.config.val_split == 0
        return RunFinished(
            epochs=self.epoch,
            final_test_accuracy=self._accuracies[self.epoch] if on_test or last is None else last.accuracy,
            best_test_accuracy=max(self._accuracies.values()) if on_test else None,
            best_epoch=self.best_epoch if on_test else None,
            selected_epoch=None if on_test else self.best_epoch,
            selected_test_accuracy=None if selected is None else selected.accuracy,
            first_epoch_at_target=first_epoch_at(self._accuracies, self.config.target),
            early_signal=early_signal(self._accuracies),
            seconds=self._run_clock.seconds(),
            weights_sha256=weights_sha256(self.final_weights),
            tta_test_accuracy=None if viewed is None else viewed.accuracy,
            tta_test_correct=None if viewed is None else viewed.correct,
            ended_by="" if self._end is None else self._end.by,
        )

    def stop(self, reason: str) -> RunStopped:
        """End the run for now, as somebody asked for."""
        self.ended = True
        return RunStopped(epoch=self.epoch, reason=reason)

    def fail(self, failure: TrainingFailed) -> RunFailed:
        """End the run, which cannot go on."""
        self.ended = True
        return RunFailed.of(self.epoch, failure)

    def fail_by(self, error: BaseException) -> RunFailed | None:
        """End the run for an exception that is no defect of the program; for a defect do nothing and return None."""
        if is_out_of_memory(error):
            return self.fail(no_room(self.config, self.device))
        if is_user_module(self.config.arch):
            where = "scoring" if self.images_done == self.images and not self.between_epochs else "training"
            backward = ", in the backward pass" * is_of_backward(error)
            file, name = split_reference(self.config.arch)
            place = f"{Path(file).name}:{name} raised in {where}, epoch {self.epoch}, step {self.step + 1}{backward}"
            text = f"{place}: {blame(error, self.summary.files, self._dataset.task)}"
            return self.fail(TrainingFailed(one_line(text, 350), hint=HOW_TO_SEE_MORE))
        return None

    def _diverged(self) -> RunFailed:
        lower = Tip(Action.LOWER, "lr", f"{self.config.lr:g}")
        return self.fail(TrainingFailed(f"the loss is not finite in epoch {self.epoch}", hint=lower))

    def _checkpoint(self, parts: Mapping[str, Mapping[str, Tensor]]) -> Checkpoint:
        """A checkpoint of the network's `parts` (`EpochLoop.parts_of`) and of all that is kept here.

        From it a run goes on exactly: with the weights of this very step, what the optimizer and the averages
        remember, the random draws of the epoch under way and the state of torch's own random numbers.
        """
        parts = {
            **parts,
            "best": self.best_weights,
            "random": random_state(self.device),
            "draw": {} if self.between_epochs else self.draw.tensors(),
        }
        tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "accuracies": [self._accuracies[epoch] for epoch in sorted(self._accuracies)],
            "losses": list(self._losses),
            "seconds": self._run_clock.seconds(),
            "epoch_seconds": self._epoch_clock.seconds(),
            "gauges": self.gauges.to_state(),
            **self.engine.state(self.device),
        }
        return Checkpoint(tensors, state)

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a `_checkpoint`, but for the network's parts; raises one or another error when it does not fit."""
        state = checkpoint.state
        self.best_weights = checkpoint.part("best")
        self.epoch, self.step = int(state["epoch"]), int(state["step"])
        if not (0 <= self.epoch <= self.config.epochs and 0 <= self.step <= self.steps_per_epoch):
            raise ValueError(f"epoch {self.epoch}, step {self.step} is outside the run")
        self._accuracies = dict(enumerate(map(float, state["accuracies"]), start=1))
        if len(self._accuracies) not in (self.epoch - 1, self.epoch):
            raise ValueError(f"{len(self._accuracies)} scores in epoch {self.epoch}")
        self._losses = list(map(float, state.get("losses", [])))
        if len(self._losses) != len(self._accuracies) and (self._losses or self.config.schedule == "plateau"):
            raise ValueError(f"{len(self._losses)} losses beside {len(self._accuracies)} accuracies")
        self.gauges = LayerGauges.from_state(state.get("gauges", {}))
        self._run_clock = Clock(float(state["seconds"]))
        self._epoch_clock = Clock(float(state["epoch_seconds"]))
        steps = max(self.epoch - 1, 0) * self.steps_per_epoch + self.step
        if int(checkpoint.tensors["engine.steps"]) != steps:
            raise ValueError(f"it was taken after {int(checkpoint.tensors['engine.steps'])} steps, not {steps}")
        if draw := checkpoint.part("draw"):
            self.draw = EpochDraw.from_tensors(draw, like=self.draw)
        self.engine.restore(state, self.device)
