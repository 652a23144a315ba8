"""`claims`: the exercise's six claims, tested over seeds."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.config import field_help
from core.errors import InvalidValue, ShouldStop
from experiments.locations import Locations
from tui.command_line.exit_codes import ExitCode, stop_code
from tui.command_line.following import download_progress
from tui.command_line.hangup import training_on_a_terminal
from tui.text.numbers import whole_number
from tui.text.output import note, percent, say, say_json

if TYPE_CHECKING:
    from experiments.claims.study import ClaimsStudy, Design, Results
    from experiments.execution.run_list import RunOutcome


_UNITS = {"s": 1, "m": 60, "h": 3_600}


def _duration(text: str) -> float:
    """``90s``, ``30m`` or ``1.5h`` in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if match is None or not float(match[1]):
        raise InvalidValue("for", text, "must be a number above 0 with s, m or h", hint="for example --for 1h")
    return float(match[1]) * _UNITS[match[2]]


def claims(
    context: typer.Context,
    seeds: Annotated[
        int, typer.Option(help="Number of seeds of each recipe.", metavar="N", parser=whole_number("seeds", 1, 1000))
    ] = 5,
    epochs: Annotated[
        int, typer.Option(help="Epochs of each run, at most 20.", metavar="N", parser=whole_number("epochs", 1))
    ] = 20,
    limit_train: Annotated[
        int | None,
        typer.Option(
            help=f"{field_help('limit_train')} Only to try the command out: the result is then no evidence.",
            metavar="N",
            parser=whole_number("limit_train", 1, 10_000_000),
        ),
    ] = None,
    limit_test: Annotated[
        int | None,
        typer.Option(
            help=f"{field_help('limit_test')} Only to try the command out.",
            metavar="N",
            parser=whole_number("limit_test", 1, 10_000_000),
        ),
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="Data set; only results on full MNIST are evidence.", metavar="auto|mnist|mnist-5k")
    ] = "auto",
    device: Annotated[str, typer.Option(help=field_help("device"), metavar="auto|cpu|cuda|cuda:N|mps")] = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Runs at once [default: one for each GPU, else for each core].",
            metavar="N",
            parser=whole_number("jobs", 1, 1024),
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            "--for",
            help="Stop after so long, with checkpoints, and say how things stand; the same command goes on from there.",
            metavar="30m|1h",
            parser=_duration,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write a report to this file, and its charts beside it.",
            metavar="FILE.md",
            parser=Path,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test the exercise's six claims over several seeds. Called again, it goes on where it stopped."""
    from experiments.claims.report import check_report_path, write_report
    from experiments.claims.study import ClaimsStudy, Design, Results
    from experiments.runs.store import Store

    locations: Locations = context.obj
    design = Design.of(
        seeds, epochs=epochs, limit_train=limit_train, limit_test=limit_test, dataset=dataset, device=device
    )
    store = Store(locations.home)
    store.check_writable()
    if output is not None:
        check_report_path(output)
    with training_on_a_terminal(locations) as signalled:
        stop = _until(signalled, duration)
        design = _with_data(design, locations, stop)
        study = ClaimsStudy(store, design)
        _train(study, locations, jobs, stop)
    if (reason := stop()) and reason != TIME_IS_UP:
        note("the same command goes on from here")
        raise typer.Exit(stop_code(reason))
    results = Results.of(study)
    if output is not None:
        write_report(results, output)
        note(f"report: {output}")
    if as_json:
        say_json(results.to_json())
    else:
        _say(results)
    if not results.is_complete and reason:
        note("time is up; the same command goes on from here")
    elif not results.is_complete:
        raise typer.Exit(ExitCode.FAILED)


TIME_IS_UP = "time is up"


def _until(stop: ShouldStop, seconds: float | None) -> ShouldStop:
    """The flag, which is also raised once so much time has gone by."""
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    return lambda: stop() or (TIME_IS_UP if time.monotonic() > deadline else "")


def _with_data(design: Design, locations: Locations, stop: ShouldStop) -> Design:
    """Load the data once before anything trains, so that no worker has to download it."""
    from core.data.loader import Loader

    dataset = Loader(locations.data, locations.cache, stop, download_progress()).load(design.base.dataset)
    if dataset.note:
        note(f"warning: {dataset.note}")
    return replace(design, base=design.base.changed(dataset=dataset.choice))


def _train(study: ClaimsStudy, locations: Locations, jobs: int | None, stop: ShouldStop) -> None:
    from experiments.execution.local_executor import LocalExecutor, local_slots
    from experiments.execution.run_list import find_runs
    from experiments.execution.runner import Runner
    from experiments.runs.row import Status

    specs = study.specs()
    finished = sum(run is not None and run.status() is Status.FINISHED for run in find_runs(study.store, specs))
    note(f"{len(specs)} runs, {finished} of them finished already")
    if finished == len(specs):
        return
    executor = LocalExecutor(locations, local_slots(study.design.base.device, jobs, None))
    runner = Runner(locations, stop, download_progress())
    for outcome in study.train(runner, executor, stop):
        row = outcome.run.row()
        finished += row.ended == Status.FINISHED
        note(f"{finished} of {len(specs)}: {_in_a_line(outcome)}")


def _in_a_line(outcome: RunOutcome) -> str:
    row = outcome.run.row()
    problem = f", {outcome.problem}" if outcome.problem else ""
    scores = f"best {percent(row.best_test_accuracy)}, final {percent(row.final_test_accuracy)}"
    return f"{outcome.spec.meta.name} {outcome.run.status()}: {scores}{problem}"


def _say(results: Results) -> None:
    for claim, finding in results.findings:
        said = "; ".join(part for part in (finding.measured, results.would_tell(claim, finding)) if part)
        say(f"{claim.number}. {claim.text}: {finding.verdict.upper()} (n = {finding.n}; {said})")
    for reason in results.design.shortcomings():
        note(f"no evidence for or against any claim: {reason}")
    if not results.is_complete:
        note("not all runs have ended")
