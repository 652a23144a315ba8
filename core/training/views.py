"""Views of images as tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from core.augmentation.geometry import shift_images, warp_images
from core.views import OTHER_VIEWS


class ImageViews:
    """The other views of images, by the name of a kind of `OTHER_VIEWS`; as many for each image."""

    def __init__(self, kind: str, device: torch.device) -> None:
        views = OTHER_VIEWS[kind]
        self._is_shift = all((view.rotation, view.size) == (0, 1) for view in views)
        shifts = [[float(view.down), float(view.right)] for view in views]
        warps = [[math.radians(view.rotation), view.size, view.down, view.right] for view in views]
        # Before any step, as one that is recorded may take nothing from the host.
        changes = torch.tensor(shifts if self._is_shift else warps)
        self._changes = changes.to(device, torch.int64 if self._is_shift else torch.float32)

    def __len__(self) -> int:
        return len(self._changes)

    def __call__(self, images: Tensor) -> Iterator[Tensor]:
        """Each of the views of images (B, S, S), uint8; pixels from outside are 0."""
        for change in self._changes:
            changes = change.expand(len(images), -1)
            yield shift_images(images, changes) if self._is_shift else warp_images(images.float(), changes)
