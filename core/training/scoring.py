"""What a run scores: a network, or the average of its weights, on held-out and on test images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from torch import Tensor, nn

from core.config import TrainConfig
from core.engines.engine import Engine, Forward
from core.models.translate.twin import InPlaceOf
from core.training.average import EpochMean, WeightAverage, average_of, copy_of
from core.training.evaluate import Evaluator, Labelled, Pixels
from core.training.statistics import NormStatistics
from core.training.views import ImageViews

Model = TypeVar("Model", bound=nn.Module)

MakeEvaluator = Callable[[Model, Labelled, Pixels, Forward, ImageViews | None], Evaluator]


STATISTICS_IMAGES = 10_000
"""Training images over which the statistics of a mean of weights are found. All 60,000 of MNIST take six times as long,
half as much again as an epoch of training, and change the predictions of 6 in 10,000 test images."""


@dataclass(frozen=True, slots=True)
class RunImages:
    """The images of a run on its device: those to train on, those held out of them, and the test images."""

    train: Labelled
    held_out: Labelled
    test: Labelled


class Scoring(Generic[Model]):
    """A run's evaluators: of the test images, of the held-out ones (None where there are none), and of the test images
    with views (None without test-time augmentation).

    `model` is the network that they score, `average` what that is an average by, None for the network itself.

    Args:
        model: the network that is trained.
        forward_of: makes a network's forward pass.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Model,
        images: RunImages,
        pixels: Pixels,
        forward_of: Callable[[Model], Forward],
        make_evaluator: MakeEvaluator[Model],
    ) -> None:
        self.average = average_of(model, config)
        self.model = model if self.average is None else cast("Model", self.average.model)
        forward = forward_of(self.model)
        self.test = make_evaluator(self.model, images.test, pixels, forward, None)
        held_out = len(images.held_out) > 0
        self.val = make_evaluator(self.model, images.held_out, pixels, forward, None) if held_out else None
        views = ImageViews(config.tta, images.test.images.device)
        self.viewed = make_evaluator(self.model, images.test, pixels, forward, views) if len(views) else None
        self._norms: NormStatistics | None = None
        if isinstance(self.average, EpochMean):
            network = forward.network if isinstance(forward, InPlaceOf) else self.model
            seen = images.train.first(STATISTICS_IMAGES)
            self._norms = NormStatistics(network, seen, self.test.inputs, config.batch_size)

    @property
    def by_epoch(self) -> Evaluator:
        """The evaluator that scores each epoch."""
        return self.val or self.test

    @property
    def moving(self) -> WeightAverage | None:
        """The average that each step brings up to date."""
        return self.average if isinstance(self.average, WeightAverage) else None

    def prepare(self, engine: Engine) -> None:
        """Let an engine get ready for what is done after each epoch."""
        self.by_epoch.prepare(engine)
        if self._norms is not None:
            self._norms.prepare(engine)

    def end_epoch(self, epoch: int) -> None:
        """Take in the weights after an epoch's last step."""
        if isinstance(self.average, EpochMean):
            self.average.end_epoch(epoch)

    def statistics(self, epoch: int, engine: Engine) -> Iterator[None] | None:
        """The batches through which the statistics of a mean of weights are found; None where there is nothing to find:
        the mean is none, or still the weights themselves."""
        if self._norms is None or not isinstance(self.average, EpochMean) or epoch <= self.average.first:
            return None
        return self._norms.batches(engine)

    @contextmanager
    def lent(self, weights: Mapping[int, Mapping[str, Tensor]], copies: int) -> Iterator[None]:
        """Within the block the copies that are named, of so many in all, score with these weights."""
        own = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        try:
            for name, tensor in self.model.state_dict().items():
                for copy, lent in weights.items():
                    copy_of(tensor, copy, copies).copy_(lent[name])
            yield
        finally:
            self.model.load_state_dict(own)
