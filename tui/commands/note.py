"""`note`: what somebody has to say of a run."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from core.errors import InvalidValue
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.labels import MAX_NOTE, checked_note
from experiments.runs.store import Store
from tui.command_line.options import AsJson, RunOrGroup
from tui.text.output import note as say_aside
from tui.text.output import say, say_json


def note(
    context: typer.Context,
    run: RunOrGroup,
    text: Annotated[
        str | None,
        typer.Argument(help="The note; - reads it from stdin. Without it the note is shown.", metavar="TEXT"),
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Put it below the existing note.")] = False,
    edit: Annotated[bool, typer.Option("--edit", help="Open the note in $EDITOR.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing note.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the note of a run or of the runs of a group, or write it. A report sets Target, Result, Analysis apart."""
    locations: Locations = context.obj
    runs = Store(locations.home).find_all(run)
    if text is None and not edit:
        _show(runs, as_json=as_json)
        return
    if text is not None and edit:
        raise InvalidValue("edit", "on", "cannot be used with a text", hint="give one of the two")
    new = _edited(run, runs) if edit else checked_note(sys.stdin.read(MAX_NOTE + 1) if text == "-" else text or "")
    if edit or force or add:
        written = {one.id: _joined(one.meta().note, new) if add else new for one in runs}
    else:
        taken = [one for one in runs if one.meta().note not in ("", new)]
        if taken:
            allowed = f"run {taken[0].id} has a note already"
            raise InvalidValue("note", new, allowed, hint="put it below that with --add, or replace it with --force")
        written = {one.id: new for one in runs}
    for note_text in written.values():
        checked_note(note_text)
    for one in runs:
        one.change_meta(note=written[one.id])
    say_aside(f"the note of {run} is {'written' if new else 'empty'}")


def _show(runs: list[Run], *, as_json: bool) -> None:
    notes = {one.id: one.meta().note for one in runs}
    if as_json:
        say_json([{"run_id": run_id, "note": text} for run_id, text in notes.items()])
    elif len(set(notes.values())) == 1:
        if text := next(iter(notes.values())):
            say(text)
        else:
            say_aside(f"no note yet: mnist-tui note {runs[0].id} TEXT, or --edit")
    else:
        say("\n\n".join(f"{run_id}\n{text}" for run_id, text in notes.items() if text))


def _edited(reference: str, runs: list[Run]) -> str:
    from tui.live.runs.editor import edited

    notes = {one.meta().note for one in runs}
    if len(notes) > 1:
        raise InvalidValue("run", reference, "its runs have different notes", hint="name one of its runs")
    return checked_note(edited(notes.pop(), nullcontext))


def _joined(before: str, new: str) -> str:
    return "\n\n".join(filter(None, (before, new)))
