"""The axes of charts, in the interface and on pages alike: the range of values, and the ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

LEAST_TICKS = 3
"""Of values; whole numbers, such as epochs, may be fewer than that."""
_FACTORS = (1.0, 2.0, 5.0)


def limits(values: Iterable[float], *, log: bool = False, top: float = math.inf) -> tuple[float, float]:
    """The range that shows finite values with some room on both sides. It is never empty.

    Args:
        values: on a log scale all above zero.
        top: the highest value there can be, such as 100 for percentages: the room ends there, and at zero.
    """
    known = list(values)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if log:
        room = max((high / low) ** 0.05, 1.05)
        return low / room, min(high * room, max(top, high))
    room = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
    bottom = max(0.0, low - room) if low >= 0 else low - room
    highest = min(high + room, top) if high <= top else high + room
    return bottom, highest if highest > bottom else bottom + 1.0


def around(target: float) -> tuple[float, float]:
    """The range of percentages where it is decided whether a target is reached: from 98.5 to 100 for 99.4."""
    return round(max(0.0, target - 1.5 * (100 - target)), 9), 100.0


def round_ticks(low: float, high: float, most: int, *, min_step: float = 0.0) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within a range: about `most` or fewer, but three at least, so far as
    they are `min_step` apart."""
    step = _round_up(max((high - low) / max(most, 1), min_step))
    found = _multiples(low, high, step)
    while len(found) < LEAST_TICKS and (smaller := _round_up(step * 0.4)) >= min_step:
        step, found = smaller, _multiples(low, high, smaller)
        if step < (high - low) / 20:  # numbers so large that what lies between them cannot be told apart
            break
    return found or [low, high]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """1, 2 and 5 times powers of ten within a range, thinned when there are too many; in a range that is too narrow for
    three of them, multiples of a smaller step."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices: list[list[float]] = []
    for factors in ((1, 2, 5), (1, 3), (1,)):
        near = [float(f"{factor}e{power}") for power in powers for factor in factors]
        found = [tick for tick in near if low <= tick <= high]
        if len(found) >= LEAST_TICKS:
            choices.append(found)
    if not choices:
        return round_ticks(low, high, most)
    chosen = next((found for found in choices if len(found) <= most), choices[-1])
    while len(chosen) > most and len(chosen[::2]) >= LEAST_TICKS:
        chosen = chosen[::2]
    return chosen


def tick_words(ticks: Sequence[float]) -> list[str]:
    """Ticks as they are written: as many digits after the point as their step has, and thousands parted."""
    if len(ticks) < 2:
        return [f"{tick:,.6g}" for tick in ticks]
    steps = [high - low for low, high in pairwise(ticks)]
    even = math.isclose(min(steps), max(steps), rel_tol=1e-6)
    if not even or min(steps) < 1e-6 or max(map(abs, ticks)) >= 1e9:
        return [f"{tick:.4g}" for tick in ticks]
    digits = max(0, -math.floor(math.log10(min(steps)) + 1e-9))
    return [f"{tick:,.{digits}f}" for tick in ticks]


def _round_up(step: float) -> float:
    """The least of 1, 2 and 5 times powers of ten that is not below a step."""
    magnitude = 10.0 ** math.floor(math.log10(step))
    return next(factor * magnitude for factor in (*_FACTORS, 10.0) if factor * magnitude >= step * 0.999)


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]
