"""Learning from trained networks beside the labels: distillation.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. A network's logits divided by a
temperature give softer probabilities; those of the teacher are targets for those of the network that is trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import TrainConfig
from core.device.device import float32_products
from core.engines.engine import Engine
from core.training.evaluate import BATCH, Labelled, Pixels


@dataclass(frozen=True, slots=True)
class Teacher:
    """Trained networks, images (B, 1, S, S) to logits (B, C); of several the mean of their probabilities counts.

    `words` say what they are, and `sha256` is the hash of all their weights, for the record of a run.
    """

    networks: tuple[nn.Module, ...]
    words: str
    sha256: str


class SoftTargets:
    """The probabilities that a teacher gives to the images of a run, at the run's temperature.

    Where the images are not augmented, each is always the same, and all are worked out once, by `batches`.

    Args:
        images: those of the data set that are trained on.
        pixels: as the teacher is given them.
    """

    def __init__(self, teacher: Teacher, config: TrainConfig, images: Labelled, pixels: Pixels, engine: Engine) -> None:
        self._device = images.images.device
        self._pixels = pixels
        self._temperature = config.temperature
        self._images = images
        networks = [
            network.eval().requires_grad_(False).to(self._device).to(memory_format=torch.channels_last)
            for network in teacher.networks
        ]
        self._forwards = [engine.forward(network) for network in networks]
        self._table: Tensor | None = None
        self._is_filled = False
        if config.augment == "none":
            classes = int(self._of(images.images[:1]).shape[1])
            self._table = torch.zeros(len(images.labels), classes, device=self._device, dtype=pixels.dtype)

    def batches(self) -> Iterator[None]:
        """Work out what is needed before the first step: yields before each batch of images, once."""
        if self._table is None or self._is_filled:
            return
        places = torch.arange(len(self._images.labels), device=self._device)
        rows = places if self._images.rows is None else self._images.rows
        for part in torch.split(rows, BATCH):
            yield
            self._table[part] = self._of(self._images.images.index_select(0, part))
        self._is_filled = True

    def __call__(self, index: Tensor, images: Tensor) -> Tensor:
        """The targets (B, C) of the images (B, S, S) that were made of those at `index` (B,) of the data set."""
        return self._of(images) if self._table is None else self._table.index_select(0, index)

    def _of(self, images: Tensor) -> Tensor:
        with torch.no_grad(), float32_products(self._device):
            inputs = self._pixels(images)
            first, *others = [(forward(inputs) / self._temperature).softmax(1) for forward in self._forwards]
            for other in others:
                first = first + other
            return first / len(self._forwards)


def distilled_losses(logits: Tensor, labels: Tensor, targets: Tensor, config: TrainConfig) -> Tensor:
    """The loss of each image (B,): the cross entropy with the labels, and the divergence from the targets.

    (1 - w) * CE(labels, z) + w * T^2 * KL(targets || softmax(z / T)) for logits z (B, C), the teacher's weight w and
    the temperature T. T^2 keeps the size of the second gradient, which is 1 / T^2, whatever the temperature.
    """
    hard = F.cross_entropy(logits, labels, reduction="none", label_smoothing=config.label_smoothing)
    predicted = F.log_softmax(logits / config.temperature, 1)
    soft = F.kl_div(predicted, targets.to(logits.dtype), reduction="none").sum(1)
    return (1 - config.teacher_weight) * hard + config.teacher_weight * config.temperature**2 * soft
