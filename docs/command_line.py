"""The page of commands, made from the program itself when the documentation is built, so that it is never out of date.

mkdocs calls `on_page_markdown` for every page (see mkdocs.yml); it fills the place marked in docs/command-line.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from tui.cli import app, load_command
from tui.commands import COMMANDS

PLACE = "<!-- commands -->"
PYTHON_TYPE = re.compile(r" <(str|list\[\w+\])>$")
"""What typer puts after the name of an argument."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page's text with the commands in their place."""
    return markdown.replace(PLACE, "\n".join(reference())) if PLACE in markdown else markdown


def reference() -> Iterator[str]:
    """Lines of Markdown: the options before a command, then each command in the order of `mnist-tui --help`."""
    yield from _described("mnist-tui", typer.main.get_command(app))
    for name in COMMANDS:
        command = load_command(name)
        yield from _described(f"mnist-tui {name}", command)
        if isinstance(command, TyperGroup):
            for child, subcommand in command.commands.items():
                yield from _described(f"mnist-tui {name} {child}", subcommand)


def _described(path: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=path)
    yield from (f"## {path}", "", _plain(command.help or ""), "", "```text")
    yield from (" ".join([path, *command.collect_usage_pieces(context)]), "```", "")
    yield from ("| option | what it does |", "| --- | --- |")
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            name, what = (_in_a_cell(text) for text in record)
            yield f"| `{PYTHON_TYPE.sub('', name)}` | {_plain(what)} |"
    yield ""


def _in_a_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """Help is plain text: what Markdown would take for markup is shown as it is."""
    for mark in ("<", "*", "_", "["):
        text = text.replace(mark, f"\\{mark}")
    return text
