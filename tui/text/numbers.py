"""Whole numbers that somebody types, which are no config fields."""

from __future__ import annotations

from collections.abc import Callable

from core.advice import Action, Tip
from core.errors import InvalidValue


def whole_number(name: str, low: int, high: int | None = None) -> Callable[[str], int]:
    """A parser that raises `InvalidValue`, which names the value and what is allowed."""
    allowed = f"must be a whole number at least {low:,}" + ("" if high is None else f" and at most {high:,}")

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise InvalidValue(name, text, allowed, hint=Tip(Action.EXAMPLE, name, str(low)))
        return value

    return parse
