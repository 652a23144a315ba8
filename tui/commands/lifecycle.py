"""`resume` and `stop`, for a run or the runs of a group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from core.errors import InvalidValue, LabError, Stopped
from core.models.network import absolute_arch
from experiments.execution.runner import Runner
from experiments.execution.supervision import REQUESTED, KeepingPlaces
from experiments.export.tracking import Tracking
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.own_code import own_arch
from experiments.runs.owner import Owner
from experiments.runs.row import Status
from experiments.runs.store import Store
from tui.command_line.exit_codes import ExitCode, exit_code_of, stop_code
from tui.command_line.following import EventsAsJson, Quiet, announcing, download_progress, exit_code_of_runs, report
from tui.command_line.hangup import OnHangup, training_on_a_terminal
from tui.command_line.options import LogTo, RunOrGroup, WithTensorBoard, checked_tracking, tracking_options
from tui.live.launch import resume_all_detached
from tui.text.group_report import say_group
from tui.text.numbers import whole_number
from tui.text.output import complain, keep_stdout_for_data, note, note_logs, say

STOP_PATIENCE = 30.0
"""Seconds to wait for a run to save its checkpoint and end."""
POLL = 0.1


def resume(
    context: typer.Context,
    run: RunOrGroup,
    epochs: Annotated[
        int | None,
        typer.Option(help="Train up to this many epochs in total.", metavar="N", parser=whole_number("epochs", 1)),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(help="For a module of your own: name its file and class again.", metavar="FILE.py:CLASS"),
    ] = None,
    no_budget: Annotated[
        bool, typer.Option("--no-budget", help="Lift the run's limits on parameters and epochs.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in a process that outlives the terminal.")] = False,
    queue: Annotated[
        bool,
        typer.Option(
            "--queue",
            help="Put it in line: a process that outlives the terminal goes on with it when the machine is free.",
        ),
    ] = False,
    tensorboard: WithTensorBoard = False,
    log_to: LogTo = None,
    on_hangup: OnHangup = None,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
) -> None:
    """Continue a run or a group exactly where it stopped. --epochs extends a finished one."""
    locations: Locations = context.obj
    store = Store(locations.home)
    found = store.find_all(run)
    group_id = store.find_group_id(run)
    if group_id is not None and epochs is None:
        found = _unfinished(run, found)
    tracking = checked_tracking(store, tensorboard=tensorboard, log_to=log_to)
    if detach and queue:
        raise InvalidValue("queue", True, "cannot be used with --detach", hint="give one of the two")
    how: dict[str, Any] = {"epochs": epochs, "arch": arch, "no_budget": no_budget}
    for one in found:
        Runner(locations).check_resumable(one, **how)
    if queue:
        _put_in_line(locations, found, tracking, how)
        say(group_id or found[0].id)
        return
    if detach:
        options = [] if epochs is None else ["--epochs", str(epochs)]
        options += [] if arch is None else ["--arch", arch]
        options += tracking_options(tracking)
        reference = group_id or found[0].id
        resume_all_detached(reference, found, locations, *options, *(["--no-budget"] if no_budget else []))
        say(reference)
        return
    code = _go_on(
        locations, found, tracking, how, on_hangup, as_json=as_json, quiet=quiet, is_group=group_id is not None
    )
    if group_id is not None:
        say_group(store, group_id, as_json=as_json)
    raise typer.Exit(code)


def _go_on(
    locations: Locations,
    found: list[Run],
    tracking: Tracking,
    how: dict[str, Any],
    on_hangup: OnHangup,
    *,
    as_json: bool,
    quiet: bool,
    is_group: bool,
) -> ExitCode:
    """Train the runs one after the other; of a group one that fails does so alone."""
    from experiments.execution.apart import train_on

    store = Store(locations.home)
    keep_stdout_for_data()
    if not (quiet or as_json):
        note_logs()
    codes: list[ExitCode] = []
    left_behind = "training had not gone on, so the run is as it was"
    with (
        training_on_a_terminal(locations, on_hangup, left_behind) as stop,
        _taken_on(found) as taken,
        announcing(store, len(found)) as announcer,
    ):
        places = KeepingPlaces([one for one in found if one.is_owned_here()], stop)
        runner = Runner(locations, places, download_progress())
        for one in found:
            places.begin(one)
            if one.id in places.given_up:  # somebody did so while it waited
                codes.append(stop_code(REQUESTED))
                continue
            if (reason := stop()) and (one in taken or not one.is_owned_here()):
                codes.append(stop_code(reason))
                continue
            try:
                entries = tracking.follow(train_on(runner, one, **how))
                view = report(announcer.follow(entries), store, as_json=as_json, quiet=quiet, before=one.view())
                codes.append(exit_code_of_runs([view]))
            except LabError as error:
                if not is_group:
                    raise
                codes.append(exit_code_of(error))
                if not isinstance(error, Stopped):
                    complain(error.message, error.advice)
    return next((code for code in codes if code is not ExitCode.DONE), ExitCode.DONE)


def _put_in_line(locations: Locations, found: list[Run], tracking: Tracking, options: dict[str, Any]) -> None:
    from tui.live.jobs.line import put_in_line_again, see_to_the_line

    if options["arch"] is not None:
        copy = own_arch(found[0])  # what was named is checked to be the same, and may change meanwhile
        is_copied = copy != found[0].config().get("arch")
        options["arch"] = None if is_copied else absolute_arch(options["arch"])
    put_in_line_again(locations, found, "resume --queue", options)
    if tracking.tensorboard or tracking.log_to is not None:
        for run in found:
            run.change_meta(trackers=tracking.of(run.meta()).trackers)
    see_to_the_line(locations)
    note("it goes on when its turn comes: mnist-tui queue lists what is in line")


@contextmanager
def _taken_on(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Within the block this process owns the runs, so that stopping their group also reaches those that wait.

    Yields the runs that it did not own before (a detached process owns them all from its start). When a signal comes
    before such a run's turn, the run is released as it was.
    """
    taken: list[Run] = []
    for run in runs:
        if not run.is_owned_here():
            with suppress(LabError, OSError), run.open_log():  # what is wrong is reported when its turn comes
                run.forget_stop()
                run.hand_over(Owner.this_process())
                taken.append(run)
    try:
        yield taken
    finally:
        for run in taken:
            if run.is_owned_here():  # else it was trained, and another process may own it by now
                run.release()


def _unfinished(group_id: str, members: list[Run]) -> list[Run]:
    left = [one for one in members if one.row().ended != Status.FINISHED]
    if not left:
        raise InvalidValue("run", group_id, "every run of it is finished", hint="extend them with --epochs N")
    return left


def stop(context: typer.Context, run: RunOrGroup) -> None:
    """Stop a run or a group, after a checkpoint. It does not matter which process trains it."""
    locations: Locations = context.obj
    found = Store(locations.home).find_all(run)
    live = [one for one in found if one.status() is Status.RUNNING]
    if not live:
        what = f"is {found[0].status()}, not running" if len(found) == 1 else "none of its runs is running"
        named = found[0].id if len(found) == 1 else run
        raise InvalidValue("run", named, what, hint="mnist-tui runs --status running")
    for one in reversed(live):  # the last first, so that none of those that wait begins
        one.ask_to_stop()
    deadline = time.monotonic() + STOP_PATIENCE
    for one in live:
        while one.status() is Status.RUNNING:
            if time.monotonic() > deadline:
                note(f"run {one.id} was asked to stop and has not yet; mnist-tui watch {one.id} shows when it does")
                raise typer.Exit(ExitCode.FAILED)
            time.sleep(POLL)
        status = one.status()
        advice = f"; mnist-tui resume {one.id} goes on with it" if status is Status.STOPPED else " by itself"
        note(f"run {one.id} is {status}{advice}")
