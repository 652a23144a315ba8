"""Training of several runs of one network as one: `core.training.trainer` for a group."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from core.advice import Action, Advice, Step
from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.device import check_precision
from core.device.random_state import random_state
from core.engines.choose import choose_engine, make_engine
from core.errors import LabError, TrainingFailed
from core.events import RunFailed, RunFinished, RunStarted, RunStopped, TrainEvent
from core.grouped.evaluate import GroupedEvaluator
from core.grouped.network import GroupedNetwork, share_of
from core.grouped.step import GroupedStep, stacked
from core.models.summary import Summary
from core.storage.checkpoint import Checkpoint
from core.training.average import WeightAverage, copy_weights
from core.training.evaluate import Labelled, Pixels, Score
from core.training.record import Clock, RunRecord, is_out_of_memory
from core.training.sampling import EpochDraw, draw_epoch, split_validation
from core.training.step import Totals

PROGRESS_INTERVAL = 0.1
"""Seconds between two rounds of progress events, at least, for ten runs; for others in proportion."""


class Member(RunRecord):
    """One run of a group, as `Trainer` is one by itself: its checkpoints are those of the single run.

    `copy` is its place in the group; `ended` says that what the group still computes there is nobody's.
    """

    def __init__(self, config: TrainConfig, dataset: Dataset, summary: Summary, group: GroupTrainer, copy: int) -> None:
        super().__init__(config, dataset, summary, group.device)
        self.copy = copy
        self.ended = False
        self._group: GroupTrainer = weakref.proxy(group)  # which has its members, and a lot of memory to give back
        self._draw = EpochDraw(torch.empty(0, dtype=torch.int64), None)
        self._reported = Totals(0.0, 0)

    def checkpoint(self) -> Checkpoint:
        parts = {
            **self._group.parts_of(self.copy),
            "best": self.best_weights,
            "random": random_state(self.device),
            "draw": {} if self._between_epochs() else self._draw.tensors(),
        }
        tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        return Checkpoint(tensors, self._state())

    def start(self, engine: str, note: str) -> RunStarted:
        self._run_clock.start()
        return self._started(engine, note)

    def begin_epoch(self) -> None:
        self.epoch += 1
        self._step = 0
        self._epoch_clock = Clock()
        self._epoch_clock.start()
        self._reported = Totals(0.0, 0)

    def draw(self, epoch: int) -> EpochDraw:
        """Its own random draws of an epoch."""
        self._draw = draw_epoch(self.config, self._count, epoch)
        return self._draw

    def rates(self) -> list[float]:
        """The learning rate of each step of the epoch under way."""
        return [self._lr(step) for step in range(self.steps_per_epoch)]

    def count_step(self) -> None:
        self._step += 1

    def progress(self, totals: Totals, images: int) -> TrainEvent:
        """Where it stands, with a loss over so many images, those trained on since it was last asked."""
        loss, self._reported = (totals.loss - self._reported.loss) / images, totals
        try:
            self._check_finite(totals.loss)
        except TrainingFailed as failure:
            return self.fail(failure)
        return self._progressed(loss)

    def finish_epoch(self, totals: Totals, score: Score, trained: float) -> TrainEvent:
        """Take in the score after the epoch, `trained` being when its last step was done, on `time.perf_counter`."""
        seconds = self._epoch_clock.seconds() - (time.perf_counter() - trained)
        try:
            finished = self._epoch_finished(totals, score, seconds)
        except TrainingFailed as failure:
            return self.fail(failure)
        if self.best_epoch == self.epoch:
            self.best_weights = self._group.scored_weights_of(self.copy)
        return finished

    @property
    def done(self) -> bool:
        """Whether it has had all its epochs, or reached its target if that is to be the end."""
        return self._done()

    def finish(self, last: Score | None, chosen: Score | None) -> RunFinished:
        self.ended = True
        self.final_weights = self._group.scored_weights_of(self.copy)
        return self._finished(last, chosen)

    def stop(self, reason: str) -> RunStopped:
        self.ended = True
        return RunStopped(epoch=self.epoch, reason=reason)

    def fail(self, failure: LabError | None = None) -> RunFailed:
        """For this reason; without one, for want of memory."""
        self.ended = True
        if failure is not None:
            return RunFailed.of(self.epoch, failure)
        return replace(self._out_of_memory(), advice=Advice(Step(Action.FEWER_AT_ONCE)))


class GroupTrainer:
    """Runs that differ in seed and learning rate alone, trained together: made with everything ready, then `run` once.

    A run that ends before the others is still computed with them, and nobody looks at it.

    Args:
        models: the network of each config, initial weights and all.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        dataset: Dataset,
        summary: Summary,
        models: Sequence[nn.Module],
        device: torch.device,
    ) -> None:
        config = self._config = configs[0]
        dataset = dataset.limited(config.limit_train, config.limit_test)
        self.device = device
        self.members = [Member(one, dataset, summary, self, copy) for copy, one in enumerate(configs)]
        check_precision(config.precision, device)
        images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)
        self._kept, held_out = split_validation(len(labels), config.val_split)
        self._steps = self.members[0].steps_per_epoch
        choice = choose_engine(config, device, config.epochs * self._steps, len(models))
        self._engine = make_engine(choice, config.batch_size, device, len(models), config.precision)
        self.model = GroupedNetwork(summary, models).to(device)
        self._average = WeightAverage(self.model, config.ema_decay) if config.ema else None
        pixels, forward = Pixels(dataset.mean, dataset.std), self._engine.forward(self.model)
        self._train = GroupedStep(self.model, config, images, labels, pixels, self._average, forward)
        held = Labelled(images, labels, held_out.to(device)) if config.val_split else None
        self._val = None if held is None else GroupedEvaluator(self.scored_model, held, pixels, config.batch_size)
        test = Labelled(dataset.test_images.to(device), dataset.test_labels.to(device))
        self._test = GroupedEvaluator(self.scored_model, test, pixels, config.batch_size)
        self._snapshot: dict[str, dict[str, Tensor]] = {}  # of all runs, until the next step
        self._start_epoch(1)  # so that an engine can get ready

    @property
    def scored_model(self) -> GroupedNetwork:
        """The networks that evaluation scores: the moving averages where there are some."""
        if self._average is None:
            return self.model
        assert isinstance(self._average.model, GroupedNetwork)
        return self._average.model

    def run(self, should_stop: Callable[[Member], str]) -> Iterator[tuple[Member, TrainEvent]]:
        """Train. Lazy, as `Trainer.run` is; each run has all the events that it would have alone.

        `should_stop` is asked of each run before every batch, and a run that shall stop does so alone.
        """
        self.model.train()
        self._engine.prepare(self._train)
        (self._val or self._test).prepare(self._engine)
        for member in self.members:
            yield member, member.start(self._engine.name, self._engine.note)
        try:
            for epoch in range(1, self._config.epochs + 1):
                self._begin_epoch(epoch)
                yield from self._train_steps(should_stop)
                yield from self._finish_epoch()
                yield from self._finish_runs()
                if not self._live:
                    return
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            for member in self._live:
                yield member, member.fail()

    def parts_of(self, copy: int) -> dict[str, dict[str, Tensor]]:
        """A run's tensors of a checkpoint that the group holds, as copies on the CPU."""
        if not self._snapshot:  # read back from the device once for all runs
            averages = {} if self._average is None else copy_weights(self._average.model)
            engine = self._train.state()
            self._snapshot = {"model": copy_weights(self.model), "average": averages, "engine": engine}
        weights = {
            part: {name: share_of(tensor, copy, len(self.members)).clone() for name, tensor in tensors.items()}
            for part, tensors in self._snapshot.items()
            if part != "engine"
        }
        return weights | {"engine": self._train.state_of(self._snapshot["engine"], copy)}

    def scored_weights_of(self, copy: int) -> dict[str, Tensor]:
        parts = self.parts_of(copy)
        return parts["average"] or parts["model"]

    @property
    def _live(self) -> list[Member]:
        return [member for member in self.members if not member.ended]

    def _begin_epoch(self, epoch: int) -> None:
        for member in self._live:
            member.begin_epoch()
        self._start_epoch(epoch)

    def _start_epoch(self, epoch: int) -> None:
        draw = stacked([member.draw(epoch) for member in self.members])
        rates = list(zip(*(member.rates() for member in self.members), strict=True))
        draw = EpochDraw(self._kept[draw.order], draw.changes)
        self._snapshot = {}
        self._train.start_epoch(draw, rates, (epoch - 1) * self._steps)

    def _train_steps(self, should_stop: Callable[[Member], str]) -> Iterator[tuple[Member, TrainEvent]]:
        size, count = self._config.batch_size, len(self._kept)
        self.model.train()
        reported, reported_at = 0, -math.inf
        for step in range(self._steps):
            for member in self._live:
                if reason := should_stop(member):
                    yield member, member.stop(reason)
            if not self._live:
                return
            done = min((step + 1) * size, count)
            self._snapshot = {}
            self._engine.run(self._train, done - step * size)
            for member in self._live:
                member.count_step()
            now = time.perf_counter()
            if now - reported_at >= PROGRESS_INTERVAL * len(self._live) / 10 or step + 1 == self._steps:
                totals = self._train.totals_of_each()
                images, reported, reported_at = done - reported, done, now
                for member in self._live:
                    yield member, member.progress(totals[member.copy], images)

    def _finish_epoch(self) -> Iterator[tuple[Member, TrainEvent]]:
        trained = time.perf_counter()
        totals = self._train.totals_of_each()
        scores = (self._val or self._test).scores(self._engine) if self._live else []
        for member in self._live:
            yield member, member.finish_epoch(totals[member.copy], scores[member.copy], trained)

    def _finish_runs(self) -> Iterator[tuple[Member, TrainEvent]]:
        """End those that are done, with a validation split after scoring the last and the selected epoch of each."""
        done = [member for member in self._live if member.done]
        last: Sequence[Score | None] = [None] * len(self.members)
        chosen = last
        if self._val is not None and done:
            weights = self.scored_model.state_dict()
            current = {name: tensor.clone() for name, tensor in weights.items()}
            last = self._test.scores(self._engine)
            for member in done:
                self.scored_model.load_weights(member.copy, member.best_weights)
            chosen = self._test.scores(self._engine)
            self.scored_model.load_state_dict(current)
        for member in done:
            yield member, member.finish(last[member.copy], chosen[member.copy])
