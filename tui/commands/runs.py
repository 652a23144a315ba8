"""`runs`, `show`, `watch` and `rm`: what has been trained."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import InvalidValue, RunError, printable
from core.events import EndEvent, RunFailed, RunStarted, to_record
from core.models.spec import is_user_module
from core.task import MNIST_TASK
from experiments.locations import Locations
from experiments.results.diagnosis import diagnose
from experiments.results.filters.language import fields_in_words, parse_filter
from experiments.results.groups import name_of, titled
from experiments.results.ordering import ORDERS, STATUS, ordered
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Run
from experiments.runs.own_code import changes_since, code_in_words
from experiments.runs.row import RunRow, Status, standing, status_of
from experiments.runs.source import FOLDER, read_source
from experiments.runs.store import Store, filtered
from tui.command_line.exit_codes import ExitCode
from tui.command_line.options import AsJson, ModuleAgain, RunOrGroup
from tui.command_line.patience import reading_logs
from tui.command_line.signals import stop_on_signals
from tui.text.advice import command_line_record, for_command_line
from tui.text.group_report import say_config, say_group
from tui.text.numbers import whole_number
from tui.text.output import duration, note, percent, say, say_json, say_note, table
from tui.text.progress import TextReport, epoch_line, last_line

if TYPE_CHECKING:
    from experiments.inference.ensemble import EnsembleScore

SORT_KEYS = (*ORDERS, STATUS)
COLUMNS = ("run", "name", "status", "arch", "data", "seed", "params", "epochs", "best", "final", "time")
POLL = 0.1
"""Seconds between two looks at a log that is followed."""


def runs(
    context: typer.Context,
    as_json: AsJson = False,
    limit: Annotated[
        int | None, typer.Option(help="Show at most this many.", metavar="N", parser=whole_number("limit", 1))
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            help=f"Sort by one of {', '.join(SORT_KEYS)}. By best, a run with held-out images, which has no best, is "
            "placed by its final accuracy.",
            metavar="KEY",
        ),
    ] = "started",
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Sort the other way round; unknown values stay last.")
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(
            help="Only runs for which all of this holds: words, and fields such as acc>99.4 params<8k lr=0.01..0.05 "
            f"tag:best status:live group:base; ! before one is not. Fields: {fields_in_words()}.",
            metavar="EXPRESSION",
        ),
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.", metavar="TAG")] = None,
    status: Annotated[Status | None, typer.Option(help="Only runs in this state.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only runs on this data set.", metavar="NAME")] = None,
) -> None:
    """List the runs, the newest first."""
    if sort not in SORT_KEYS:
        raise InvalidValue("sort", sort, f"must be one of {', '.join(SORT_KEYS)}", hint="for example --sort best")
    wanted = parse_filter(where or "")
    rows = wanted.of(filtered(_store(context).rows(), tag=tag, status=status, dataset=dataset))
    rows = ordered(rows, sort, reverse=reverse)[:limit]
    if as_json:
        say_json([row.to_json(state) for row, state in rows])
    elif rows:
        say(table(COLUMNS, map(_line, rows)))
    else:
        note("no run matches" if wanted or any((tag, status, dataset)) else "no runs yet: mnist-tui run")


def show(
    context: typer.Context,
    run: RunOrGroup,
    as_json: AsJson = False,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="Of a group: score its runs as one, by the mean of the probabilities of their weights."
        ),
    ] = False,
    arch: ModuleAgain = None,
) -> None:
    """Show a run's config, epochs and result, or a group's statistics."""
    store = _store(context)
    if (group_id := store.find_group_id(run)) is not None:
        _show_group(context.obj, store, group_id, as_json=as_json, ensemble=ensemble, arch=arch)
        return
    if ensemble:
        raise InvalidValue("run", run, "is one run, and an ensemble has several", hint="name a group")
    found = store.find(run)
    with reading_logs([found]):
        view = found.view()
    row = found.row(view)
    status = status_of(row.ended, is_alive=found.is_alive())
    if as_json:
        epochs = [to_record(event) for event in view.epochs]
        end = command_line_record(view.end) if view.end is not None else None
        config = dict(view.config) or found.config()
        start = view.started
        record = row.to_json(status) | {
            "engine": start.engine if start else None,
            "engine_reason": start.engine_reason if start else None,
            "kernels": start.kernels if start else None,
            "config": config,
            "command": _command(config, row),
            "epoch_results": epochs,
            "diagnosis": diagnose(view).to_json(),
            "end": end,
        }
        facts = {"environment": found.environment(), "folder": str(found.folder), "source": _source_record(found)}
        say_json(record | facts)
        return
    say(f"{row.run_id}  {printable(row.name)}".rstrip())
    facts = {
        "status": standing(row, status),
        "group": _group_in_words(store, row.group_id) if row.group_id else None,
        "tags": ", ".join(row.tags) or None,
        "started": row.started or None,
        "device": view.started.device if view.started else None,
        "engine": _engine_in_words(view.started) if view.started else None,
        "network": f"{row.arch} ({row.total_params:,} parameters)" if row.total_params else row.arch,
        "code": _code_in_words(found),
        "data": _data_in_words(row, view.started),
        "remark": (view.started.note or None) if view.started else None,
    }
    for key, value in facts.items():
        if value is not None:
            say(f"  {key:8} {printable(str(value))}")
    say_note(row.note)
    values = view.config or found.config()
    say_config(values)
    if command := _command(values, row):
        say(f"  command  {command}")
    for event in view.epochs:
        say(f"  epoch {event.epoch:2}  train {percent(event.train_accuracy)}  {epoch_line(view, event)}")
    if view.epochs:
        say(f"  trend    {diagnose(view).words}")
    if isinstance(view.end, RunFailed):
        say(f"  error: {printable(view.end.error)}")
        say(f"  hint: {printable(for_command_line(view.end.advice))}")
    say(last_line(view, row.run_id, found.folder))


def _group_in_words(store: Store, group_id: str) -> str:
    return titled(group_id, name_of(row for row, _ in store.rows() if row.group_id == group_id))


def _engine_in_words(started: RunStarted) -> str:
    """``native: the fastest on CPUs in the benchmark; its kernels came with the program, for x86-64-v4``."""
    words = ": ".join(filter(None, (started.engine, started.engine_reason)))
    return f"{words}; its kernels {started.kernels}" if started.kernels else words


def _code_in_words(run: Run) -> str | None:
    """Where the code of a user's own module is kept; None for a spec."""
    if not is_user_module(str(run.config().get("arch", ""))):
        return None
    try:
        return code_in_words(run)
    except RunError as error:
        return error.message


def _source_record(run: Run) -> dict[str, Any] | None:
    """The copy of the code of a user's own module; None where there is none."""
    try:
        kept = read_source(run.folder)
    except RunError as error:
        return {"error": error.message}
    if kept is None:
        return None
    folder = None if kept.left_out else str(kept.folder / FOLDER)
    return {
        "folder": folder,
        "root": kept.root,
        "main": kept.main,
        "files": dict(kept.sums),
        "left_out": kept.left_out or None,
        "changed": changes_since(kept) or None,
    }


def _data_in_words(row: RunRow, started: RunStarted | None) -> str:
    """``part of mnist: 2,000 training, 10,000 test images``; without numbers until the log has them."""
    name = f"part of {row.dataset}" if row.limited else row.dataset
    if started is None:
        return name
    counts = {"training": started.train_images, "held-out": started.val_images, "test": started.test_images}
    images = f"{name}: {', '.join(f'{count:,} {what}' for what, count in counts.items() if count)} images"
    task = started.task
    return images if task == MNIST_TASK else f"{images} of {task.size} x {task.size} in {task.classes} classes"


def _command(values: Mapping[str, object], row: RunRow) -> str | None:
    """The command that trains the same; None where the config is damaged."""
    from tui.text.run_command import run_command  # which the list of runs does not wait for

    return run_command(values, name=row.name, tags=row.tags) or None


def _show_group(
    locations: Locations, store: Store, group_id: str, *, as_json: bool, ensemble: bool, arch: str | None
) -> None:
    score = _ensemble(locations, store, group_id, arch) if ensemble else None
    if not as_json:
        members = [member for member in store.rows() if member[0].group_id == group_id]
        members.sort(key=lambda member: (member[0].seed is None, member[0].seed or 0, member[0].run_id))
        say(table(COLUMNS, map(_line, members)))
    say_group(store, group_id, as_json=as_json, in_full=True, ensemble=score)


def _ensemble(locations: Locations, store: Store, group_id: str, arch: str | None) -> EnsembleScore:
    from experiments.execution.apart import try_code
    from experiments.inference.ensemble import score_ensemble
    from experiments.results.groups import find_group, make_group

    group = find_group(store, group_id) or make_group(group_id, ())
    runs = [store.run(member.run_id) for member in group.finished]
    for run in runs:
        try_code(run, arch)
    with stop_on_signals() as stop:
        return score_ensemble(runs, locations, arch=arch, should_stop=stop)


def watch(context: typer.Context, run: RunOrGroup) -> None:
    """Follow a run, or the runs of a group in turn, until it ends. Ctrl+C leaves the run alone."""
    store = _store(context)
    found = store.find_all(run)
    ends = [_follow(one) for one in found]
    if (group_id := store.find_group_id(run)) is not None:
        say_group(store, group_id, as_json=False)
    if any(end is None or isinstance(end, RunFailed) for end in ends):
        raise typer.Exit(ExitCode.FAILED)


def _follow(run: Run) -> EndEvent | None:
    reader, report = EventReader(run.log), TextReport()
    with stop_on_signals() as stop:
        while True:
            was_alive = run.is_alive()  # looked at before reading, so that nothing is missed
            for entry in reader.poll():
                report.show(entry)
            if not was_alive:
                break
            if stop():
                raise typer.Exit(ExitCode[stop()])
            time.sleep(POLL)
    say(last_line(report.view, run.id, run.folder))
    return report.view.end


def rm(
    context: typer.Context,
    run: Annotated[list[str], typer.Argument(help="Ids, prefixes or names of runs or groups.", metavar="RUN...")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs and everything in their folders. Asks first when on a terminal."""
    store = _store(context)
    found = list({one.id: one for reference in run for one in store.find_all(reference)}.values())
    for one in found:
        if one.status() is Status.RUNNING:
            raise InvalidValue("run", one.id, "is running", hint="stop it first; nothing was deleted")
    question = f"Delete {', '.join(one.id for one in found)}?"
    if not yes and sys.stdin.isatty() and not typer.confirm(question, err=True):
        note("nothing was deleted")
        raise typer.Exit(ExitCode.USAGE)
    for one in found:
        store.remove(one)
        note(f"deleted {one.id}")


def _line(item: tuple[RunRow, Status]) -> tuple[object, ...]:
    row, state = item
    epochs = f"{row.epochs_done}/{row.epochs}"
    best, final = percent(row.best_test_accuracy), percent(row.final_test_accuracy)
    arch = row.arch if len(row.arch) <= 24 else row.arch[:21] + "..."
    seed = None if row.seed is None else str(row.seed)
    return (
        row.run_id,
        row.name,
        standing(row, state),
        arch,
        row.data,
        seed,
        row.total_params,
        epochs,
        best,
        final,
        duration(row.seconds),
    )


def _store(context: typer.Context) -> Store:
    locations: Locations = context.obj
    return Store(locations.home)
