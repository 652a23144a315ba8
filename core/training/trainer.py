"""Training: a config and a data set become a stream of events and a trained network."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.device import check_precision
from core.device.random_state import random_state, restore_random_state
from core.engines.choose import choose_engine, make_engine
from core.errors import RunError, ShouldStop, Stopped, TrainingFailed, one_line
from core.events import EpochFinished, RunFailed, RunFinished, RunStopped, TrainEvent
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.storage.checkpoint import START_AGAIN, Checkpoint
from core.training.average import WeightAverage, copy_weights
from core.training.evaluate import Evaluator, Labelled, Pixels
from core.training.record import Clock, RunRecord, is_out_of_memory
from core.training.sampling import EpochDraw, draw_epoch, seed_dropout, split_validation
from core.training.step import TrainStep

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress events, at least."""


class Trainer(RunRecord):
    """One run by itself: made with everything ready, then `run` once.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """

    def __init__(
        self, config: TrainConfig, dataset: Dataset, summary: Summary, model: nn.Module, device: torch.device
    ) -> None:
        dataset = dataset.limited(config.limit_train, config.limit_test)
        super().__init__(config, dataset, summary, device)
        check_precision(config.precision, device)
        images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)
        self._kept, held_out = split_validation(len(labels), config.val_split)
        choice = choose_engine(config, device, config.epochs * self.steps_per_epoch)
        self._engine = make_engine(choice, config.batch_size, device, precision=config.precision)
        # Made for convolutions; a user's module of other layers just ignores it.
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self._average = WeightAverage(self.model, config.ema_decay) if config.ema else None
        pixels, forward = Pixels(dataset.mean, dataset.std), self._engine.forward(self.model)
        self._train = TrainStep(self.model, config, images, labels, pixels, self._average, forward)
        held = Labelled(images, labels, held_out.to(device)) if config.val_split else None
        scored = self._engine.forward(self.scored_model)
        self._val = None if held is None else Evaluator(self.scored_model, held, pixels, scored)
        test = Labelled(dataset.test_images.to(device), dataset.test_labels.to(device))
        self._test = Evaluator(self.scored_model, test, pixels, scored)
        self.epoch = 1
        self._draw = draw_epoch(config, self._count, 1)
        self._start_epoch()  # so that an engine can get ready
        self.epoch = 0

    @property
    def scored_model(self) -> nn.Module:
        """The network that evaluation scores: the moving average where there is one."""
        return self._average.model if self._average is not None else self.model

    def run(self, should_stop: ShouldStop = lambda: "") -> Iterator[TrainEvent]:
        """Train. Lazy: each event is yielded before work goes on, and a caller that takes no more has stopped the run.

        `should_stop` is asked before every batch, in evaluation too. The last event is RunFinished, RunStopped or
        RunFailed.
        """
        self._run_clock.start()
        self._prepare_engine()
        yield self._started(self._engine.name, self._engine.note)
        try:
            while not self._done():
                if self._between_epochs():
                    self._begin_epoch()
                self._epoch_clock.start()
                yield from self._train_steps(should_stop)
                yield self._finish_epoch(should_stop)
            yield self._finish(should_stop)
        except Stopped as stop:
            yield RunStopped(epoch=self.epoch, reason=stop.message)
        except TrainingFailed as failure:
            yield RunFailed.of(self.epoch, failure)
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
            "engine": self._train.state(),
            "random": random_state(self.device),
            "draw": self._draw.tensors() if not self._between_epochs() else {},
        }
        tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        return Checkpoint(tensors, self._state())

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
            self._restore_state(checkpoint.state)
            if draw := checkpoint.part("draw"):
                self._draw = EpochDraw.from_tensors(draw)
                self._start_epoch()
            self._train.load_state(checkpoint.part("engine"))
            restore_random_state(checkpoint.part("random"), self.device)
        except (RuntimeError, ArithmeticError, KeyError, TypeError, ValueError) as error:
            text = f"the checkpoint does not fit the run's config: {one_line(error)}"
            raise RunError(text, hint=START_AGAIN) from error

    def _expected_failure(self, error: BaseException) -> RunFailed | None:
        """What is not the program's fault; None for a defect."""
        if is_out_of_memory(error):
            return self._out_of_memory()
        if is_user_module(self.config.arch):
            text = f"{self.config.arch} raised {type(error).__name__}: {error}"
            hint = "try it on a batch of its own, in training mode"
            return RunFailed.of(self.epoch, TrainingFailed(one_line(text, 300), hint=hint))
        return None

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._step = 0
        self._epoch_clock = Clock()
        self._draw = draw_epoch(self.config, self._count, self.epoch)
        self._start_epoch()
        seed_dropout(self.config, self.epoch)

    def _start_epoch(self) -> None:
        rates = [self._lr(step) for step in range(self.steps_per_epoch)]
        draw = EpochDraw(self._kept[self._draw.order], self._draw.changes)
        self._train.start_epoch(draw, rates, (self.epoch - 1) * self.steps_per_epoch)

    def _prepare_engine(self) -> None:
        self.model.train()
        self._engine.prepare(self._train)
        (self._val or self._test).prepare(self._engine)

    def _train_steps(self, should_stop: ShouldStop) -> Iterator[TrainEvent]:
        """Train from wherever the epoch under way has come to, up to its end."""
        size, steps = self.config.batch_size, self.steps_per_epoch
        self.model.train()
        reported, images_reported, reported_at = self._train.totals(), self._step * size, -math.inf
        while self._step < steps:
            Stopped.check(should_stop)
            done = min((self._step + 1) * size, self._count)
            self._engine.run(self._train, done - self._step * size)
            self._step += 1
            now = time.perf_counter()
            if now - reported_at >= PROGRESS_INTERVAL or self._step == steps:
                totals = self._train.totals()
                self._check_finite(totals.loss)
                loss = (totals.loss - reported.loss) / (done - images_reported)
                reported, images_reported, reported_at = totals, done, now
                yield self._progressed(loss)

    def _finish_epoch(self, should_stop: ShouldStop) -> EpochFinished:
        trained = self._epoch_clock.seconds()
        totals = self._train.totals()
        score = (self._val or self._test).score(should_stop, self._engine)
        finished = self._epoch_finished(totals, score, trained)
        if self.best_epoch == self.epoch:
            self.best_weights = copy_weights(self.scored_model)
        return finished

    def _finish(self, should_stop: ShouldStop) -> RunFinished:
        last, chosen = None, None
        weights = self.final_weights = copy_weights(self.scored_model)
        if self._val is not None:
            last = self._test.score(should_stop)
            self.scored_model.load_state_dict(self.best_weights)
            try:
                chosen = self._test.score(should_stop)
            finally:
                self.scored_model.load_state_dict(weights)
        elif not self.predictions:  # it goes on from a checkpoint behind the last epoch's score
            last = self._test.score(should_stop)
        return self._finished(last, chosen)
