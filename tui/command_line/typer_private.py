"""The private parts of typer that the command line relies on: how it converts what was typed.

typer converts every value with pydantic, absent ones and plain texts too, and to import that takes longer than to list
a thousand runs. Options that are absent, texts, or have a parser of their own are spared it. When another version of
typer changes this, `tests/tui/command_line/test_typer_private.py` says what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from typer.core import TyperArgument, TyperOption

if TYPE_CHECKING:
    Parameter = TyperOption | TyperArgument

_TYPERS_OWN = TyperOption.get_runtime_param


class Conversion:
    """Converts the values of one parameter; typer calls it in the place of its own."""

    def __init__(self, parameter: Parameter) -> None:
        self._parameter = parameter

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        several = self._parameter.multiple or self._parameter.nargs == -1
        if value is None:
            return () if several else None
        convert = _simple_conversion(self._parameter)
        if convert is None:
            return _TYPERS_OWN(self._parameter).coerce(value, param=param, ctx=ctx)
        return [convert(word) for word in value] if several else convert(value)


def spare_pydantic() -> None:
    """Let every parameter of every command convert its values as described above."""
    TyperOption.get_runtime_param = _conversion  # type: ignore[assignment, method-assign]
    TyperArgument.get_runtime_param = _conversion  # type: ignore[assignment, method-assign]


def _conversion(parameter: Parameter) -> Conversion:
    return Conversion(parameter)


def _simple_conversion(parameter: Parameter) -> Callable[[Any], Any] | None:
    """The parameter's own parser, `str` for a text, None for anything that needs typer's conversion."""
    descriptor = parameter.type_descriptor
    if descriptor.parameter_info.parser is not None:
        return descriptor.parameter_info.parser
    return str if descriptor.annotation is str or get_args(descriptor.annotation) == (str,) else None
