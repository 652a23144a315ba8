"""`bundle` and `import`: runs as one file, for somebody else to verify, and from there into another home."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from core.errors import InvalidValue, RunError
from experiments.export.formats import save
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.own_code import changes_since
from experiments.runs.provenance import left_out_of
from experiments.runs.source import read_source
from experiments.runs.store import Store
from tui.command_line.options import AsJson, Force, Output, RunOrGroup
from tui.text.output import counted, note, say, say_json


def bundle(
    context: typer.Context,
    run: RunOrGroup,
    output: Output = None,
    logs: Annotated[
        bool,
        typer.Option(
            "--logs",
            help="Of a group: small, with weights and losses within epochs of the first run alone.",
        ),
    ] = False,
    anonymous: Annotated[
        bool,
        typer.Option("--anonymous", help="Leave out the machine's name, the command line and the working folder."),
    ] = False,
    force: Force = False,
) -> None:
    """Pack a run or a group into one zip. Others check it with mnist-tui verify, and add it with mnist-tui import."""
    locations: Locations = context.obj
    store = Store(locations.home)
    group_id = store.find_group_id(run)
    if group_id is None and logs:
        raise InvalidValue("logs", True, "is for a group", hint="leave it out: a bundle of one run has its weights")
    found = store.find_all(run)
    if live := [one for one in found if one.is_alive()]:
        raise InvalidValue("run", live[0].id, "is running", hint="bundle it when it has ended")
    if group_id is not None:
        found = _with_weights(group_id, found)
    target = output or Path(f"{group_id or found[0].id}.zip")
    save(target, _packer(group_id, found, logs=logs, anonymous=anonymous), force=force)
    for one in found:
        _say_what_is_missing(one, "" if group_id is None else f"run {one.id}: ")
    say(str(target))


def import_runs(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="Bundles, of runs or of groups.", metavar="FILE.zip...", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Add the runs of bundles to this home. Those that are here already are left as they are."""
    from experiments.bundles.bring_in import bring_in

    locations: Locations = context.obj
    store = Store(locations.home)
    records = []
    for file in files:
        found = bring_in(store, file)
        runs = {"new": found.new, "completed": found.completed, "known": found.known}
        ids = {what: [run.id for run in found_so] for what, found_so in runs.items()}
        records.append({"file": str(file), **ids})
        if as_json:
            continue
        for run_id in ids["new"]:
            say(run_id)
        if found.completed:
            note(f"{file}: {counted(len(found.completed), 'run')} that had come without weights now with them")
        if found.known:
            note(f"{file}: {len(found.known)} of {sum(map(len, ids.values()))} runs are here already")
    if as_json:
        say_json(records)


def _packer(group_id: str | None, runs: Sequence[Run], *, logs: bool, anonymous: bool) -> Callable[[], bytes]:
    from experiments.bundles.pack import pack, pack_all

    if group_id is None:
        return lambda: pack(runs[0], anonymous=anonymous)
    return lambda: pack_all(group_id, runs, logs=logs, anonymous=anonymous)


def _with_weights(group_id: str, runs: Sequence[Run]) -> list[Run]:
    """The runs of a group that a bundle can hold; says which are left out."""
    from experiments.bundles.pack import has_weights

    found = [run for run in runs if has_weights(run)]
    if not found:
        raise RunError(f"group {group_id} has no run with weights", hint=f"mnist-tui resume {group_id} continues it")
    for run in runs:
        if run not in found:
            note(f"run {run.id} is left out: it has no weights")
    return found


def _say_what_is_missing(run: Run, which: str) -> None:
    if not run.predictions.exists() and not left_out_of(run.folder):
        note(f"{which}it has no per-image predictions: the run has not finished, or an earlier version made it")
    if (source := read_source(run.folder)) is not None:
        if source.left_out:
            note(f"{which}it has no copy of the code: {source.left_out}")
        elif changed := changes_since(source):
            note(f"{which}{changed} since the run was made: the bundle has the run's own copy")
