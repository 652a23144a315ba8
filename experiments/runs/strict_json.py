"""JSON as the standard has it: without NaN and infinities, which Python reads but other programs do not."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(text: bytes) -> Any:
    """Decode a text that anything may have happened to.

    Raises:
        ValueError, RecursionError.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(literal: str) -> float:
    raise ValueError(f"{literal} is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    return number if math.isfinite(number) else _refuse(literal)
