"""`report`: runs and groups as one HTML page."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.errors import InvalidValue, LabError
from experiments.locations import Locations
from experiments.runs.store import Store
from experiments.studies.folder import StudyFolder
from tui.command_line.options import Force, Output, SaveWrong, save_wrong_images
from tui.text.output import say


def report(
    context: typer.Context,
    run: Annotated[
        list[str],
        typer.Argument(help="Ids, prefixes or names of runs or groups, or the name of one sweep.", metavar="RUN..."),
    ],
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
    """Write runs, groups or a sweep as one HTML page that opens offline. Prints its path."""
    from experiments.export.formats import save
    from experiments.reports.page import find_part
    from experiments.reports.templated import page_of

    locations: Locations = context.obj
    store = Store(locations.home)
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise InvalidValue("output", str(output), "must end in .html", hint="a report is a page for a browser")
    sweeps = [name for name in run if _is_sweep(store, name)]
    if sweeps:
        _check_alone(run, sweeps[0], template, save_wrong)
        from experiments.studies.view import study_view
        from tui.text.study_page import study_page

        page = output or Path(f"{sweeps[0]}.html")
        save(page, lambda: study_page(study_view(locations.home, sweeps[0])), force=force)
        say(str(page))
        return
    parts = [find_part(store, reference) for reference in dict.fromkeys(run)]
    target = output or Path(f"{parts[0].group.id if parts[0].group else parts[0].runs[0].id}.html")
    save(target, lambda: page_of(template, parts, locations), force=force)
    if save_wrong is not None:
        runs = list({one.id: one for part in parts for one in part.runs}.values())
        save_wrong_images(runs, locations, save_wrong)
    say(str(target))


def _is_sweep(store: Store, name: str) -> bool:
    """Whether a name is that of a sweep, and of no run and no group."""
    with suppress(LabError):
        store.find_all(name)
        return False
    with suppress(LabError):
        return StudyFolder.of(store.home, name).plan() is not None
    return False


def _check_alone(run: list[str], sweep: str, template: str, save_wrong: Path | None) -> None:
    """Raise `InvalidValue` for what a page of a sweep cannot have."""
    if len(set(run)) > 1:
        raise InvalidValue("run", sweep, "is a sweep, which has a page of its own", hint="name it alone")
    if template != "standard":
        raise InvalidValue("template", template, "is for runs and groups", hint=f"leave it out: {sweep} is a sweep")
    if save_wrong is not None:
        hint = f"name a run: mnist-tui sweeps {sweep} lists them"
        raise InvalidValue("save_wrong", str(save_wrong), "is for runs and groups", hint=hint)
