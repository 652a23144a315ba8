"""`settings`: what this user has set, where each value comes from, and changes to the file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from experiments.locations import settings_file
from tui.command_line.exit_codes import ExitCode
from tui.command_line.options import AsJson
from tui.text.output import complain, filled, note, say, say_json
from tui.text.settings import change_setting, rows_of, user_settings

app = typer.Typer(
    add_completion=False,
    help="Show the settings and where each comes from, or change their file.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def settings(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is not None:
        return
    loaded, file = user_settings(), settings_file()
    rows = rows_of(loaded)
    if as_json:
        say_json(
            {
                "file": None if file is None else str(file),
                "settings": [asdict(row) for row in rows],
                "problems": list(loaded.problems),
            }
        )
    else:
        width = max(len(row.name) for row in rows) + 2
        for row in rows:
            source = row.source.replace(str(file), "file")  # whose path is in a line of its own
            say(f"{row.name:{width}}{row.text or '-'}  ({source})")
            say(" " * width + filled(row.help.split(), width))
        note(f"file: {file}{'' if file is not None and file.exists() else ' (there is none yet)'}")
    for problem in loaded.problems:
        complain(problem)
    if loaded.problems:
        raise typer.Exit(ExitCode.USAGE)


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="The setting, or keymap.NAME for one key.", metavar="NAME")],
    value: Annotated[str, typer.Argument(help="Its value; lists have commas.", metavar="VALUE")],
) -> None:
    """Write a setting into the file, whose other lines and comments stay."""
    note(f"{name} is set in {change_setting(name, value)}")


@app.command("unset")
def unset(
    name: Annotated[str, typer.Argument(help="The setting, or keymap.NAME for one key.", metavar="NAME")],
) -> None:
    """Take a setting out of the file: it has its default again."""
    note(f"{name} is no longer set in {change_setting(name, None)}")
