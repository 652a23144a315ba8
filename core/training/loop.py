"""The epochs of a run, or of several that are trained together: training, scoring, and the events about it.

A run by itself is a group of one. Events are yielded only between two batches, so whoever holds one may take a
checkpoint, which is the state after a whole number of steps, or stop the run. In evaluation that state is the one after
the last step: neither scores half done nor weights that are only scored are part of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.device import check_precision
from core.device.random_state import ScriptNumbers
from core.engines.choose import choose_engine, make_engine
from core.engines.engine import Forward
from core.events import RunStopped, TrainEvent
from core.models.spec import is_user_module
from core.models.translate.translation import Translation, Untranslatable, with_translation
from core.models.translate.twin import InPlaceOf
from core.storage.checkpoint import Checkpoint
from core.training.average import WeightAverage, copy_of, copy_weights
from core.training.evaluate import Evaluator, Labelled, Pixels, Score
from core.training.gauges import StepGauge
from core.training.record import RunRecord
from core.training.sampling import EpochDraw, seed_dropout, seed_scoring, seed_script, split_validation
from core.training.scoring import MakeEvaluator, Model, RunImages, Scoring
from core.training.step import TrainStep
from core.training.teacher import SoftTargets, Teacher

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress events of a run, at least; in proportion more where over ten are trained together."""

AnyRun = TypeVar("AnyRun", bound=RunRecord)

StopsRun = Callable[[AnyRun], str]
"""A `ShouldStop` for each of several runs."""
RunEvents = Iterator[tuple[AnyRun, TrainEvent]]
"""The events of several runs, each with the run that it is of."""

MakeStep = Callable[
    [Model, TrainConfig, Tensor, Tensor, Pixels, WeightAverage | None, Forward, SoftTargets | None], TrainStep
]


class EpochLoop(Generic[Model]):
    """Trains and scores a network, for a single run or for as many as the network has copies.

    All runs are in the same epoch and at the same step. Each has its own draws, learning rates, scores and end; one
    that has ended is still computed, until all have.

    Args:
        config: of the run, or of any of them: seed and learning rate are not read from it.
        dataset: those images of it that are used.
        model: on the device.
        make_step: makes the step of training.
        make_evaluator: makes the evaluators of the held-out and of the test images.
        translated: of a user's own module, the spec that it equals, or why there is none.
        twin_of: makes the network of that spec, with the tensors of a model, which is run in the model's place.
        memory_format: of the model's parameters, and of the images that it is given.
        teacher: the network or networks to learn from beside the labels.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        model: Model,
        device: torch.device,
        make_step: MakeStep[Model],
        make_evaluator: MakeEvaluator[Model],
        *,
        copies: int = 1,
        translated: Translation | Untranslatable | None = None,
        twin_of: Callable[[Model], nn.Module] | None = None,
        memory_format: torch.memory_format = torch.channels_last,
        teacher: Teacher | None = None,
    ) -> None:
        check_precision(config.precision, device)
        self.model = model
        self._config = config
        self._copies = copies
        images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)
        self._kept, held_out = split_validation(len(labels), config.val_split)
        self._steps = math.ceil(len(self._kept) / config.batch_size)
        self._twin_of = twin_of
        run_as = config
        if isinstance(translated, Translation):
            run_as = config.model_copy(update={"arch": translated.spec})
        choice = choose_engine(run_as, device, config.epochs * self._steps, copies, dataset.task)
        self.engine = make_engine(choice, config.batch_size, device, copies, config.precision)
        self._engine_reason = with_translation(choice.reason, translated)
        pixels = Pixels(dataset.mean, dataset.std, memory_format=memory_format)
        forward = self._forward(model)
        run_images = RunImages(
            Labelled(images, labels, self._kept.to(device)),
            Labelled(images, labels, held_out.to(device)),
            Labelled(dataset.test_images.to(device), dataset.test_labels.to(device)),
        )
        self._scoring = Scoring(
            config,
            model,
            run_images,
            pixels,
            lambda scored: forward if scored is model else self._forward(scored),
            make_evaluator,
        )
        self._targets: SoftTargets | None = None
        if teacher is not None:
            its_pixels = Pixels(dataset.mean, dataset.std)
            self._targets = SoftTargets(teacher, config, run_images.train, its_pixels, self.engine)
        moving = self._scoring.moving
        self._step = make_step(model, config, images, labels, pixels, moving, forward, self._targets)
        # Where only torch's random numbers are drawn, the others need not be looked after.
        self._numbers = ScriptNumbers() if is_user_module(config.arch) and run_as is config else None
        self._gauge = StepGauge(model, copies)
        self._read: dict[str, dict[str, Tensor]] = {}  # parts of the state of all copies after the last step

    @property
    def scored_model(self) -> Model:
        """The network that evaluation scores: the average where there is one."""
        return self._scoring.model

    def run(self, runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]) -> RunEvents[AnyRun]:
        """Train from wherever the runs have come to, yielding each event with the run that it is of.

        Lazy: work goes on when the next event is asked for. `should_stop` is asked of each run before every batch, in
        evaluation too, and a run that shall stop does so alone.
        """
        numbers = nullcontext() if self._numbers is None else self._numbers
        with closing(self._run(runs, should_stop)) as events:
            while True:
                with numbers, self.engine.working():  # not while whoever takes the events does something else
                    event = next(events, None)
                if event is None:
                    return
                yield event

    def _run(
        self, runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]
    ) -> Generator[tuple[AnyRun, TrainEvent], None, None]:
        for run in runs:
            run.start_clock()
        with nullcontext() if self._numbers is None else self._numbers.untouched():
            self.model.train()
            self.engine.prepare(self._step)
            self._scoring.prepare(self.engine)
        for run in runs:
            yield run, run.started(self.engine.name, self.engine.note, self._engine_reason)
        try:
            yield from self._finish(runs, should_stop)  # what was stopped after its last epoch
            while live := _live(runs):
                if live[0].between_epochs:
                    for run in live:
                        run.begin_epoch()
                    self.start_epoch(runs)
                    seed_dropout(live[0].config, live[0].epoch)  # which only a single run has
                    if self._numbers is not None:
                        seed_script(self._numbers, live[0].config, live[0].epoch)
                yield from self._train(live, should_stop)
                yield from self._score(_live(live), should_stop)
                yield from self._finish(_live(live), should_stop)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            for run in _live(runs):
                failure = run.fail_by(error)
                if failure is None:
                    raise
                yield run, failure

    def start_epoch(self, runs: Sequence[RunRecord]) -> None:
        """Give the step the draws, rates and momenta of the epoch under way, of the first one before it."""
        latest = max(runs, key=lambda run: run.epoch)  # one that has ended stays behind
        draws = [EpochDraw(self._kept[run.draw.order], run.draw.changes) for run in runs]
        self._read = {}
        rates, steps_before = [run.rates() for run in runs], max(0, latest.epoch - 1) * self._steps
        self._step.start_epoch(draws, rates, steps_before, latest.momenta())

    def parts_of(self, copy: int) -> dict[str, dict[str, Tensor]]:
        """The tensors of one run for a checkpoint, by part, as copies on the CPU: the state after its last step."""
        engine = self._step.state_of(self._read_back("engine"), copy)
        weights = {part: self._weights(part, copy) for part in ("model", "average")}
        return {**weights, "engine": engine, "script": {} if self._numbers is None else self._numbers.state()}

    def load(self, checkpoint: Checkpoint) -> None:
        """Load the network and the step of a checkpoint; errors of several kinds when it does not fit.

        To be called after `start_epoch` where an epoch is under way.
        """
        self._read = {}
        self.model.load_state_dict(checkpoint.part("model"))
        if self._scoring.average is not None:
            self.scored_model.load_state_dict(checkpoint.part("average"))
        self._step.load_state(checkpoint.part("engine"))
        if self._numbers is not None:
            if state := checkpoint.part("script"):
                self._numbers.restore(state)
            else:  # made by an earlier version
                seed_script(self._numbers, self._config, int(checkpoint.state["epoch"]))

    def _forward(self, model: Model) -> Forward:
        """A network's forward pass in the engine, or that of the spec's network in the place of a user's module."""
        if self._twin_of is None:
            return self.engine.forward(model)
        twin = self._twin_of(model)
        return InPlaceOf(model, twin, self.engine.forward(twin))

    def _train(self, runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]) -> RunEvents[AnyRun]:
        """Train up to the end of the epoch under way."""
        if self._targets is not None:
            yield from self._through(self._targets.batches(), runs, should_stop)
            runs = _live(runs)
            if not runs:
                return
        size, count, first = self._config.batch_size, len(self._kept), runs[0].step
        self.model.train()
        totals = self._step.totals()
        for run in runs:
            run.go_on(totals[run.copy])
        reported_at = -math.inf
        for step in range(first, self._steps):
            yield from _stopped(runs, should_stop)
            if not (live := _live(runs)):
                return
            self._read = {}
            is_last = step + 1 == self._steps
            if is_last:
                self._gauge.before()
            self.engine.run(self._step, min(size, count - step * size))
            if is_last:
                self._scoring.end_epoch(runs[0].epoch)
                gauges = self._gauge.read()
            for run in live:
                run.count_step()
                run.gauges = gauges[run.copy] if is_last else run.gauges
            now = time.perf_counter()
            due = now - reported_at >= PROGRESS_INTERVAL * max(1, len(live) / 10) or is_last
            if due or any(run.tells_each_step for run in live):
                totals, reported_at = self._step.totals(), now
                for run in live:
                    yield run, run.progress(totals[run.copy])

    def _score(self, runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]) -> RunEvents[AnyRun]:
        """Score the epoch under way."""
        if not runs:
            return
        trained, totals, evaluator = runs[0].epoch_seconds(), self._step.totals(), self._scoring.by_epoch
        yield from self._find_statistics(runs, should_stop)
        if not _live(runs):
            return
        yield from self._evaluate(evaluator, runs, should_stop)
        if live := _live(runs):
            scores = evaluator.scores()
            for run in live:
                event = run.finish_epoch(totals[run.copy], scores[run.copy], trained)
                if run.best_epoch == run.epoch:
                    run.best_weights = self._scored_weights(run.copy)
                yield run, event

    def _find_statistics(self, runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]) -> RunEvents[AnyRun]:
        """Find the statistics of the batch norms of a mean of weights."""
        batches = self._scoring.statistics(runs[0].epoch, self.engine)
        if batches is not None:
            self._read_back("average")  # for a checkpoint meanwhile, as statistics half found are no state
            yield from self._through(batches, runs, should_stop)
            if _live(runs):
                del self._read["average"]

    def _finish(self, runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]) -> RunEvents[AnyRun]:
        """End the runs that are done, after scoring them on the test images where that has not been."""
        if not (done := [run for run in runs if run.done]):
            return
        for run in done:
            run.final_weights = self._scored_weights(run.copy)
        last: list[Score] | None = None
        selected: list[Score] | None = None
        viewed: list[Score] | None = None
        if self._scoring.val is not None or not all(run.predictions for run in done):
            yield from self._evaluate(self._scoring.test, done, should_stop)
            last = self._scoring.test.scores()
        if self._scoring.viewed is not None and (left := _live(done)):
            yield from self._evaluate(self._scoring.viewed, left, should_stop)
            viewed = self._scoring.viewed.scores()
        if self._scoring.val is not None and (left := _live(done)):
            # A checkpoint that is asked for meanwhile has the run's own weights: they have just been read back.
            with self._scoring.lent({run.copy: run.best_weights for run in left}, self._copies):
                yield from self._evaluate(self._scoring.test, left, should_stop)
            selected = self._scoring.test.scores()
        for run in _live(done):
            scores = [None if of_all is None else of_all[run.copy] for of_all in (last, selected, viewed)]
            yield run, run.finish(*scores)

    def _evaluate(
        self, evaluator: Evaluator, runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]
    ) -> RunEvents[AnyRun]:
        """Score the network on an evaluator's images, until none of these runs is left that wants to know."""
        if self._numbers is not None:
            seed_scoring(self._numbers, runs[0].config, runs[0].epoch)
        yield from self._through(evaluator.batches(self.engine), runs, should_stop)

    def _through(
        self, batches: Iterator[None], runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]
    ) -> RunEvents[AnyRun]:
        """Go through batches, until none of these runs is left that wants to know."""
        for _ in batches:
            yield from _stopped(runs, should_stop)
            if not _live(runs):
                return

    def _scored_weights(self, copy: int) -> dict[str, Tensor]:
        return self._weights("model" if self._scoring.average is None else "average", copy)

    def _weights(self, part: str, copy: int) -> dict[str, Tensor]:
        return {name: copy_of(tensor, copy, self._copies).clone() for name, tensor in self._read_back(part).items()}

    def _read_back(self, part: str) -> dict[str, Tensor]:
        """Parts of the state of all copies, each fetched from the device once after a step, whoever asks for it."""
        if part not in self._read:
            match part:
                case "engine":
                    self._read[part] = self._step.state()
                case "model":
                    self._read[part] = copy_weights(self.model)
                case _:
                    self._read[part] = {} if self._scoring.average is None else copy_weights(self.scored_model)
        return self._read[part]


def _live(runs: Sequence[AnyRun]) -> list[AnyRun]:
    return [run for run in runs if not run.ended]


def _stopped(runs: Sequence[AnyRun], should_stop: StopsRun[AnyRun]) -> Iterator[tuple[AnyRun, RunStopped]]:
    """Stop the runs that shall stop; yields their last events."""
    for run in _live(runs):
        if reason := should_stop(run):
            yield run, run.stop(reason)
