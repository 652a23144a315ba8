"""The command line: options before the command, and the one place where failures become exit codes.

Only the command that is typed is imported. None imports torch or textual before it runs.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from core.advice import Hint
from core.errors import LabError, Stopped, StorageError
from experiments.locations import DATA_VARIABLE, HOME_VARIABLE, Locations
from tui.command_line.early_signals import end_commands_by_exception
from tui.command_line.exit_codes import ExitCode, exit_code_of
from tui.command_line.grouped_help import GroupedCommand
from tui.command_line.hangup import HANGUP_VARIABLE, OnHangup
from tui.command_line.typer_private import spare_pydantic
from tui.commands import COMMANDS
from tui.text.output import complain, note, say, unwritable

spare_pydantic()

_BEFORE_COMMANDS = ("--home", "--data-dir", "--ascii", "--no-mouse", "--traceback")
_TRACEBACK = "MNIST_TUI_TRACEBACK"
_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class Commands(TyperGroup):
    """The commands of the table. An expected failure of one becomes a line, a hint and an exit code."""

    def __init__(self, **options: Any) -> None:
        known = {name: TyperCommand(name, help=row.help, rich_markup_mode=None) for name, row in COMMANDS.items()}
        super().__init__(**options | {"commands": known})
        self._path = "mnist-tui"

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        self._path = f"{ctx.command_path} {name}"
        return name, load_command(name) if name else command, rest

    def main(self, *args: Any, **options: Any) -> Any:
        _prepare_streams()
        try:
            code = super().main(*args, **options | {"standalone_mode": False})
        except TyperException as error:
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else self._path
            hint = f"{path} --help lists what is allowed"
            if (option := getattr(error, "option_name", "")) in _BEFORE_COMMANDS:
                program = path if context is None else context.find_root().command_path
                hint = f"{option} goes before the command: {program} {option} ...{path.removeprefix(program)}"
            _complain(_plain(error.format_message()), hint)
            code = ExitCode.USAGE
        except Stopped as error:
            _complain(f"stopped by {error.message}", error.advice)
            code = exit_code_of(error)
        except LabError as error:
            _show_cause(error)
            _complain(error.message, error.advice)
            code = exit_code_of(error)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                _complain("too many files are open", "raise the limit (ulimit -n 1024), or train fewer runs at a time")
                sys.exit(ExitCode.FAILED)
            if error.errno not in _OUTPUT_ERRORS or error.filename is not None:
                raise  # from a file; typer writes help to stdout by itself
            lost = unwritable(sys.stdout, error)
            _complain(lost.message, lost.advice)
            code = exit_code_of(lost)
        except typer.Abort:  # Ctrl+C or Ctrl+D at a question
            note("")
            code = ExitCode.SIGINT
        sys.exit(int(code or ExitCode.DONE))


def _plain(message: str) -> str:
    """typer's message on one line, without pydantic's prefix."""
    return " ".join(message.split()).replace("Value error, ", "")


def _complain(message: str, hint: Hint) -> None:
    """Print what went wrong. Where stderr is closed or full, the exit code alone has to say it."""
    with suppress(OSError, StorageError):
        complain(message, hint)


def _show_cause(error: LabError) -> None:
    """Print the traceback of what a user's own code raised, for who has asked for it."""
    if os.environ.get(_TRACEBACK) and error.__cause__ is not None:
        with suppress(OSError):
            traceback.print_exception(error.__cause__)


def load_command(name: str) -> Any:
    """Import a command of the table."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = getattr(import_module(module), attribute)
    if not isinstance(command, typer.Typer):
        function, command = command, typer.Typer(add_completion=False, rich_markup_mode=None)
        command.command(name, cls=GroupedCommand)(function)
    return typer.main.get_command(command)


def _prepare_streams() -> None:
    """Send a closed stream to the null device, and escape what a stream's encoding does not have."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  # for the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


app = typer.Typer(
    cls=Commands,
    name="mnist-tui",
    help="A laboratory for tiny neural networks in a terminal.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from experiments.runs.environment import package_versions

        say(f"mnist-tui {package_versions(('mnist-tui',))['mnist-tui']}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            help=f"Where runs live [env: {HOME_VARIABLE}; default: the user data folder].",
            metavar="PATH",
            parser=Path,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help=f"Root of the data sets in torchvision's layout; may be read-only [env: {DATA_VARIABLE}; default: the "
            "user cache folder].",
            metavar="PATH",
            parser=Path,
        ),
    ] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw the interface with ASCII characters only.")] = False,
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")] = False,
    show_traceback: Annotated[
        bool, typer.Option("--traceback", help="Show all of an error of a module of your own.", envvar=_TRACEBACK)
    ] = False,
    on_hangup: OnHangup = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    end_commands_by_exception()
    if show_traceback:
        os.environ[_TRACEBACK] = "1"  # for the processes that are started, too
    if on_hangup:
        os.environ[HANGUP_VARIABLE] = on_hangup  # whatever the command
    context.obj = Locations.resolve(home, data_dir)
    if context.invoked_subcommand is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            complain("the interface needs a terminal", "use mnist-tui run to train without one")
            raise typer.Exit(ExitCode.USAGE)
        from tui.app.interface import open_interface
        from tui.text.settings import user_settings

        loaded = user_settings({"ascii": ascii_only or None, "mouse": False if no_mouse else None})
        raise typer.Exit(open_interface(context.obj, loaded))
