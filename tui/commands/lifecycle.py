"""`resume` and `stop`: what can be done to a run after it was started."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from core.errors import InvalidValue
from experiments.locations import Locations
from experiments.row import Status
from experiments.runner import Runner
from experiments.store import Store
from tui.commands.run import AsJson, Quiet, download_progress, exit_code_of_runs, report
from tui.commands.runs import Reference
from tui.exit_codes import ExitCode
from tui.launch import resume_detached
from tui.options import whole_number
from tui.output import note, say
from tui.signals import stop_on_signals

STOP_PATIENCE = 30.0
"""Seconds to wait for a run to save its checkpoint and end."""
POLL = 0.1


def resume(
    context: typer.Context,
    run: Reference,
    epochs: Annotated[
        int | None, typer.Option(help="Go on to so many epochs in all.", metavar="N", parser=whole_number("epochs", 1))
    ] = None,
    arch: Annotated[
        str | None, typer.Option(help="For a module of your own: its file and class again.", metavar="FILE.py:CLASS")
    ] = None,
    no_budget: Annotated[bool, typer.Option("--no-budget", help="Lift the run's two budgets.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in a process that outlives the terminal.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run exactly where it was stopped, or extend a finished one."""
    locations: Locations = context.obj
    found = Store(locations.home).find(run)
    if detach:
        options = [] if epochs is None else ["--epochs", str(epochs)]
        options += [] if arch is None else ["--arch", arch]
        runner = Runner(locations)
        runner.check_resumable(found, epochs=epochs, arch=arch, no_budget=no_budget)
        resume_detached(found, locations, *options, *(["--no-budget"] if no_budget else []))
        say(found.id)
        return
    with stop_on_signals() as stop:
        runner = Runner(locations, stop, download_progress())
        entries = runner.resume(found, epochs=epochs, arch=arch, no_budget=no_budget)
        view = report(entries, runner.store, as_json=as_json, quiet=quiet, before=found.view())
    raise typer.Exit(exit_code_of_runs([view]))


def stop(context: typer.Context, run: Reference) -> None:
    """Stop a running run after a checkpoint, wherever it runs."""
    locations: Locations = context.obj
    found = Store(locations.home).find(run)
    status = found.status()
    if status is not Status.RUNNING:
        raise InvalidValue("run", found.id, f"is {status}, not running", hint="mnist-tui runs --status running")
    found.ask_to_stop()
    deadline = time.monotonic() + STOP_PATIENCE
    while found.status() is Status.RUNNING:
        if time.monotonic() > deadline:
            note(f"run {found.id} was asked to stop and has not yet; mnist-tui watch {found.id} shows when it does")
            raise typer.Exit(ExitCode.FAILED)
        time.sleep(POLL)
    status = found.status()
    advice = f"; mnist-tui resume {found.id} goes on with it" if status is Status.STOPPED else " by itself"
    note(f"run {found.id} is {status}{advice}")
