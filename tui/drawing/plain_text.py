"""Grey pictures as lines of text without colour, for what commands print."""

from __future__ import annotations

import numpy as np

from tui.drawing.picture import RAMP, Ink, Palette, Shades, picture

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_DITHER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16
"""Bayer's thresholds: where grey is to be dots, those of its share are spread evenly."""
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Unicode's bit of each dot in a braille character, two across and four down."""


def has_braille(encoding: str | None) -> bool:
    """Whether a stream of this encoding can take braille dots."""
    try:
        "⣿".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def text_picture(values: Shades, encoding: str | None) -> list[str]:
    """The lines of a picture, (H, W) from 0 to 1: in braille dots where the stream's encoding has them, else ASCII."""
    ink = Ink.BRAILLE if has_braille(encoding) else Ink.ASCII
    palette = Palette(ink, _BLACK, _WHITE, above=_WHITE, below=_WHITE, mark=_WHITE)
    return ["".join(segment.text for segment in line).rstrip() for line in picture(values, palette)]


def small_picture(values: Shades, *, braille: bool) -> list[str]:
    """The lines of a picture, (H, W) from 0 to 1, in half as many characters across and down as `text_picture` takes.

    A character stands for two pixels across and four down: in braille dots one each, grey as a share of them, or in
    ASCII by their mean.
    """
    height, width = values.shape
    padded = np.pad(values, ((0, -height % 4), (0, -width % 2)))
    if braille:
        thresholds = np.tile(_DITHER, (len(padded) // 4, padded.shape[1] // 4 + 1))[:, : padded.shape[1]]
        blocks = (padded > thresholds).reshape(len(padded) // 4, 4, -1, 2)
        bits = (blocks * _DOTS[None, :, None, :]).sum((1, 3)) + 0x2800
        return ["".join(map(chr, row)) for row in bits.tolist()]
    means = padded.reshape(len(padded) // 4, 4, -1, 2).mean((1, 3))
    steps = np.rint(np.clip(means, 0, 1) * (len(RAMP) - 1)).astype(int)
    return ["".join(RAMP[step] for step in row) for row in steps.tolist()]
