"""Help: every command and option has some, and `run` has an option for each field of a config."""

import pytest
import typer
from typer.core import TyperGroup

from core.config import TrainConfig, field_help
from tui.cli import app


def every_command(command=None, path=()):
    command = command or typer.main.get_command(app)
    yield path, command
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from every_command(child, (*path, name))


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_help(cli, path):
    answer = cli(*path, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: {' '.join(('mnist-tui', *path))} ")
    assert COMMANDS[path].help or COMMANDS[path].callback.__doc__
    for option in COMMANDS[path].params:
        assert option.help, option.name


def test_the_commands_that_scripts_rely_on_are_there():
    names = {path[0] for path in COMMANDS if path}
    assert {
        "run",
        "archs",
        "presets",
        "data",
        "doctor",
        "runs",
        "show",
        "watch",
        "resume",
        "stop",
        "rm",
        "bench",
    } <= names


def test_every_field_of_a_config_is_an_option_of_run_with_its_help_and_default():
    options = {option.name: option for option in COMMANDS["run",].params}
    for field, info in TrainConfig.model_fields.items():
        option = options[field]
        assert option.opts == [f"--{field.replace('_', '-')}"]
        assert field_help(field) in option.help
        assert "[default: " in option.help
        if info.annotation is bool:
            assert option.secondary_opts == [f"--no-{field.replace('_', '-')}"]
    for name in ("preset", "config", "seeds", "name", "tag", "detach", "as_json", "quiet"):
        assert name in options


def test_the_version_is_printed_on_a_line(cli):
    answer = cli("--version")
    assert answer.code == 0
    assert answer.out.startswith("mnist-tui 0.")
    assert answer.out.count("\n") == 1


def test_without_a_terminal_the_interface_points_to_run(cli, refused):
    answer = cli()
    refused(answer, 2, "terminal")
    assert "mnist-tui run" in answer.err
