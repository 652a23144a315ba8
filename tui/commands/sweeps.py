"""`sweeps`: list the studies of the home, show one, or stop the process that drives it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import InvalidValue
from experiments.locations import Locations
from experiments.runs.store import Store
from experiments.studies.folder import StudyFolder, no_such_study
from experiments.studies.process import stop_study
from tui.command_line.exit_codes import ExitCode
from tui.command_line.options import AsJson
from tui.text.output import note, percent, say, say_json, table

if TYPE_CHECKING:
    from experiments.studies.list import StudyEntry

COLUMNS = ("study", "status", "trials", "best", "objective", "sampler", "pruner", "changed", "searched")
STOP_PATIENCE = 60.0
"""Seconds to wait for a driver, whose trials save their checkpoints first."""
POLL = 0.1


def sweeps(
    context: typer.Context,
    study: Annotated[
        str | None, typer.Argument(help="The sweep's name; without it, all sweeps are listed.", metavar="STUDY")
    ] = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop the sweep: its trials save a checkpoint, and it can be continued.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the sweeps, show the results of one, or stop it."""
    locations: Locations = context.obj
    if study is None:
        if stop:
            raise InvalidValue("study", "", "is missing", hint="name the one to stop: mnist-tui sweeps NAME --stop")
        _list(locations, as_json=as_json)
        return
    if stop:
        _stop(locations, StudyFolder.of(locations.home, study))
        if as_json:
            say_json({"study": study, "is_driven": False})
        return

    from experiments.studies.view import study_view
    from tui.text.study_report import say_study, study_record

    view, store = study_view(locations.home, study), Store(locations.home)
    if as_json:
        say_json(study_record(view, store) | {"is_driven": view.is_driven})
    else:
        say_study(view, store)


def _list(locations: Locations, *, as_json: bool) -> None:
    from experiments.studies.list import StudyList

    entries = StudyList(locations.home).refresh()
    if as_json:
        say_json([_record(entry) for entry in entries])
    elif entries:
        say(table(COLUMNS, map(_line, entries)))
    else:
        note("no sweeps yet: mnist-tui sweep --lr 0.01:0.1:log")
    for entry in entries:
        if entry.problem and not as_json:
            note(f"{entry.name}: {entry.problem}")


def _stop(locations: Locations, folder: StudyFolder) -> None:
    if folder.plan() is None and not folder.is_alive():
        raise no_such_study(locations.home, folder.name)
    stop_study(locations.home, folder.name)
    deadline = time.monotonic() + STOP_PATIENCE
    while folder.is_alive():
        if time.monotonic() > deadline:
            note(f"study {folder.name} was asked to stop and has not yet; mnist-tui sweeps shows when it has")
            raise typer.Exit(ExitCode.FAILED)
        time.sleep(POLL)
    note(f"study {folder.name} is stopped; mnist-tui sweep --study {folder.name} goes on with it")


def _line(entry: StudyEntry) -> tuple[object, ...]:
    from tui.text.study_report import space_in_words
    from tui.text.study_words import age

    changed = age(time.time() - entry.touched)
    view = entry.view
    if view is None:
        return (entry.name, entry.standing, None, None, None, None, None, changed, None)
    done = f"{view.done:,}/{view.planned:,}"
    best = percent(view.best.value) if view.best is not None else None
    plan = view.plan
    searched = space_in_words(plan.space)
    return (entry.name, entry.standing, done, best, plan.objective, plan.sampler, plan.pruner, changed, searched)


def _record(entry: StudyEntry) -> dict[str, Any]:
    """A study as JSON. Accuracies are fractions; values of the plan are null where there is none, or it is damaged."""
    view = entry.view
    best = view.best if view is not None else None
    return {
        "study": entry.name,
        "status": entry.standing,
        "done": view.done if view is not None else None,
        "planned": view.planned if view is not None else None,
        "best": best.value if best is not None else None,
        "run_id": best.run_id if best is not None else None,
        "objective": view.plan.objective if view is not None else None,
        "sampler": view.plan.sampler if view is not None else None,
        "pruner": view.plan.pruner if view is not None else None,
        "space": view.plan.space.to_json() if view is not None else None,
        "changed": datetime.fromtimestamp(entry.touched, UTC).isoformat(timespec="seconds"),
        "problem": entry.problem or None,
    }
