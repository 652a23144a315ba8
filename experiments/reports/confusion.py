"""The confusion matrix of a run's test images as a picture, and what each class came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from core.errors import LabError
from experiments.reports.looks import colours, target_colour
from experiments.reports.svg_marks import CHAR, FONT, text
from experiments.runs.folder import Run

if TYPE_CHECKING:
    from experiments.runs.predictions import Predictions

SIDE = 440
"""Pixels of the picture's cells together, across and down."""
LABEL = 14
"""Characters of a class's name that have room beside the picture."""
MOST_COUNTED = 20
"""With more classes the cells have no room for their counts."""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class: its test images, how many were recognised, and precision and recall as percentages in words."""

    name: str
    images: int
    right: int
    precision: str
    recall: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """`picture` is SVG; where there is an `obstacle`, nothing else is there."""

    obstacle: str = ""
    picture: str = ""
    classes: Sequence[ClassRow] = ()
    correct: str = ""


def confusion_of(run: Run, names: Sequence[str]) -> Confusion:
    """The confusions of the classes of these names, by the weights after the last epoch, or the obstacle to them."""
    try:
        kept = run.load_predictions()
    except LabError as error:
        return Confusion(error.message)
    if kept is None:
        return Confusion("The run has no predictions: it has not finished, or an earlier version made it.")
    if max(kept.labels.max(initial=0), kept.final.max(initial=0)) >= len(names):
        return Confusion(f"The run's predictions are of more than the {len(names)} classes of its log.")
    counts = _counts(kept, len(names))
    right = [row[cls] for cls, row in enumerate(counts)]
    images, called = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    rows = [
        ClassRow(name, images[cls], right[cls], _share(right[cls], called[cls]), _share(right[cls], images[cls]))
        for cls, name in enumerate(names)
    ]
    return Confusion("", picture(counts, names), rows, f"{sum(right):,} of {sum(images):,}")


def _counts(kept: Predictions, classes: int) -> list[list[int]]:
    """A row for each true class with the number of its images that were taken for each."""
    import numpy as np

    pairs = kept.labels.astype(int) * classes + kept.final
    counts: list[list[int]] = np.bincount(pairs, minlength=classes**2).reshape(classes, classes).tolist()
    return counts


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}%" if whole else "-"


def picture(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """A row of cells for each true class, a column for each predicted one, the stronger the more images.

    What was recognised is measured by the class's images, mistakes by the commonest one. Texts have the colour of the
    page around the picture.
    """
    classes = len(names)
    cell = SIDE / classes
    shown = [name if len(name) <= LABEL else name[: LABEL - 1] + "…" for name in names]
    longest = max(map(len, shown)) * CHAR
    left, top = longest + 34, (longest if longest > cell else FONT) + 34
    width, height = left + SIDE + 4, top + SIDE + 4
    title = "Test images by what they are and what they were taken for"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label={quoteattr(title)} font-family="system-ui, sans-serif" '
        f'font-size="{FONT}" fill="currentColor">',
        f"<title>{escape(title)}</title>",
        text(left + SIDE / 2, 14, "taken for", anchor="middle"),
        text(14, top + SIDE / 2, "true", anchor="middle", turned=-90),
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{SIDE}" height="{SIDE}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.35"/>',
    ]
    size = max(5, min(FONT, int(cell * 0.9)))
    for place, name in enumerate(shown):
        middle = (place + 0.5) * cell
        turned = -90 if longest > cell else 0
        parts.append(text(left - 6, top + middle + size / 3, name, anchor="end", size=size))
        across = left + middle + (size / 3 if turned else 0)
        parts.append(text(across, top - 6, name, anchor="start" if turned else "middle", size=size, turned=turned))
    most_wrong = max((count for true, row in enumerate(counts) for cls, count in enumerate(row) if cls != true))
    for true, row in enumerate(counts):
        for cls, count in enumerate(row):
            if count:
                most = sum(row) if cls == true else most_wrong
                x, y = left + cls * cell, top + true * cell
                words = f"{names[true]} taken for {names[cls]}: {count:,}"
                parts += _cell(
                    x, y, cell, count, most, words, colours()[0] if cls == true else target_colour(), classes
                )
    return "\n".join([*parts, "</svg>\n"])


def _cell(
    x: float, y: float, side: float, count: int, most: int, words: str, colour: str, classes: int
) -> Iterator[str]:
    """A cell and its count, with words for who points at it."""
    strength = 0.12 + 0.5 * count / most
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" fill="{colour}" '
        f'fill-opacity="{strength:.2f}"><title>{escape(words)}</title></rect>'
    )
    if classes <= MOST_COUNTED:
        size = min(FONT, int(side / 2.6))
        yield text(x + side / 2, y + side / 2 + size / 3, f"{count:,}", anchor="middle", size=size)
