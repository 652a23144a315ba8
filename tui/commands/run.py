"""`run`: train without the interface."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Annotated, Any

import typer

from core.errors import InvalidValue
from core.events import RunStopped
from experiments.execution.runner import Runner
from experiments.export.notifications import Announcer
from experiments.export.tracking import Tracking
from experiments.locations import Locations
from experiments.runs.folder import RunSpec
from experiments.runs.labels import checked_note
from experiments.runs.seeds import MAX_SEEDS
from experiments.runs.store import Store
from experiments.runs.view import RunView
from tui.command_line.config_options import FromFile, FromPreset, with_config_options
from tui.command_line.following import (
    EventsAsJson,
    Quiet,
    announcing,
    download_progress,
    exit_code_of_runs,
    quietly,
    report,
)
from tui.command_line.hangup import OnHangup, training_on_a_terminal
from tui.command_line.options import LogTo, WithTensorBoard, checked_tracking
from tui.command_line.run_plan import Asked, plan_more, plan_new
from tui.live.launch import resume_all_detached, runs_to_hand_over
from tui.text.group_progress import GroupProgress
from tui.text.group_report import say_group
from tui.text.numbers import whole_number
from tui.text.output import keep_stdout_for_data, note_logs, say
from tui.text.output import note as say_aside


@with_config_options(after="config")
def run(
    context: typer.Context,
    *,
    preset: FromPreset = None,
    config: FromFile = None,
    seeds: Annotated[
        str | None, typer.Option(help="Several seeds as one group: 0-9 (both ends included), or 0-2,5.", metavar="A-B")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Add the seeds to this group; they get its config, name and tags.", metavar="GROUP"),
    ] = None,
    name: Annotated[str, typer.Option(help="A name to find the run by.", metavar="TEXT")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.", metavar="TEXT")] = None,
    note: Annotated[
        str, typer.Option("--note", help="A note on the run, or on each run of the group.", metavar="TEXT")
    ] = "",
    jobs: Annotated[
        int | None,
        typer.Option(
            help="With --seeds: how many runs train at a time [default: one for each core; on a GPU as many as fit].",
            metavar="N",
            parser=whole_number("jobs", 1, MAX_SEEDS),
        ),
    ] = None,
    tensorboard: WithTensorBoard = False,
    log_to: LogTo = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="Train in a process that outlives the terminal (several seeds one after the other); prints the "
            "id of the run or group.",
        ),
    ] = False,
    queue: Annotated[
        bool,
        typer.Option(
            "--queue",
            help="Put it in line: a process that outlives the terminal trains it when the machine is free; prints the "
            "id of the run or group.",
        ),
    ] = False,
    on_hangup: OnHangup = None,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
    **changes: Any,
) -> None:
    """Train a network. Flags override the preset or file."""
    changes = {field: value for field, value in changes.items() if value is not None}
    locations: Locations = context.obj
    store = Store(locations.home)
    if jobs is not None and seeds is None:
        raise InvalidValue("jobs", jobs, "is for several runs", hint="give several seeds with --seeds A-B")
    if detach and queue:
        raise InvalidValue("queue", True, "cannot be used with --detach", hint="give one of the two")
    if jobs is not None and queue:
        raise InvalidValue("jobs", jobs, "cannot be used with --queue", hint="leave one of the two out")
    if jobs is not None and jobs > 1 and detach:
        hint = "leave one of the two out"
        raise InvalidValue(
            "jobs", jobs, "cannot be used with --detach, which trains one run after the other", hint=hint
        )
    asked = Asked(preset, config, changes, seeds, name, tuple(tag or ()), checked_note(note))
    group_id, planned = plan_new(store, asked) if group is None else plan_more(store, asked, group, detach=detach)
    tracking = checked_tracking(store, tensorboard=tensorboard, log_to=log_to)
    planned = [replace(spec, meta=tracking.of(spec.meta)) for spec in planned]
    if queue:
        _put_in_line(locations, planned)
        return
    if detach:
        _detach(locations, planned)
        return
    keep_stdout_for_data()
    if not (quiet or as_json):
        note_logs()
    with (
        training_on_a_terminal(locations, on_hangup, "the run had not begun, so nothing was saved") as stop,
        announcing(store, len(planned)) as announcer,
    ):
        runner = Runner(locations, stop, download_progress())
        if group_id:
            jobs = 1 if planned[0].meta.trackers else jobs  # trackers take one run at a time
            views = _train_group(runner, planned, tracking, announcer, jobs, as_json=as_json, quiet=quiet)
            say_group(runner.store, group_id, as_json=as_json)
            if any(isinstance(view.end, RunStopped) for view in views):
                say_aside(f"mnist-tui resume {group_id} goes on with all that have not finished")
        else:
            from experiments.execution.apart import train_new

            entries = announcer.follow(tracking.follow(train_new(runner, planned[0])))
            views = [report(entries, runner.store, as_json=as_json, quiet=quiet)]
    raise typer.Exit(exit_code_of_runs(views))


def _train_group(
    runner: Runner,
    planned: list[RunSpec],
    tracking: Tracking,
    announcer: Announcer,
    jobs: int | None,
    *,
    as_json: bool,
    quiet: bool,
) -> list[RunView]:
    from experiments.execution.replicate import plan_runs, replicate
    from experiments.execution.together.recorded import Recorded

    with Recorded(runner, planned) as recorded:
        plan = plan_runs(recorded.runner, recorded.tasks, jobs)
        if plan.words and not quiet:
            say_aside(plan.words)
        entries = announcer.follow(replicate(recorded.runner, recorded, plan))
        if plan.way == "in turn":
            by_run = groupby(entries, lambda entry: entry.run_id)
            return [report(tracking.follow(part), runner.store, as_json=as_json, quiet=quiet) for _, part in by_run]
        progress = GroupProgress(runner.store, as_json=as_json, quiet=quiet)
        for entry in quietly(entries):
            progress.show(entry)
        return list(progress.views.values())


def _put_in_line(locations: Locations, planned: list[RunSpec]) -> None:
    from tui.live.jobs.line import put_in_line, see_to_the_line

    entry = put_in_line(locations, planned, "run --queue")
    see_to_the_line(locations)
    say_aside("it is trained when its turn comes: mnist-tui queue lists what is in line")
    say(planned[0].meta.group_id or entry.runs[0])


def _detach(locations: Locations, planned: list[RunSpec]) -> None:
    """Make the folders of all runs, and start one process that trains them in turn. Every folder is there from the
    start, so that a run whose turn never comes can be resumed like any other."""
    with runs_to_hand_over(Runner(locations), planned) as made:
        reference = planned[0].meta.group_id or made[0].id
        resume_all_detached(reference, made, locations)
    say_aside(f"training goes on by itself: mnist-tui watch {reference}, mnist-tui stop {reference}")
    say(reference)
