"""Changes of what the pixels are, for a whole batch at once on its device.

The random numbers are drawn beforehand (`core.augmentation.draws`); the functions here are pure.
"""

from __future__ import annotations

import torch
from torch import Tensor


def erase_images(images: Tensor, boxes: Tensor) -> Tensor:
    """Set a rectangle in each image to 0, the background.

    Args:
        images: (B, H, W).
        boxes: (B, 4): height and width as shares of the image's, at least one pixel where they are above 0; then how
            far down and to the right it is, as shares from 0 to below 1 of all places where it fits.
    """
    _, height, width = images.shape
    rows = _between(boxes[:, 0], boxes[:, 2], height)
    columns = _between(boxes[:, 1], boxes[:, 3], width)
    return images.masked_fill(rows[:, :, None] & columns[:, None, :], 0)


def _between(share: Tensor, place: Tensor, size: int) -> Tensor:
    """Which pixels along one side, (B, size), the rectangle covers."""
    length = ((share * size).round().clamp(1, size) * (share > 0))[:, None]
    start = (place[:, None] * (size - length + 1)).floor()
    pixels = torch.arange(size, device=share.device)
    return (pixels >= start) & (pixels < start + length)


def brighten_images(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply all pixels of each image, (B, H, W) from 0 to 255, by its factor, (B, 1), within these limits."""
    return (images * factors[:, :, None]).clamp_(0, 255)


def contrast_images(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply the distance of all pixels from the image's mean by its factor, as `brighten_images` does."""
    mean = images.mean((1, 2), keepdim=True)
    return ((images - mean) * factors[:, :, None]).add_(mean).clamp_(0, 255)
