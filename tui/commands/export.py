"""`export`: a run's network, curves or chart for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import InvalidValue
from experiments.export.formats import FORMATS, default_target, find_format, render, save
from experiments.export.formats import export as export_run
from experiments.locations import Locations
from experiments.runs.config import stored_config
from experiments.runs.folder import Run
from experiments.runs.own_code import named_code
from experiments.runs.store import Store
from tui.command_line.options import Force, ModuleAgain, Output, Reference, WhichWeights
from tui.command_line.patience import reading_logs
from tui.text.output import note, say

STDOUT = Path("-")
TEXTS = ("csv", "json", "svg")

FormatName = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        help="; ".join(f"{name}: {chosen.help}" for name, chosen in FORMATS.items()) + ".",
        metavar="|".join(FORMATS),
    ),
]


def export(
    context: typer.Context,
    run: Reference,
    format_name: FormatName,
    output: Output = None,
    weights: WhichWeights = None,
    arch: ModuleAgain = None,
    force: Force = False,
) -> None:
    """Write a run's network, curves or chart for other programs. Prints the path.

    With -o - a csv, json or svg goes to stdout. A group can be written as csv: the epochs of all of its runs.
    """
    chosen = find_format(format_name)
    locations: Locations = context.obj
    store = Store(locations.home)
    if output == STDOUT and format_name not in TEXTS:
        raise InvalidValue("output", "-", f"only {', '.join(TEXTS)} can go to stdout", hint="name a file with -o")
    if (group_id := store.find_group_id(run)) is not None:
        if format_name != "csv":
            hint = "name one of its runs, or use --format csv"
            raise InvalidValue("run", run, f"is a group, and {format_name} is of one run", hint=hint)
        _export_group(store.find_all(run), output or Path(f"{group_id}.csv"), force=force)
        return
    found = store.find(run)
    if output == STDOUT:
        with reading_logs([found]):
            content = render(found, chosen, weights, arch)
        say(content.decode().removesuffix("\n"))
        return
    target = output or default_target(found, chosen)
    with reading_logs([found]):
        if chosen.runs_code:
            from experiments.execution.apart import try_code

            try_code(found, arch)
        export_run(found, chosen, target, weights, arch, force=force)
    if chosen.runs_code and (changed := named_code(found, stored_config(found), arch).note):
        note(changed)
    say(str(target))


def _export_group(runs: list[Run], target: Path, *, force: bool) -> None:
    from experiments.export.epoch_table import render_group

    with reading_logs(runs):
        if target == STDOUT:
            say(render_group(runs).decode().removesuffix("\n"))
            return
        save(target, lambda: render_group(runs), force=force)
    say(str(target))
