"""A row of numbers as one line of small bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVELS = " ▁▂▃▄▅▆▇█"
PLAIN_LEVELS = " .:-=+*#@"
"""The same in characters of any font."""


def sparkline(values: Sequence[float | None], width: int, *, ascii_only: bool = False) -> str:
    """Bars from the lowest value to the highest, at most `width` of them, the latest at the right; where there are more
    values than that, each bar is the mean of some. What is not known, or not finite, is a space."""
    if width < 1:
        return ""
    values = _fewer([value if value is not None and math.isfinite(value) else None for value in values], width)
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    levels = PLAIN_LEVELS if ascii_only else LEVELS
    top = len(levels) - 1
    if high == low:
        return "".join(" " if value is None else levels[top // 2] for value in values)
    return "".join(
        " " if value is None else levels[1 + round((value - low) / (high - low) * (top - 1))] for value in values
    )


def _fewer(values: Sequence[float | None], most: int) -> list[float | None]:
    count = len(values)
    if count <= most:
        return list(values)
    parts = [values[count * place // most : count * (place + 1) // most] for place in range(most)]
    known = [[value for value in part if value is not None] for part in parts]
    return [sum(part) / len(part) if part else None for part in known]
