"""Digits as drawing programs save them when the pencil is a pixel or two wide: the middle lines of MNIST's strokes.

Values are ink, from 0 for paper to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from photographs import ink, placed, thin
from PIL import Image, ImageDraw
from scipy import ndimage

Values = NDArray[np.float64]
Random = np.random.Generator
COARSE = 160
"""The middle lines are looked for at this side."""
_ROUND = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))


def middle_lines(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The strokes thinned to a pixel (Zhang and Suen, A fast parallel algorithm for thinning patterns, 1984)."""
    mask = np.pad(inside, 1).astype(np.uint8)
    went_on = True
    while went_on:
        went_on = False
        for triples in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            near = np.stack([np.roll(mask, shift, (0, 1)) for shift in _ROUND])
            filled = near.sum(0)
            rises = ((near == 0) & (np.roll(near, -1, 0) == 1)).sum(0)
            is_outer = np.all([near[list(triple)].min(0) == 0 for triple in triples], axis=0)
            removed = (mask == 1) & (filled >= 2) & (filled <= 6) & (rises == 1) & is_outer
            mask[removed] = 0
            went_on |= bool(removed.any())
    return mask[1:-1, 1:-1].astype(bool)


def pencilled(digit: NDArray[np.uint8], side: int, width: float = 1, smooth: int = 1) -> Values:
    """The digit in lines of that width, without breaks, (side, side); anti-aliased where `smooth` is above 1."""
    points = {(int(y), int(x)) for y, x in np.argwhere(middle_lines(ink(digit, COARSE) > 0.5))}
    scale = side * smooth / COARSE
    image = Image.new("L", (side * smooth, side * smooth))
    draw = ImageDraw.Draw(image)
    for y, x in points:
        for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
            if (y + down, x + across) in points:
                ends = [((at + 0.5) * scale, (row + 0.5) * scale) for row, at in ((y, x), (y + down, x + across))]
                draw.line(ends, fill=255, width=max(1, round(width * smooth)))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), dtype=float) / 255


def broken(lines: Values, random: Random, breaks: int = 12) -> Values:
    """With gaps of a fiftieth of the picture's side."""
    lines = lines.copy()
    half = max(1, len(lines) // 100)
    places = np.argwhere(lines > 0.5)
    for row, column in places[random.integers(0, len(places), breaks)]:
        lines[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1] = 0
    return lines


def on_canvas(lines: Values, side: int, random: Random | None = None, paper: int = 255, pen: int = 0) -> Image.Image:
    """Somewhere on a square canvas, or in its middle."""
    canvas = placed(lines, side, side, random)
    return Image.fromarray(np.rint(paper + (pen - paper) * canvas).astype(np.uint8))


def compressed(image: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def dashed(digit: NDArray[np.uint8], side: int) -> Values:
    """What is left of strokes along their ridge: pieces of a pixel or two in width, and breaks of any length."""
    return (thin(digit, side, 2.0) > 0.5).astype(float)


def in_a_window(image: Image.Image) -> Image.Image:
    """With a line of a pixel round the canvas."""
    ImageDraw.Draw(image).rectangle((0, 0, image.width - 1, image.height - 1), outline=0)
    return image


LINES: dict[str, Callable[[NDArray[np.uint8], Random], Image.Image]] = {
    "a pixel, 300": lambda digit, random: on_canvas(pencilled(digit, 240), 300, random),
    "a pixel, 1000": lambda digit, random: on_canvas(pencilled(digit, 800), 1000, random),
    "a pixel, 3000": lambda digit, random: on_canvas(pencilled(digit, 2200), 3000, random),
    "a pixel, a third of it": lambda digit, random: on_canvas(pencilled(digit, 400), 1200, random),
    "two pixels": lambda digit, random: on_canvas(pencilled(digit, 400, 2), 500, random),
    "broken, 400": lambda digit, random: on_canvas(broken(pencilled(digit, 320), random), 400, random),
    "broken, 1000": lambda digit, random: on_canvas(broken(pencilled(digit, 800), random), 1000, random),
    "dashed": lambda digit, random: on_canvas(dashed(digit, 800), 1000),
    "anti-aliased": lambda digit, random: on_canvas(pencilled(digit, 500, 1, smooth=4), 700, random),
    "grey and half a pixel": lambda digit, random: on_canvas(
        pencilled(digit, 400, 0.5, smooth=4), 500, random, 240, 120
    ),
    "light on black": lambda digit, random: on_canvas(pencilled(digit, 500), 700, random, 0, 255),
    "JPEG": lambda digit, random: compressed(on_canvas(pencilled(digit, 600), 800, random), 50),
    "JPEG, two pixels": lambda digit, random: compressed(on_canvas(pencilled(digit, 400, 2), 500, random), 30),
    "blurred": lambda digit, random: on_canvas(ndimage.gaussian_filter(pencilled(digit, 400), 0.8), 500, random),
    "in a window": lambda digit, random: in_a_window(on_canvas(pencilled(digit, 400), 500)),
}
"""Pictures of one digit."""
