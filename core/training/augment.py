"""Random changes to training images, for a whole batch at once on its device.

The random numbers are drawn beforehand, for the whole epoch, by `core.training.sampling`; the functions here are pure.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def shift_images(images: Tensor, offsets: Tensor) -> Tensor:
    """Shift each image by whole pixels; pixels from outside are 0.

    Args:
        images: (B, H, W).
        offsets: (B, 2), whole pixels down and to the right.
    """
    batch, height, width = images.shape
    offsets = offsets.long()
    rows = torch.arange(height, device=images.device) - offsets[:, :1]
    columns = torch.arange(width, device=images.device) - offsets[:, 1:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    flat = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    moved = images.reshape(batch, -1).gather(1, flat.reshape(batch, -1)).reshape(images.shape)
    return moved * inside


def warp_images(images: Tensor, changes: Tensor) -> Tensor:
    """Rotate, scale and shift each image about its centre, with bilinear interpolation; outside is 0.

    Args:
        images: (B, H, W), floating point.
        changes: (B, 4): rotation in radians, size as a factor, shift down and to the right in pixels.
    """
    batch, height, width = images.shape
    angle, factor, down, right = changes.unbind(1)
    # affine_grid wants the map from output to input, in coordinates from -1 to 1.
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    x, y = -2 * right / width, -2 * down / height
    theta = torch.stack([cos, sin, cos * x + sin * y, -sin, cos, cos * y - sin * x], dim=1).reshape(batch, 2, 3)
    grid = F.affine_grid(theta, [batch, 1, height, width], align_corners=False)
    return F.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def draw_shifts(count: int, most: float, generator: torch.Generator) -> Tensor:
    """Offsets for `shift_images`, (count, 2), each whole number of pixels up to `most` either way equally likely."""
    limit = math.floor(most)
    return torch.randint(-limit, limit + 1, (count, 2), generator=generator, dtype=torch.int8)


def draw_warps(count: int, *, degrees: float, scale: float, shift: float, generator: torch.Generator) -> Tensor:
    """Changes for `warp_images`, (count, 4), uniform within the given limits either way."""
    limits = torch.tensor([math.radians(degrees), scale, shift, shift])
    middle = torch.tensor([0.0, 1.0, 0.0, 0.0])
    return middle + limits * (2 * torch.rand(count, 4, generator=generator) - 1)
