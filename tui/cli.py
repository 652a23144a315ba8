"""The command line: every command, and one place where failures become an exit code.

Nothing here imports torch or textual; a command that needs one imports it when it runs.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from core.errors import LabError
from experiments.environment import package_versions
from experiments.locations import DATA_VARIABLE, HOME_VARIABLE, Locations
from tui.commands import archs, bench, data, doctor, lifecycle, run, runs
from tui.exit_codes import ExitCode, exit_code_of
from tui.output import complain, note, say


class Commands(TyperGroup):
    """Turns every expected failure into one line, a hint and an exit code."""

    def main(self, *args: Any, **options: Any) -> Any:
        _prepare_streams()
        try:
            code = super().main(*args, **options | {"standalone_mode": False})
        except TyperException as error:
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else "mnist-tui"
            complain(" ".join(error.format_message().split()), f"{path} --help lists what is allowed")
            code = ExitCode.USAGE
        except LabError as error:
            complain(error.message, error.hint)
            code = exit_code_of(error)
        except typer.Abort:  # Ctrl+C or Ctrl+D at a question
            note("")
            code = ExitCode.SIGINT
        sys.exit(int(code or ExitCode.DONE))


def _prepare_streams() -> None:
    """A stream that is closed takes anything, and one of another encoding what it can."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # for the process
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
        say(f"mnist-tui {package_versions(('mnist-tui',))['mnist-tui']}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help=f"Where runs live [env: {HOME_VARIABLE}; default: the user data folder].")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help=f"Root of the data sets in torchvision's layout, may be read-only [env: {DATA_VARIABLE}; default: the "
            "user cache folder]."
        ),
    ] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw the interface with ASCII characters only.")] = False,
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = Locations.resolve(home, data_dir)
    if context.invoked_subcommand is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            complain("the interface needs a terminal", "use mnist-tui run to train without one")
            raise typer.Exit(ExitCode.USAGE)
        from tui.interface import open_interface

        raise typer.Exit(open_interface(context.obj, ascii_only=ascii_only, mouse=not no_mouse))


app.command("run")(run.run)
app.add_typer(archs.app, name="archs")
app.command("presets")(archs.presets)
app.command("data")(data.data)
app.command("doctor")(doctor.doctor)
app.command("runs")(runs.runs)
app.command("show")(runs.show)
app.command("watch")(runs.watch)
app.command("resume")(lifecycle.resume)
app.command("stop")(lifecycle.stop)
app.command("rm")(runs.rm)
app.command("bench")(bench.bench)
