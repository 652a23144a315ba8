"""Options and arguments that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from core.errors import InvalidValue

Reference = Annotated[str, typer.Argument(help="An id, a unique prefix of one, a name, or latest.", metavar="RUN")]
RunOrGroup = Annotated[
    str, typer.Argument(help="An id, a unique prefix of one, a name, or latest; of a run or a group.", metavar="RUN")
]


def whole_number(name: str, low: int, high: int | None = None) -> Callable[[str], int]:
    """A parser for an option that is no config field; typer's own would not name the value."""
    allowed = f"must be a whole number at least {low:,}" + ("" if high is None else f" and at most {high:,}")

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise InvalidValue(name, text, allowed, hint=f"for example --{name.replace('_', '-')} {low}")
        return value

    return parse
