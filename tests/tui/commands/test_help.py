"""Help: every command and option has some, and `run` has an option for each field of a config."""

import pytest
import typer
from typer.core import TyperGroup

from core.config import TrainConfig
from tui.cli import app, load_command
from tui.command_line.config_options import option_help
from tui.commands import COMMANDS as TABLE


def every_command():
    yield (), typer.main.get_command(app)
    for name in TABLE:
        command = load_command(name)
        yield (name,), command
        if isinstance(command, TyperGroup):
            for child_name, child in command.commands.items():
                yield (name, child_name), child


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_help(cli, path):
    answer = cli(*path, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: {' '.join(('mnist-tui', *path))} ")
    assert COMMANDS[path].help or COMMANDS[path].callback.__doc__
    for option in COMMANDS[path].params:
        assert option.help, option.name


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_option_is_explained_by_a_type_of_python(cli, path):
    options = cli(*path, "--help").out.partition("Options:")[2]
    assert [word for word in ("<str>", "<int>", "<float>", "<path>", "<list[") if word in options] == []


@pytest.mark.parametrize("name", TABLE)
def test_a_command_is_listed_with_the_first_line_of_its_own_help(name):
    assert TABLE[name].help == COMMANDS[name,].help.splitlines()[0]


def test_every_command_is_listed(cli):
    listed = {line.split()[0] for line in cli("--help").out.partition("Commands:")[2].splitlines() if line.strip()}
    assert set(TABLE) <= listed


def test_the_list_of_commands_cuts_no_line_short(cli):
    listed = cli("--help").out.partition("Commands:")[2].splitlines()
    assert [line for line in listed if line.endswith("...")] == []


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
        assert option_help(field) in option.help
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
