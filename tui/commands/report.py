"""`report`: runs and groups as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.errors import InvalidValue
from experiments.locations import Locations
from experiments.runs.store import Store
from tui.command_line.options import Force, Output, SaveWrong, save_wrong_images
from tui.text.output import say


def report(
    context: typer.Context,
    run: Annotated[list[str], typer.Argument(help="Ids, prefixes or names of runs or groups.", metavar="RUN...")],
    template: Annotated[
        Literal["standard", "course"],
        typer.Option(
            help="What is on the page: all numbers of runs and groups and how they compare (standard), or what a "
            "course asks for: network, receptive fields, log, curves, misclassified images, and the notes (course)."
        ),
    ] = "standard",
    output: Output = None,
    save_wrong: SaveWrong = None,
    force: Force = False,
) -> None:
    """Write runs and groups as one HTML page that opens offline. Prints its path."""
    from experiments.export.formats import save
    from experiments.reports.page import find_part
    from experiments.reports.templated import page_of

    locations: Locations = context.obj
    store = Store(locations.home)
    parts = [find_part(store, reference) for reference in dict.fromkeys(run)]
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise InvalidValue("output", str(output), "must end in .html", hint="a report is a page for a browser")
    target = output or Path(f"{parts[0].group.id if parts[0].group else parts[0].runs[0].id}.html")
    save(target, lambda: page_of(template, parts, locations), force=force)
    if save_wrong is not None:
        runs = list({one.id: one for part in parts for one in part.runs}.values())
        save_wrong_images(runs, locations, save_wrong)
    say(str(target))
