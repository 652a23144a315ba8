"""`queue`: the runs that wait in line for the machine. List, move and drop them; the process that works them off."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from core.config import TrainConfig
from core.errors import printable
from experiments.locations import Locations
from experiments.queue.line import Queue, QueueEntry
from experiments.queue.work import is_open
from experiments.runs.folder import Run, RunSpec
from experiments.runs.seeds import name_of_group, seeds_text
from experiments.runs.store import Store
from tui.command_line.exit_codes import stop_code
from tui.command_line.following import announcing, exit_code_of_runs, quietly
from tui.command_line.hangup import training_on_a_terminal
from tui.command_line.options import AsJson
from tui.command_line.signals import stop_on_signals
from tui.text.numbers import whole_number
from tui.text.output import keep_stdout_for_data, note, note_logs, say, say_json, table
from tui.text.wording import arch_in_short

COLUMNS = ("place", "id", "name", "status", "arch", "data", "seeds", "epochs", "asked by", "asked")
Reference = Annotated[
    str, typer.Argument(help="A place in line, or a run or a group that is in line.", metavar="PLACE|RUN")
]

app = typer.Typer(
    add_completion=False,
    help="List the runs that wait in line, move or drop them. A process of its own trains them, one job at a time.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def queue(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        _list(context.obj, as_json=as_json)


@app.command("list")
def list_entries(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is in line, the next one first."""
    _list(context.obj, as_json=as_json)


@app.command()
def move(
    context: typer.Context,
    entry: Reference,
    place: Annotated[
        int, typer.Argument(help="Its new place, from 1.", metavar="PLACE", parser=whole_number("place", 1))
    ],
) -> None:
    """Give runs another place in line."""
    line = _line(context)
    line.move(line.find(entry).id, place)
    _list(context.obj, as_json=False)


@app.command()
def drop(context: typer.Context, entry: Reference) -> None:
    """Take runs out of line. Those that have never begun are deleted, others are there to go on with."""
    line = _line(context)
    found = line.find(entry)
    deleted = line.drop(found.id)
    kept = [run for run in found.runs if run not in deleted]
    note("; ".join(filter(None, (f"dropped {' '.join(deleted)}" if deleted else "", _kept_in_words(kept)))))


def _kept_in_words(kept: list[str]) -> str:
    return f"{' '.join(kept)} out of line, with all that was trained" if kept else ""


@app.command()
def work(context: typer.Context) -> None:
    """Train what is in line, until nothing is. One process does so for a home; it is started when it is needed."""
    from tui.live.jobs.line import work_off

    note_logs("experiments")
    with stop_on_signals() as stop:
        work_off(context.obj, stop)
    raise typer.Exit(stop_code(stop()) if stop() else 0)


@app.command()
def train(context: typer.Context, entry: Reference) -> None:
    """Train runs that are in line here and now, as `run` trains them."""
    from experiments.execution.replicate import plan_runs, replicate
    from experiments.execution.runner import Runner
    from experiments.execution.together.recorded import Recorded
    from experiments.export.tracking import Tracking
    from tui.text.group_progress import GroupProgress

    locations: Locations = context.obj
    line = _line(context)
    found = line.find(entry)
    tasks = [_task(found, run) for run in line.runs(found) if is_open(found, run)]
    if not tasks:
        note("all of it is trained")
        return
    keep_stdout_for_data()
    with (
        training_on_a_terminal(locations) as stop,
        announcing(Store(locations.home), len(tasks)) as announcer,
    ):
        runner = Runner(locations, stop)
        with Recorded(runner, tasks) as recorded:
            trackers = any(task.run.meta().trackers for task in tasks)
            in_turn = trackers or found.epochs is not None or found.no_budget
            plan = plan_runs(recorded.runner, recorded.tasks, 1 if in_turn else None)
            if plan.words:
                note(plan.words)
            entries = announcer.follow(replicate(recorded.runner, recorded, plan))
            if trackers:
                entries = Tracking(runner.store, lambda text: note(f"warning: {text}")).follow(entries)
            progress = GroupProgress(runner.store, as_json=False, quiet=False)
            for one in quietly(entries):
                progress.show(one)
    raise typer.Exit(exit_code_of_runs(list(progress.views.values())))


def _task(entry: QueueEntry, run: Run) -> Any:
    from experiments.execution.together.recorded import RecordedRun, ResumedRun
    from experiments.runs.config import stored_config
    from experiments.runs.own_code import kept_code, own_arch

    view = run.view()
    if run.id not in entry.before and view.started is None and view.end is None:
        return RecordedRun(run, RunSpec(stored_config(run, view), run.meta(), kept_code(run)))
    if entry.has_gone_on(run.id, view.updated_at):  # its config says by now how it goes on
        return ResumedRun(run, entry.arch or own_arch(run))
    return ResumedRun(run, entry.arch or own_arch(run), entry.epochs, entry.no_budget)


def _line(context: typer.Context) -> Queue:
    locations: Locations = context.obj
    return Queue.of(locations.home)


def _list(locations: Locations, *, as_json: bool) -> None:
    from tui.live.jobs.line import see_to_the_line

    see_to_the_line(locations)  # one that was killed leaves what is in line to whoever looks at it next
    line = Queue.of(locations.home)
    entries = line.entries()
    if as_json:
        say_json([_record(line, place, entry) for place, entry in enumerate(entries, start=1)])
    elif entries:
        say(table(COLUMNS, [_row(line, place, entry) for place, entry in enumerate(entries, start=1)]))
    else:
        ways = "mnist-tui run --queue, mnist-tui resume RUN --queue"
        note(f"nothing is in line: {ways}, or start a run in the interface while another one is trained")


def _record(line: Queue, place: int, entry: QueueEntry) -> dict[str, Any]:
    """An entry as JSON: who asked for it and when, and the whole config with its seeds."""
    runs = line.runs(entry)
    configs = [run.config() for run in runs]
    config = {key: value for key, value in configs[0].items() if key != "seed"} if configs else {}
    return {
        "entry_id": entry.id,
        "place": place,
        "status": _standing(line, entry),
        "runs": list(entry.runs),
        "group_id": runs[0].meta().group_id if runs else None,
        "name": _name(runs),
        "seeds": [config["seed"] for config in configs if "seed" in config],
        "config": config,
        "by": entry.by,
        "user": entry.user,
        "host": entry.host,
        "asked": entry.asked,
    }


def _row(line: Queue, place: int, entry: QueueEntry) -> tuple[object, ...]:
    record = _record(line, place, entry)
    config = {**TrainConfig().model_dump(), **record["config"]}
    return (
        str(place),
        record["group_id"] or entry.runs[0],
        record["name"],
        record["status"],
        arch_in_short(str(config["arch"])),
        str(config["dataset"]),
        seeds_text(record["seeds"]),
        config["epochs"],
        f"{entry.user}@{entry.host}, {entry.by}",
        entry.asked,
    )


def _standing(line: Queue, entry: QueueEntry) -> str:
    return "running" if line.is_at_work(entry) else "waiting"


def _name(runs: list[Run]) -> str:
    """The name that was given to a run, or to a group of several."""
    if not runs:
        return ""
    name = printable(runs[0].meta().name)
    return name_of_group(name, runs[0].config().get("seed")) if runs[0].meta().group_id else name
