"""What augmentation makes of the images that an epoch begins with, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.augmentation.augmentation import Augmentation
from core.config import TrainConfig
from core.data.loader import Dataset
from core.training.failures import check_split
from core.training.sampling import draw_epoch, split_validation


@dataclass(frozen=True, slots=True)
class Preview:
    """Images as they are and as they are trained on, (N, S, S) uint8 each, with the names of their classes."""

    originals: Tensor
    changed: Tensor
    classes: tuple[str, ...]


def preview(config: TrainConfig, dataset: Dataset, count: int, epoch: int = 1) -> Preview:
    """The first so many images of an epoch, in the order and with the changes that a run of this config has on a CPU.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """
    dataset = dataset.limited(config.limit_train, config.limit_test)
    check_split(config, dataset)
    kept, _ = split_validation(len(dataset.train_labels), config.val_split)
    draw = draw_epoch(config, len(kept), epoch)
    index = kept[draw.order[:count]]
    originals = dataset.train_images[index]
    changed = originals
    if draw.changes is not None:
        change = Augmentation(config, originals.shape[-1], originals.device, torch.float32)
        changed = change(originals, draw.changes[:count]).round().to(torch.uint8)
    return Preview(originals, changed, tuple(dataset.classes[label] for label in dataset.train_labels[index].tolist()))
