"""What the command line takes from the private parts of typer: each test names what breaks without it."""

from importlib.metadata import version
from typing import Annotated

import typer
from typer.core import TyperArgument, TyperOption
from typer.testing import CliRunner

from core.errors import InvalidValue
from tui.command_line.typer_private import Conversion, spare_pydantic

TYPER = f"typer {version('typer')}"


def _parameters() -> dict[str, TyperOption | TyperArgument]:
    def command(
        words: list[str],
        text: Annotated[str, typer.Option()] = "",
        parsed: Annotated[int | None, typer.Option(parser=int)] = None,
        number: Annotated[int, typer.Option()] = 1,
    ) -> None: ...

    app = typer.Typer(add_completion=False)
    app.command()(command)
    return {parameter.name: parameter for parameter in typer.main.get_command(app).params}


def test_typer_asks_a_parameter_for_what_converts_its_values():
    spare_pydantic()
    parameters = _parameters()
    for name, parameter in parameters.items():
        assert isinstance(parameter.get_runtime_param(), Conversion), f"{TYPER}: get_runtime_param of {name} is its own"
    converted = {
        name: parameters[name].get_runtime_param().coerce(value, None, None)
        for name, value in {"words": ("a", "b"), "text": "a", "parsed": "7"}.items()
    }
    assert converted == {"words": ["a", "b"], "text": "a", "parsed": 7}, f"{TYPER}: type_descriptor is another"
    number = parameters["number"]
    assert number.get_runtime_param().coerce("7", number, None) == 7, f"{TYPER}: its own conversion is another"


def test_an_error_of_a_parser_reaches_the_program_as_it_is():
    def refuse(text: str) -> int:
        raise InvalidValue("lr", text, "must be a number")

    spare_pydantic()
    app = typer.Typer(add_completion=False)

    @app.command()
    def command(lr: Annotated[int, typer.Option(parser=refuse)] = 0) -> None: ...

    result = CliRunner().invoke(app, ["--lr", "x"])
    assert isinstance(result.exception, InvalidValue), f"{TYPER}: values are not converted by a parameter's Conversion"
