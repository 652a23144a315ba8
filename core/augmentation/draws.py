"""The random numbers of each kind of augmentation, for all images of an epoch, drawn on the CPU before it starts.

They do not depend on the size of the images: what is a share here becomes pixels where it is applied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from core.config import TrainConfig, augmentations_of

SMALLEST_ERASED = 0.02
"""Share of the image that the smallest rectangle covers, unless the largest is smaller still."""
LONGEST_SIDE = 10 / 3
"""How many times as long as the other a side of a rectangle may be."""
ELASTIC_SEEDS = 2**24
"""Seeds of displacements; as many as float32 has whole numbers without a gap."""


def draw_shifts(count: int, most: float, generator: torch.Generator) -> Tensor:
    """Offsets down and to the right, (count, 2), each whole number of pixels up to `most` either way equally likely."""
    limit = math.floor(most)
    return torch.randint(-limit, limit + 1, (count, 2), generator=generator, dtype=torch.int8)


def draw_warps(count: int, *, degrees: float, scale: float, shift: float, generator: torch.Generator) -> Tensor:
    """Changes for `warp_images`, (count, 4), uniform within the given limits either way."""
    limits = torch.tensor([math.radians(degrees), scale, shift, shift])
    middle = torch.tensor([0.0, 1.0, 0.0, 0.0])
    return middle + limits * (2 * torch.rand(count, 4, generator=generator) - 1)


def draw_around(middle: float, most: float, count: int, generator: torch.Generator) -> Tensor:
    """Numbers uniform up to `most` either way of the middle, (count, 1)."""
    return middle + most * (2 * torch.rand(count, 1, generator=generator) - 1)


def draw_boxes(count: int, *, largest: float, chance: float, generator: torch.Generator) -> Tensor:
    """Rectangles for `erase_images`, (count, 4), as in Random Erasing (Zhong et al., 2017).

    The area is uniform, the ratio of the sides uniform by its logarithm, and so narrow that the rectangle fits.
    """
    erased, area, ratio, down, right = torch.rand(count, 5, generator=generator).unbind(1)
    smallest = min(SMALLEST_ERASED, largest)
    area = smallest + (largest - smallest) * area
    widest = torch.minimum(torch.tensor(math.log(LONGEST_SIDE)), -area.clamp(min=1e-9).log())
    stretch = torch.exp(widest * (ratio - 0.5))  # the root of the ratio
    side = area.sqrt() * (erased < chance)
    return torch.stack([side * stretch, side / stretch, down, right], 1)


_DRAWS: Mapping[str, tuple[int, Callable[[TrainConfig, int, torch.Generator], Tensor]]] = {
    "shift": (2, lambda config, count, generator: draw_shifts(count, config.shift, generator)),
    "affine": (
        4,
        lambda config, count, generator: draw_warps(
            count, degrees=config.rotation, scale=config.scale, shift=config.shift, generator=generator
        ),
    ),
    "rotate": (1, lambda config, *rest: draw_around(0.0, math.radians(config.rotation), *rest)),
    "scale": (1, lambda config, *rest: draw_around(1.0, config.scale, *rest)),
    "shear": (1, lambda config, *rest: draw_around(0.0, math.radians(config.shear), *rest)),
    "elastic": (
        1,
        lambda _, count, generator: torch.randint(ELASTIC_SEEDS, (count, 1), generator=generator, dtype=torch.int32),
    ),
    "erase": (
        4,
        lambda config, count, generator: draw_boxes(
            count, largest=config.erase, chance=config.erase_chance, generator=generator
        ),
    ),
    "brightness": (1, lambda config, *rest: draw_around(1.0, config.brightness, *rest)),
    "contrast": (1, lambda config, *rest: draw_around(1.0, config.contrast, *rest)),
    "crop": (2, lambda config, count, generator: draw_shifts(count, config.crop, generator)),
}
"""For each kind how many numbers an image needs, and what draws them."""


def draw_changes(config: TrainConfig, count: int, generator: torch.Generator) -> Tensor | None:
    """The numbers for so many images, (count, columns), those of each kind side by side in the list's order.

    None where images are not changed.
    """
    kinds = augmentations_of(config.augment)
    return torch.cat([_DRAWS[kind][1](config, count, generator) for kind in kinds], 1) if kinds else None


def columns_of(kinds: tuple[str, ...]) -> dict[str, slice]:
    """Where the numbers of each kind are among those of the list."""
    columns, start = {}, 0
    for kind in kinds:
        columns[kind] = slice(start, start := start + _DRAWS[kind][0])
    return columns


def numbers_of(kinds: tuple[str, ...]) -> int:
    """How many numbers an image needs for a list."""
    return sum(_DRAWS[kind][0] for kind in kinds)
