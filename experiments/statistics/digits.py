"""Numbers as people read them."""

from __future__ import annotations

import math

EXACT = 6
"""A number of at most so many digits is written as it is."""


def in_digits(value: object) -> str:
    """A number in few digits, ``0.2709`` for 0.27092532949440995 and ``0.03772`` as it is; anything else as its text.

    One that is close to a whole number, as 0.9999876 is, keeps the digits that tell it from that.
    """
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    is_short = float(f"{value:.{EXACT}g}") == value
    digits = EXACT if is_short else max(4, min(len(str(int(abs(value)))), EXACT))
    while digits < 17 and float(f"{value:.{digits}g}") == round(value) != value:
        digits += 1
    mantissa, e, exponent = f"{value:.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa
