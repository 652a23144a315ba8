"""How the curves of charts look, in the interface, in images and on pages: one colour and marker for one thing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from experiments.settings import load_settings

PALETTES: Mapping[str, tuple[str, ...]] = {
    "okabe-ito": ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442", "#999999"),
    "tol": ("#4477aa", "#ccbb44", "#228833", "#ee6677", "#66ccee", "#aa3377", "#ee7733", "#bbbbbb"),
}
"""Sets of eight colours that are told apart with any colour vision: by M. Okabe and K. Ito, and by P. Tol. The first
three are for training, test and held-out images, the fourth is for what is wrong or to be reached."""
WRONG = 3
COLOURS = ("#2f7fc1", "#d97a06", "#2a9d6f", "#9a5fc4", "#1a98ab", "#c2528b", "#8a7a2b", "#6b7fd7")
"""One for each of eight curves, readable on light and on dark."""
TARGET = "#d1495b"
"""The colour of the line that is to be reached."""
MARKERS = ("circle", "triangle", "square", "diamond")
"""Those of the first four curves, filled; the next four have them hollow."""
TRAIN, TEST, HELD_OUT = 0, 1, 2
"""The places of what one run is scored on."""


@cache
def colours() -> tuple[str, ...]:
    """The colours of curves in images and on pages: those of the palette that the user has set."""
    return PALETTES.get(load_settings().values.palette, COLOURS)


def target_colour() -> str:
    """The colour of a line that is to be reached, and of what is wrong."""
    return TARGET if colours() is COLOURS else colours()[WRONG]
