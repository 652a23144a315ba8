"""Bars of characters, to an eighth of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from core.task import DIGITS

EIGHTHS = " ▏▎▍▌▋▊▉█"
MOST_LINES = 10
"""Classes whose probabilities are shown."""


def bar(share: float, width: int) -> str:
    """A bar so many characters wide when `share` is 1, padded with spaces; what is above nothing is never empty."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    if share > 0.005:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def short(name: str, columns: int) -> str:
    """A name, cut where it takes more columns of a terminal."""
    return name if cell_len(name) <= columns else set_cell_size(name, columns - 1) + "…"


@lru_cache(maxsize=64)
def short_names(names: tuple[str, ...], columns: int) -> tuple[str, ...]:
    """All names in the form in which they fit: where one must be cut, without the beginning that they have in common,
    which would be all that is left of each."""
    first, last = min(names), max(names)  # what these have in common, all have
    alike = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    common = min(alike, *(len(name) - 1 for name in names))
    if common > 2 and max(map(cell_len, names)) > columns:
        names = tuple("…" + name[common:] for name in names)
    return tuple(short(name, columns) for name in names)


def probability_lines(
    probabilities: Sequence[float],
    width: int,
    *,
    truth: int | None,
    plain: Style,
    good: Style,
    bad: Style,
    names: Sequence[str] = DIGITS,
) -> list[list[Segment]]:
    """A line for each class, of more than ten for the ten likeliest, the true one among them: its name, a bar, and the
    percentage where there is room for it.

    The bar of the true class is `good`, that of another that is likelier is `bad`; without a truth the likeliest is
    `good`.
    """
    shown = list(range(len(probabilities)))
    if len(shown) > MOST_LINES:
        shown = sorted(shown, key=lambda cls: -probabilities[cls])[:MOST_LINES]
        if truth is not None and truth not in shown:
            shown[-1] = truth
    likeliest = max(range(len(probabilities)), key=lambda digit: probabilities[digit])
    right = likeliest if truth is None else truth
    roomy = width >= 16
    longest = min(max(cell_len(names[cls]) for cls in shown), max(1, width // 3))
    room = width - longest - 1 - (7 if roomy else 0)
    lines = []
    for digit in shown:
        probability = probabilities[digit]
        style = good if digit == right else bad if digit == likeliest else plain
        words = f" {100 * probability:5.1f}%" if roomy else ""
        mark = Style(bold=True) if digit in (right, likeliest) else Style()
        name = short_names(tuple(names), longest)[digit]
        label = Segment(set_cell_size(name, longest + 1), plain + mark)
        lines.append([label, Segment(bar(probability, room), style), Segment(words, plain)])
    return lines
