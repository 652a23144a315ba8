"""Command-line options made from the config: one for each field, its help the field's own docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from core.config import TrainConfig, allowed_values, field_help
from core.dataset_names import TASKS
from core.errors import InvalidValue
from core.fields import GROUPS
from experiments.presets.loader import DEFAULT
from tui.text.advice import flag

FromPreset = Annotated[str | None, typer.Option(help=f"Start from a preset [default: {DEFAULT}].", metavar="NAME")]
FromFile = Annotated[Path | None, typer.Option(help="Start from a TOML file.", metavar="FILE.toml")]

METAVARS = {
    "arch": "NAME|SPEC|FILE.py:CLASS",
    "dataset": "NAME|PATH",
    "augment": "none|A,B,...",
    "device": "auto|cpu|cuda|cuda:N|mps",
    "milestones": "N,N,...",
    "teacher": "RUN",
}


_NAMES = {"dataset": tuple(TASKS)}
"""Names that a field may have which takes other texts, too."""


def with_config_options(
    after: str, parameter_of: Callable[[str], Parameter] | None = None, *, fields: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a command's ``**changes`` by an option for each config field, listed behind the option `after`.

    A field whose option is not used arrives as None. Values have not been checked against their limits yet.
    `parameter_of` makes the option of a field; without it, each takes one plain value. Where `fields` are named, they
    alone have options.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        parameters: list[Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.kind is not Parameter.VAR_KEYWORD:
                parameters.append(parameter)
            if parameter.name == after:
                parameters += _in_groups(parameter_of or _parameter, fields or TrainConfig.model_fields)
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def _in_groups(parameter_of: Callable[[str], Parameter], wanted: Collection[str]) -> Iterator[Parameter]:
    """The options of fields, group by group, each to be listed under the title of its group."""
    for title, fields in GROUPS.items():
        for field in (field for field in fields if field in wanted):
            parameter = parameter_of(field)
            (option,) = parameter.annotation.__metadata__
            option.rich_help_panel = title
            yield parameter


def option_help(field: str) -> str:
    """The help of a field's option. That of the architecture says which command lists the names."""
    words = field_help(field)
    return words.replace("a name,", "a name (see `mnist-tui archs`),") if field == "arch" else words


def _parameter(field: str) -> Parameter:
    info = TrainConfig.model_fields[field]
    kind, choices = _kind(info.annotation)
    name = flag(field)
    text = f"{option_help(field)} [default: {_in_words(info.default)}]"
    if kind is bool:
        option = typer.Option(f"{name}/--no-{name[2:]}", help=text)
    else:
        metavar = METAVARS.get(field) or "|".join(choices) or {int: "N", float: "X"}[kind]
        # typer's own conversion would name neither the value nor what is allowed.
        option = typer.Option(name, help=text, metavar=metavar, parser=partial(_parse, field, kind))
        option.autocompletion = lambda: list(choices or _NAMES.get(field, ()))
    return Parameter(field, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option])


def _kind(annotation: Any) -> tuple[type, tuple[str, ...]]:
    """The Python type of a field and, for one of a few words, those words."""
    members = get_args(annotation)
    if members and all(isinstance(member, str) for member in members):
        return str, members
    if type(None) in members:  # an optional number
        return get_args(members[0])[0], ()
    return annotation, ()


def _parse(field: str, kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise InvalidValue(field, text, f"must be {allowed_values(field)}", hint=field_help(field)) from None


def _in_words(default: object) -> str:
    if default is None:
        return "all"
    if default == "":
        return "nothing"
    return {True: "on", False: "off"}[default] if isinstance(default, bool) else str(default)
