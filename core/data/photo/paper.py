"""What is ink on a photograph: the brightness of each place held against that of the paper there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

SMOOTH = 0.0035
"""Deviation of the Gaussian that noise is taken out with, as a share of the picture's longer side."""
RIM = 0.6
"""Strokes that touch the rim take less of a side than that."""


def smoothed(gray: Values) -> Values:
    smooth: Values = ndimage.gaussian_filter(gray, max(0.6, SMOOTH * max(gray.shape)), mode="nearest")
    return smooth


def ink_on_paper(gray: Values, reach: int, *, dark: bool) -> Values:
    """How much of the paper's light is missing (or, for light ink, is added) at each place: 0 for paper, below 1.

    The paper's brightness is the closing of the picture (for light ink the opening): whatever is darker and narrower
    than `reach` is filled with what is beside it. So the edge of a shadow stays where it is, and is no ink.

    Args:
        gray: (H, W) from 0 to 1, its noise taken out.
        reach: in pixels; wider than any stroke.
    """
    if not dark:
        # Light added to a dark ground is measured as light missing from its negative would be.
        gray = 1 - gray
    room = reach // 2 + 1
    paper = _with_paper_round_it(gray, room)
    for extremum in (ndimage.maximum_filter1d, ndimage.minimum_filter1d):
        for axis in (0, 1):
            paper = extremum(paper, reach, axis=axis, mode="nearest")
    paper = paper[room:-room, room:-room]
    missing: Values = np.clip(1 - gray / np.maximum(paper, 0.02) if dark else paper - gray, 0, 1)
    return missing


def _with_paper_round_it(gray: Values, room: int) -> Values:
    """The picture with more paper on every side, as bright as on its rim beside the strokes that touch the rim."""
    rim = gray.copy()
    for line in (rim[0], rim[-1], rim[:, 0], rim[:, -1]):
        across = int(RIM * len(line)) | 1
        line[:] = ndimage.minimum_filter1d(
            ndimage.maximum_filter1d(line, across, mode="constant", cval=0), across, mode="constant", cval=1
        )
    padded = np.pad(rim, room, mode="edge")
    padded[room:-room, room:-room] = gray
    return padded


def faintest(ink: Values) -> float:
    """The value up to which it may be noise of the paper, judged by the palest quarter, in which there is no ink."""
    sample = ink[:: max(1, len(ink) // 300), :: max(1, ink.shape[1] // 300)]
    lowest, low = np.percentile(sample, (5, 25))
    # Of normal values these two are a deviation apart, and the mean two thirds of one above the second.
    return float(low + 4.5 * (low - lowest))
