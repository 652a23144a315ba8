"""Grey pictures in characters: half blocks where there is colour, braille dots where there is none, else ASCII.

Whichever it is, a character stands for one pixel across and two down, which is about square in a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError

if TYPE_CHECKING:
    from textual.app import App

LEVELS = 24
"""Steps of brightness: fewer than there are, so that neighbours are equal and are sent to the terminal as one."""
MARKED = LEVELS + 1
RAMP = " .:-=+*#%@"
"""ASCII from empty to full."""
_DOTS = np.array([[0x00, 0x01, 0x11, 0x19, 0x1B], [0x00, 0x04, 0x84, 0xA4, 0xE4]])
"""Unicode's bits for 0 to 4 dots in the upper and in the lower half of a braille character, spread out."""

Shades = NDArray[np.float32]
"""The brightness of pixels, 0 to 1, or -1 to 1 where it is signed."""


class Ink(Enum):
    """The characters that pictures are drawn with."""

    BLOCKS = "blocks"
    BRAILLE = "braille"
    ASCII = "ascii"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of nothing, of full ink, of the two ends of values that may be negative, and of a mark, as
    (r, g, b)."""

    ink: Ink
    paper: tuple[int, int, int]
    full: tuple[int, int, int]
    above: tuple[int, int, int]
    below: tuple[int, int, int]
    mark: tuple[int, int, int]

    def style(self, level: int) -> tuple[int, int, int]:
        """The colour of a level from -LEVELS to LEVELS for values of both signs, from 0 to LEVELS for others."""
        if level == MARKED:
            return self.mark
        end = self.below if level < 0 else self.above
        share = abs(level) / LEVELS
        red, green, blue = (round(low + (high - low) * share) for low, high in zip(self.paper, end, strict=True))
        return red, green, blue

    @property
    def ends(self) -> tuple[str, str]:
        """The look of values below and above 0, in a word."""
        return ("cold", "warm") if self.ink is Ink.BLOCKS else ("empty", "full")

    def grey(self) -> Palette:
        """The palette for values without a sign."""
        return replace(self, above=self.full, below=self.full)


def palette_of(app: App[object]) -> Palette:
    """The ink that the terminal can show, and the theme's colours."""
    ink = Ink.BRAILLE if app.no_color else Ink.BLOCKS
    if getattr(app, "ascii_only", False):
        ink = Ink.ASCII
    dark = app.current_theme.dark
    paper = theme_colour(app, "background", (18, 18, 18) if dark else (224, 224, 224))
    full = theme_colour(app, "foreground", (224, 224, 224) if dark else (18, 18, 18))
    warm, cold = theme_colour(app, "chart-warning", (255, 166, 43)), theme_colour(app, "chart-primary", full)
    return Palette(ink, paper, full, above=warm, below=cold, mark=theme_colour(app, "error", warm))


def theme_colour(app: App[object], name: str, default: tuple[int, int, int]) -> tuple[int, int, int]:
    """A colour of the theme; the default where the theme leaves it to the terminal."""
    try:
        colour = Color.parse(app.theme_variables[name])
    except (ColorParseError, KeyError):
        return default
    return default if colour.ansi is not None else colour.rgb


def picture(
    values: Shades, palette: Palette, *, zoom: int = 1, signed: bool = False, mark: tuple[int, int] | None = None
) -> list[list[Segment]]:
    """The lines of a picture.

    Args:
        values: (H, W), from 0 for paper to 1 for full ink, or from -1 to 1 where they are `signed`; beyond is cut off.
        zoom: pixels across and down that each value takes.
        mark: a row and a column of `values` to be shown in the mark's colour, or else as an x.

    Returns:
        (H * zoom + 1) // 2 lines of W * zoom characters each.
    """
    if zoom > 1:
        values = values.repeat(zoom, 0).repeat(zoom, 1)
    if len(values) % 2:
        values = np.vstack((values, np.zeros((1, values.shape[1]), dtype=values.dtype)))
    values = np.clip(values, -1 if signed else 0, 1)
    match palette.ink:
        case Ink.BLOCKS:
            levels = np.rint(values * LEVELS).astype(int)
            if mark is not None:
                row, column = mark[0] * zoom, mark[1] * zoom
                levels[row : row + zoom, column : column + zoom] = MARKED
            colours = palette if signed else palette.grey()
            return [_blocks(levels[row], levels[row + 1], colours) for row in range(0, len(levels), 2)]
        case Ink.BRAILLE:
            dots = np.rint((values + 1) / 2 * 4 if signed else values * 4).astype(int)
            bits = 0x2800 + _DOTS[0][dots[::2]] + _DOTS[1][dots[1::2]]
            return _plain(["".join(map(chr, row)) for row in bits.tolist()], mark, zoom)
        case Ink.ASCII:
            means = (values[::2] + values[1::2]) / 2
            steps = np.rint(((means + 1) / 2 if signed else means) * (len(RAMP) - 1)).astype(int)
            return _plain(["".join(RAMP[step] for step in row) for row in steps.tolist()], mark, zoom)


def _plain(lines: list[str], mark: tuple[int, int] | None, zoom: int) -> list[list[Segment]]:
    """Lines without colour, the mark as x."""
    if mark is not None:
        row, column = mark[0] * zoom // 2, mark[1] * zoom
        lines[row] = lines[row][:column] + "x" * zoom + lines[row][column + zoom :]
    return [[Segment(line)] for line in lines]


def _blocks(upper: NDArray[np.int_], lower: NDArray[np.int_], palette: Palette) -> list[Segment]:
    """One line of half blocks, equal neighbours as one segment."""
    edges = np.flatnonzero(np.diff(upper) | np.diff(lower)) + 1
    starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(upper)]
    segments = []
    for start, stop in zip(starts, stops, strict=True):
        top, bottom = int(upper[start]), int(lower[start])
        text = (" " if top == bottom else "▀") * (stop - start)
        segments.append(Segment(text, _pair(palette.style(top), palette.style(bottom))))
    return segments


@lru_cache(maxsize=4096)
def _pair(above: tuple[int, int, int], below: tuple[int, int, int]) -> Style:
    return Style(color=RichColor.from_rgb(*above), bgcolor=RichColor.from_rgb(*below))


def digit_values(image: NDArray[np.uint8]) -> Shades:
    """Pixels from 0 to 255 as values from 0 to 1."""
    return image.astype(np.float32) / np.float32(255)


def fitted(values: Shades, side: int) -> Shades:
    """A square picture (S, S) in (side, side): a small one with whole pixels, in the middle; of a large one each value
    is the mean of what lies there."""
    size = len(values)
    if size == side:
        return values
    if size > side:
        ends = np.arange(side + 1) * (size / side)
        starts = np.arange(size)
        share = np.clip(np.minimum(ends[1:, None], starts + 1) - np.maximum(ends[:-1, None], starts), 0, None)
        share = (share * (side / size)).astype(np.float32)
        means: Shades = share @ values @ share.T
        return means
    zoom = side // size
    margin = (side - zoom * size) // 2
    whole = np.zeros((side, side), dtype=np.float32)
    whole[margin : margin + zoom * size, margin : margin + zoom * size] = values.repeat(zoom, 0).repeat(zoom, 1)
    return whole


def spread(values: Shades, *, signed: bool) -> Shades:
    """Values scaled to use the whole range: from the smallest at 0 to the largest at 1, or about 0 where `signed`."""
    if signed:
        largest = float(np.abs(values).max())
        return values / largest if largest else values
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
