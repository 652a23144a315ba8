"""Changes of where things are in an image, for a whole batch at once on its device.

The random numbers are drawn beforehand (`core.augmentation.draws`); the functions here are pure. A map is (B, 2, 3),
from a place (x, y) in the changed image to the one in the image itself that is seen there: in pixels from the centre,
to the right and down.
"""

from __future__ import annotations

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


def map_of(kind: str, changes: Tensor) -> Tensor:
    """The map of one kind of change.

    Args:
        changes: (B, n), of what `warp_images` takes the part that the kind is named for; for a shear the angle in
            radians by which what is upright leans, its lower end to the right.
    """
    zero, one = torch.zeros_like(changes[:, 0]), torch.ones_like(changes[:, 0])
    if kind == "shear":
        rows = [one, -torch.tan(changes[:, 0]), zero, zero, one, zero]
        return torch.stack(rows, 1).view(-1, 2, 3)
    angle, factor, down, right = zero, one, zero, zero
    match kind:
        case "affine":
            angle, factor, down, right = changes.unbind(1)
        case "rotate":
            angle = changes[:, 0]
        case "scale":
            factor = changes[:, 0]
        case "shift" | "crop":
            down, right = changes.unbind(1)
        case _:
            raise ValueError(f"{kind} has no map")
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    rows = [cos, sin, -cos * right - sin * down, -sin, cos, sin * right - cos * down]
    return torch.stack(rows, 1).view(-1, 2, 3)


def one_map(first: Tensor, then: Tensor) -> Tensor:
    """The map of two changes, one after the other."""
    both = first[:, :, :2] @ then
    both[:, :, 2] += first[:, :, 2]
    return both


def resample(images: Tensor, map_: Tensor | None, moves: Tensor | None) -> Tensor:
    """Change square images by a map, then by moving each place of its own, with one bilinear interpolation.

    Args:
        images: (B, S, S), floating point; outside they are 0.
        map_: None for none.
        moves: (B, S, S, 2), how far to the right and down from each place the pixel that is seen there comes from;
            None for none where there is a map.
    """
    batch, size, _ = images.shape
    half = size / 2  # affine_grid and grid_sample have coordinates from -1 to 1
    if map_ is None:
        theta = torch.eye(2, 3, device=images.device, dtype=images.dtype)[None]
    else:
        theta = torch.cat([map_[:, :, :2], map_[:, :, 2:] / half], 2)
    grid = F.affine_grid(theta, [len(theta), 1, size, size], align_corners=False)
    if moves is not None:
        moves = moves / half
        if map_ is not None:
            x, y = moves.unbind(3)
            along = map_[:, :, :2].reshape(batch, 4, 1, 1)
            moves = torch.stack([along[:, 0] * x + along[:, 1] * y, along[:, 2] * x + along[:, 3] * y], 3)
        grid = grid + moves
    return F.grid_sample(images[:, None], grid, align_corners=False)[:, 0]
