"""Scoring a network on labelled images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.device.device import float32_products
from core.engines.engine import EagerEngine, Engine, Forward, batch_sizes
from core.errors import ShouldStop, Stopped
from core.training.views import ImageViews

BATCH = 500
"""Images scored at once on a CPU: few enough for the activations of a tiny network to stay in its cache."""
BATCH_ON_GPU = 2500
"""Images scored at once on a GPU: enough to keep all of it busy."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Turns images into a network's input: scaled to 0..1, then standardised with the data set's mean and deviation."""

    mean: float
    std: float
    dtype: torch.dtype = torch.float32
    """The type that the network computes in."""
    memory_format: torch.memory_format = torch.channels_last
    """In which the network computes: its parameters have it, too."""

    def __call__(self, images: Tensor) -> Tensor:
        """(B, S, S), 0 to 255 of any type, to (B, 1, S, S) of `dtype`, its strides those of the memory format.

        With one channel, `Tensor.to(memory_format=...)` may silently do nothing, hence the view and the permutation.
        """
        batch, height, width = images.shape
        scaled = images.to(self.dtype, copy=True).mul_(1 / (255 * self.std)).sub_(self.mean / self.std)
        if self.memory_format is torch.contiguous_format:
            return scaled.view(batch, 1, height, width)
        return scaled.view(batch, height, width, 1).permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Images (N, S, S) uint8 and labels (N,) int64 on one device, or those at `rows` (M,) of them.

    With rows, training and held-out images share one copy of the data set.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels if self.rows is None else self.rows)

    def first(self, count: int) -> Labelled:
        """The first so many of them, or all."""
        if self.rows is not None:
            return replace(self, rows=self.rows[:count])
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    def at(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The images and labels at these places (B,), counted among the rows where there are some."""
        index = places if self.rows is None else self.rows.index_select(0, places)
        return self.images.index_select(0, index), self.labels.index_select(0, index)


@dataclass(frozen=True, slots=True)
class Score:
    """`loss` is the mean cross entropy; `predictions` (N,) the class of each image, uint8 on the CPU."""

    loss: float
    correct: int
    total: int
    predictions: Tensor

    @property
    def accuracy(self) -> float:
        return self.correct / self.total


class Evaluator:
    """Scores one model on one list of images, as often as wanted: a step, which an engine may record and replay.

    Args:
        forward: called in the model's place, images (B, 1, S, S) to logits (B, classes); the model itself by default.
        views: where the mean of the logits over an image and these views of it is scored, not those of the image alone.
        copies: networks that `model` is made of, each of which is scored (`core.grouped.evaluate`).
        size: images in a batch.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Labelled,
        pixels: Pixels,
        forward: Forward | None = None,
        views: ImageViews | None = None,
        *,
        copies: int = 1,
        size: int | None = None,
    ) -> None:
        self.data = data
        self._model = model
        self._forward = forward or model
        self._pixels = pixels
        self._views = views
        self._copies = copies
        self._device = device = data.images.device
        self._size = min(size or whole_batch(device), len(data))
        self._places = torch.arange(self._size, device=device)  # of the images of the next batch
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self._losses = torch.zeros(copies, device=device, dtype=dtype)
        self._predictions = torch.zeros(len(data), copies, device=device, dtype=torch.uint8)

    def score(self, should_stop: ShouldStop, engine: Engine | None = None) -> Score:
        """Score the model as it is now, in evaluation mode and fp32.

        Raises:
            Stopped: between two batches, when asked to.
        """
        for _ in self.batches(engine or EagerEngine()):
            Stopped.check(should_stop)
        return self.scores()[0]

    def batches(self, engine: Engine) -> Iterator[None]:
        """Score the model as `score` does: yields before each batch, which is scored when the next is asked for."""
        with _evaluating(self._model):
            self.rewind()
            self._losses.zero_()
            for start in range(0, len(self.data), self._size):
                yield
                engine.run(self, min(self._size, len(self.data) - start))

    def scores(self) -> list[Score]:
        """Read the score of each copy back, after the last of the `batches`."""
        labels = self.data.labels if self.data.rows is None else self.data.labels.index_select(0, self.data.rows)
        correct = (self._predictions == labels[:, None]).sum(0).tolist()
        predictions = self._predictions.t().to("cpu", copy=True)
        return [
            Score(loss / len(labels), hits, len(labels), predictions[copy].clone())
            for copy, (loss, hits) in enumerate(zip(self._losses.tolist(), correct, strict=True))
        ]

    def prepare(self, engine: Engine) -> None:
        """Let an engine get ready for scoring."""
        with _evaluating(self._model):
            engine.prepare(self)

    def __call__(self, size: int) -> None:
        """Score the next `size` images."""
        with torch.no_grad(), float32_products(self._device):
            places = self._places[:size]
            images, labels = self.data.at(places)
            logits = self._logits(images)
            self._losses += self._summed_losses(logits, labels)
            self._predictions[places] = logits.argmax(1).view(size, self._copies).to(torch.uint8)
            self._places += size

    def sizes(self) -> list[int]:
        """The sizes of the batches."""
        return batch_sizes(len(self.data), self._size)

    def rewind(self) -> None:
        """Make the first batch the next."""
        torch.arange(self._size, out=self._places)

    def changed(self) -> list[Tensor]:
        """All tensors that a call changes and a later one reads."""
        return [self._places, self._losses, self._predictions]

    def inputs(self, images: Tensor) -> Tensor:
        """The network's input of images (B, S, S) uint8."""
        return self._pixels(images)

    def _logits(self, images: Tensor) -> Tensor:
        logits = self._forward(self.inputs(images))
        if self._views is None:
            return logits
        for view in self._views(images):
            logits = logits + self._forward(self.inputs(view))
        return logits / (1 + len(self._views))

    def _summed_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The sum over a batch, for each copy where there are several."""
        return F.cross_entropy(logits, labels, reduction="sum")


def whole_batch(device: torch.device) -> int:
    """Images that a single network is scored on at once."""
    return BATCH_ON_GPU if device.type == "cuda" else BATCH


def logits_of(module: nn.Module, pixels: Pixels, images: Tensor) -> Tensor:
    """A module's logits (B, classes) for a batch of images (B, S, S), 0 to 255.

    A single one is given twice: a module may squeeze away more than it means to of a batch of one.
    """
    logits: Tensor = module(pixels(images.expand(2, -1, -1) if len(images) == 1 else images))
    return logits[: len(images)]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
