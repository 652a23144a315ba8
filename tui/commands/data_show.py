"""`data show`: digits as augmentation makes them, beside what they were."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from core.config import TrainConfig
from core.data.loader import Loader
from core.training.preview import Preview, preview
from tui.drawing.picture import Shades, digit_values
from tui.drawing.plain_text import small_picture
from tui.text.output import note, say

GAP = 3
"""Columns between two pairs."""
USUAL = 28
"""Pixels of a side; images that are far smaller are magnified to about as many."""


def show_augmented(loader: Loader, config: TrainConfig, count: int, *, width: int, braille: bool) -> None:
    """Print the first images that a run would train on, each as it is and as it is changed.

    Args:
        width: columns that there are.
        braille: in dots, else in ASCII.
    """
    dataset = loader.load(config.dataset)
    if dataset.note:
        note(f"warning: {dataset.note}")
    shown = preview(config, dataset, count)
    for line in pair_lines(shown, width, braille=braille, paired=config.augment != "none"):
        say(line)
    if config.augment == "none":
        note("nothing is changed; for example --augment affine,erase changes them")
    else:
        note(f"left as it is, right by {config.augment}: as epoch 1 of a run with seed {config.seed} begins")


def pair_lines(shown: Preview, width: int, *, braille: bool, paired: bool) -> list[str]:
    """The pictures of a preview as lines, as many side by side as fit into the width; unpaired, the originals alone."""
    cards: list[list[str]] = []
    for name, original, changed in zip(shown.classes, shown.originals.numpy(), shown.changed.numpy(), strict=True):
        sides = [small_picture(_readable(image), braille=braille) for image in (original, changed)[: 1 + paired]]
        cards.append([name, *(" ".join(parts) for parts in zip(*sides, strict=True))])
    if not cards:
        return []
    wide = max(len(line) for card in cards for line in card[1:])
    columns = max(1, (width + GAP) // (wide + GAP))
    lines: list[str] = []
    for first in range(0, len(cards), columns):
        rows = zip_longest(*cards[first : first + columns], fillvalue="")
        lines += [(" " * GAP).join(part[:wide].ljust(wide) for part in parts).rstrip() for parts in rows]
        lines.append("")
    return lines[:-1]


def _readable(image: NDArray[np.uint8]) -> Shades:
    zoom = max(1, USUAL // len(image))
    return digit_values(image).repeat(zoom, 0).repeat(zoom, 1)
