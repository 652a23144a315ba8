"""`bundle`: a run as one file, for somebody else to verify."""

from __future__ import annotations

from pathlib import Path

import typer

from core.errors import InvalidValue
from experiments.export.formats import save
from experiments.locations import Locations
from experiments.runs.own_code import changes_since
from experiments.runs.source import read_source
from experiments.runs.store import Store
from tui.command_line.options import Force, Output, Reference
from tui.text.output import note, say


def bundle(context: typer.Context, run: Reference, output: Output = None, force: Force = False) -> None:
    """Pack a run into one zip that others can check. They use mnist-tui verify FILE.zip."""
    locations: Locations = context.obj
    found = Store(locations.home).find(run)
    if found.is_alive():
        raise InvalidValue("run", found.id, "is running", hint="bundle it when it has ended")
    from experiments.verification.bundle import pack

    target = output or Path(f"{found.id}.zip")
    save(target, lambda: pack(found), force=force)
    if not found.predictions.exists():
        note("it has no per-image predictions: the run has not finished, or an earlier version made it")
    if (source := read_source(found.folder)) is not None:
        if source.left_out:
            note(f"it has no copy of the code: {source.left_out}")
        elif changed := changes_since(source):
            note(f"{changed} since the run was made: the bundle has the run's own copy")
    say(str(target))
