"""Bars of characters, to an eighth of one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style

EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A bar so many characters wide when `share` is 1, padded with spaces; what is above nothing is never empty."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    if share > 0.005:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def probability_lines(
    probabilities: Sequence[float], width: int, *, truth: int | None, plain: Style, good: Style, bad: Style
) -> list[list[Segment]]:
    """Ten lines, one for each class: its digit, a bar, and the percentage where there is room for it.

    The bar of the true class is `good`, that of another that is likelier is `bad`; without a truth the likeliest is
    `good`.
    """
    likeliest = max(range(len(probabilities)), key=lambda digit: probabilities[digit])
    right = likeliest if truth is None else truth
    roomy = width >= 16
    room = width - 2 - (7 if roomy else 0)
    lines = []
    for digit, probability in enumerate(probabilities):
        style = good if digit == right else bad if digit == likeliest else plain
        words = f" {100 * probability:5.1f}%" if roomy else ""
        mark = Style(bold=True) if digit in (right, likeliest) else Style()
        label, filled = Segment(f"{digit} ", plain + mark), Segment(bar(probability, room), style)
        lines.append([label, filled, Segment(words, plain)])
    return lines
