"""Pictures of one digit and nothing else, on paper of one colour: cut out by somebody, or made by a program."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from core.data.photo.form import stroke_width
from core.data.photo.paper import Values

SAME = 0.6 / 255
"""Values that differ by no more are of one colour."""
PAPER, INK = 0.2, 0.72
"""The paper takes so much of the picture, at least, and the ink so much of its own box, at most."""
FILLED = 0.7
"""The digit takes so much of the picture's height or width; of smaller ones the search finds more."""
WHOLE = 0.9
"""One stroke takes so much of the height and of the width of all the ink."""
THIN = 0.06
"""No pen is thinner than this share of the digit's longer side where the whole picture is one digit."""
FAINT = 0.2
"""Below this share of the contrast there is paper."""
SMALL, FINE, STEEPER = 20, 224, 0.8
FEWEST_EDGES, SMALLEST_BLOCK = 4, 2.5
"""Of the blocks of a picture that was enlarged without smoothing: down and across, and in pixels."""


def digit_on_plain_paper(gray: Values) -> Values | None:
    """The ink, (H, W) from 0 to 1, where the whole picture is one digit that fills it; None where it is not."""
    rim = np.concatenate((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    paper = float(np.median(rim))
    away = gray - paper
    if (np.abs(away) <= SAME).mean() < PAPER:
        return None
    if -away.min() > away.max():
        away = -away
    if away.max() < 0.06 or -away.min() > 0.1 * away.max():
        return None
    share = away / away.max()
    inked = share > FAINT
    rows, columns = (np.flatnonzero(inked.any(axis)) for axis in (1, 0))
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    if max(height / len(gray), width / gray.shape[1]) < FILLED or (share > 0.5).sum() > INK * height * width:
        return None
    if stroke_width(share > 0.5) < THIN * max(height, width):  # ruled lines, or a frame
        return None
    parts = ndimage.find_objects(ndimage.label(inked, np.ones((3, 3)))[0])
    sides = [(part[0].stop - part[0].start, part[1].stop - part[1].start) for part in parts]
    if not any(down > WHOLE * height and across > WHOLE * width for down, across in sides):
        return None
    ink: Values = np.clip((_sharpened(without_blocks(share)) - FAINT) / (1 - FAINT), 0, 1).astype(np.float32)
    return ink


def without_blocks(share: Values) -> Values:
    """The small picture of which each pixel was made a block of equal ones; another picture as it is."""
    edges = [np.flatnonzero(np.abs(np.diff(share, axis=axis)).max(1 - axis) > SAME) + 1 for axis in (0, 1)]
    if min(map(len, edges)) < FEWEST_EDGES:
        return share
    for side in range(max(map(len, edges)) + 1, min(int(min(share.shape) / SMALLEST_BLOCK), SMALL) + 1):
        blocks = [length / side for length in share.shape]
        # Programs do not agree on where the edge is between two blocks whose side is not a whole number.
        if all(
            (np.abs(there - np.rint(there / one) * one) <= 0.5).all() for there, one in zip(edges, blocks, strict=True)
        ):
            middles = [((np.arange(side) + 0.5) * one).astype(int) for one in blocks]
            return np.ascontiguousarray(share[np.ix_(*middles)])
    return share


def _sharpened(share: Values) -> Values:
    """Where no two neighbours differ by half of the contrast the picture was enlarged, or it is to be, by much: its
    edges are made steeper."""
    step = max(float(np.abs(np.diff(share, axis=axis)).max()) for axis in (0, 1))
    if step > 0.5 and max(share.shape) >= SMALL:
        return share
    scale = max(1.0, FINE / max(share.shape))
    height, width = share.shape
    size = (round(width * scale), round(height * scale))
    fine = np.asarray(Image.fromarray(share).resize(size, Image.Resampling.BICUBIC))
    steeper = fine + STEEPER * (fine - ndimage.gaussian_filter(fine, max(fine.shape) / 16))
    scaled: Values = (steeper / steeper.max()).astype(np.float32)
    return scaled
