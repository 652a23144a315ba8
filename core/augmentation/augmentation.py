"""A list of random changes to training images, as a function of a batch and of its random numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor

from core.augmentation.draws import columns_of
from core.augmentation.elastic import displacements, gaussian_matrix
from core.augmentation.geometry import map_of, one_map, resample, shift_images, warp_images
from core.augmentation.pixels import brighten_images, contrast_images, erase_images
from core.config import TrainConfig, augmentations_of

_WHOLE_PIXELS = frozenset({"shift", "crop"})
_MAPPED = _WHOLE_PIXELS | {"affine", "rotate", "scale", "shear"}

_Stage = Callable[[Tensor, Tensor], Tensor]


class Augmentation:
    """The changes of a config's list, in its order: call it with images and the numbers drawn for them.

    Kinds that move things and follow one another are one change of places, elastic as the last of them, so that pixels
    are interpolated once, and nothing is cut off between them. Shifts and crops by themselves need no interpolation.

    Args:
        size: of the square images, in pixels.
        device: where the images will be.
        dtype: in which pixels are computed.
    """

    def __init__(self, config: TrainConfig, size: int, device: torch.device, dtype: torch.dtype) -> None:
        kinds = augmentations_of(config.augment)
        self._columns = columns_of(kinds)
        self._dtype = dtype
        self._strength = config.elastic
        self._smoothing: Tensor | None = None
        if "elastic" in kinds:  # in this order, as not every device has float64
            self._smoothing = gaussian_matrix(config.elastic_sigma, size).to(dtype).to(device)
        self._stages: list[_Stage] = [self._stage(group) for group in groups_of(kinds)]

    def __call__(self, images: Tensor, changes: Tensor) -> Tensor:
        """Change a batch.

        Args:
            images: (B, size, size), from 0 to 255.
            changes: (B, columns), rows of what `draw_changes` drew.

        Returns:
            (B, size, size), from 0 to 255; of the dtype, or still of the images' own where none was needed.
        """
        for stage in self._stages:
            images = stage(images, changes)
        return images

    def _stage(self, group: tuple[str, ...]) -> _Stage:
        """What changes images by a group of kinds."""
        (first, *_) = group
        if _WHOLE_PIXELS.issuperset(group):
            return lambda images, changes: shift_images(images, self._steps(group, changes))
        if group == ("affine",):
            return lambda images, changes: warp_images(images.to(self._dtype), self._of(first, changes))
        if first in _MAPPED or first == "elastic":
            return lambda images, changes: self._moved(group, images.to(self._dtype), changes)
        if first == "erase":
            return lambda images, changes: erase_images(images, self._of(first, changes))
        change = {"brightness": brighten_images, "contrast": contrast_images}[first]
        return lambda images, changes: change(images.to(self._dtype), self._of(first, changes))

    def _moved(self, group: Sequence[str], images: Tensor, changes: Tensor) -> Tensor:
        maps = [map_of(kind, self._of(kind, changes)) for kind in group if kind != "elastic"]
        moves = None
        if self._smoothing is not None and group[-1] == "elastic":
            seeds = changes[:, self._columns["elastic"]].flatten()
            moves = displacements(seeds, self._smoothing, self._strength)
        return resample(images, reduce(one_map, maps) if maps else None, moves)

    def _steps(self, group: Sequence[str], changes: Tensor) -> Tensor:
        """How many pixels down and to the right images go by all of the group, (B, 2)."""
        return reduce(torch.add, [self._of(kind, changes) for kind in group])

    def _of(self, kind: str, changes: Tensor) -> Tensor:
        return changes[:, self._columns[kind]].to(self._dtype)


def groups_of(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """The kinds in their order, those together that are one change of places."""
    groups: list[tuple[str, ...]] = []
    for kind in kinds:
        joins = kind in _MAPPED or kind == "elastic"
        if joins and groups and groups[-1][-1] in _MAPPED:
            groups[-1] = (*groups[-1], kind)
        else:
            groups.append((kind,))
    return groups
