"""The form of MNIST's images: a digit in a box of 20 x 20 pixels, in strokes of MNIST's width, centred by its mass.

The digit, light on black, is scaled to fit the box, its aspect ratio kept and its edges anti-aliased, and placed with
its centre of mass in the middle of 28 x 28 pixels (http://yann.lecun.com/exdb/mnist/). In MNIST's own test images that
centre lies within half a pixel of pixel (14, 14), and the brightest pixel is 254 or 255.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from core.data.photo.paper import Mask, Values

SIDE, BOX, MIDDLE = 28, 20, 14
FINE = 4
"""Strokes are measured and mended at so many times the size."""
THINNEST, WANTED, THICKEST = 6.0, 9.0, 16.0
"""Widths of strokes in pixels of the box at `FINE` times its size. Of MNIST's test images one in a hundred is thinner
than the first, half are thinner than about the second, and one in twenty is thicker than the last."""


def mnist_form(ink: Values) -> Values:
    """(28, 28) from 0 to 1, of ink (H, W) from 0 to 1 that is all of one digit."""
    rows, columns = (np.flatnonzero((ink > 0.1).any(axis)) for axis in (1, 0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    fine = _scaled(digit, BOX * FINE)
    change = 0.0
    width = stroke_width(fine > 0.5)
    if width < THINNEST:
        change = (WANTED - width) / 2
    elif width > THICKEST:
        change = (THICKEST - width) / 2
    if change:
        digit = _with_strokes_changed(fine, change)
    return _centred(_scaled(digit, BOX))


def stroke_width(mask: Mask) -> float:
    """Twice the area by the number of pixels at its edge: for long strokes about their width in pixels."""
    area = int(mask.sum())
    edge = area - int(ndimage.binary_erosion(mask).sum())
    return 2 * area / max(edge, 1)


def _scaled(digit: Values, side: int) -> Values:
    """With the longer side made so many pixels, averaged over what becomes one pixel."""
    height, width = digit.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BILINEAR))
    scaled: Values = np.clip(resized / resized.max(), 0, 1)
    return scaled


def _with_strokes_changed(fine: Values, by: float) -> Values:
    """Every stroke wider by so many pixels on both of its sides, or narrower; cut to its box."""
    room = int(abs(by)) + 2
    padded = np.pad(fine, room)
    inside = padded > 0.5
    away = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    changed = np.clip(by + 0.5 - away + 0.5 * np.sign(away), 0, 1).astype(np.float32)
    rows, columns = (np.flatnonzero((changed > 0.1).any(axis)) for axis in (1, 0))
    if not len(rows):
        return fine
    return changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _centred(digit: Values) -> Values:
    """In 28 x 28 pixels with the centre of mass at pixel (14, 14), or as near as nothing is cut off."""
    mass = digit.sum()
    places = []
    for axis, length in enumerate(digit.shape):
        centre = float((digit.sum(1 - axis) * np.arange(length)).sum() / mass)
        places.append(min(max(MIDDLE - round(centre), 0), SIDE - length))
    image = np.zeros((SIDE, SIDE), dtype=np.float32)
    image[places[0] : places[0] + len(digit), places[1] : places[1] + digit.shape[1]] = digit
    return image
