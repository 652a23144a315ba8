"""Scoring a network on labelled images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import ShouldStop, Stopped

BATCH = 500
"""Small enough for the activations of a tiny network to stay in a CPU's cache."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """How images become a network's input: scaled to 0..1, then standardised with the data set's mean and deviation."""

    mean: float
    std: float

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 28, 28), 0 to 255 of any type, to (B, 1, 28, 28) float32, its strides those of channels_last.

        With one channel, `Tensor.to(memory_format=...)` may silently do nothing, hence the view and the permutation.
        """
        batch, height, width = images.shape
        scaled = images.to(torch.float32, copy=True).mul_(1 / (255 * self.std)).sub_(self.mean / self.std)
        return scaled.view(batch, height, width, 1).permute(0, 3, 1, 2)


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


def evaluate(model: nn.Module, images: Tensor, labels: Tensor, pixels: Pixels, should_stop: ShouldStop) -> Score:
    """Score a model, in evaluation mode and fp32, on uint8 images (N, 28, 28) and labels (N,) on the model's device.

    Raises:
        Stopped: between two batches, when asked to.
    """
    was_training = model.training
    model.eval()
    loss = torch.zeros((), dtype=torch.float64 if images.device.type != "mps" else torch.float32, device=images.device)
    predictions = torch.empty(len(labels), dtype=torch.uint8, device=images.device)
    try:
        with torch.inference_mode():
            for start in range(0, len(labels), BATCH):
                Stopped.check(should_stop)
                batch = slice(start, start + BATCH)
                logits = model(pixels(images[batch]))
                loss += F.cross_entropy(logits, labels[batch], reduction="sum")
                predictions[batch] = logits.argmax(1)
            correct = (predictions == labels).sum()
    finally:
        model.train(was_training)
    return Score(float(loss) / len(labels), int(correct), len(labels), predictions.cpu())
