"""Print the runs that a command trains as they go, and find their exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, Any, TypeVar

import typer

from core.events import EndEvent, RunFailed, RunStarted, RunStopped
from experiments.export.notifications import Announcer
from experiments.runs.eventlog import Entry
from experiments.runs.store import Store
from experiments.runs.view import RunView
from tui.command_line.exit_codes import ExitCode, stop_code
from tui.text.advice import command_line_record
from tui.text.output import note, say
from tui.text.progress import TextReport, last_line

Said = TypeVar("Said")
EventsAsJson = Annotated[bool, typer.Option("--json", help="Print one event a line as JSON.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", help="Print only the last line (for a group, its statistics); with --json, only the last event."
    ),
]


def report(
    entries: Iterator[Entry], store: Store, *, as_json: bool, quiet: bool, before: RunView | None = None
) -> RunView:
    """Print a run as it goes and return its view. `before` is the view of what it did in earlier calls."""
    text = TextReport(quiet=quiet or as_json, view=before)
    entry: Entry | None = None
    for entry in quietly(entries):
        if isinstance(entry.event, RunStarted) and entry.event.note:
            note(f"warning: {entry.event.note}")
        text.show(entry)
        if as_json and (not quiet or isinstance(entry.event, EndEvent)):
            say(entry.to_json(command_line_record))
    assert entry is not None, "a run yields its start at least"
    if not as_json:
        say(last_line(text.view, entry.run_id, store.run(entry.run_id).folder))
    return text.view


@contextmanager
def announcing(store: Store, runs: int) -> Iterator[Announcer]:
    """Yields what tells the user's address of so many runs (`notify_url`); at the end, all has been said."""
    from tui.text.settings import user_settings

    announcer = Announcer(store, user_settings().values.notify_url, lambda words: note(f"warning: {words}"), runs)
    try:
        yield announcer
    finally:
        announcer.close()


def quietly(entries: Iterator[Said]) -> Iterator[Said]:
    """Pass the entries on. What a user's module prints meanwhile goes to stderr: stdout is for data."""
    while True:
        with redirect_stdout(sys.stderr):
            entry = next(entries, None)
        if entry is None:
            return
        yield entry


def download_progress() -> Callable[[str, int, int | None], None]:
    """A callback that shows a tqdm bar for each file, from its first byte on."""
    bars: dict[str, Any] = {}

    def show(name: str, done: int, total: int | None) -> None:
        from tqdm import tqdm

        if name not in bars:
            for bar in bars.values():
                bar.close()
            bars[name] = tqdm(desc=name, total=total, unit="B", unit_scale=True)
        bars[name].update(done - bars[name].n)
        if done == total:
            bars[name].close()

    return show


def exit_code_of_runs(views: list[RunView]) -> ExitCode:
    """The exit code for one run or the runs of a group."""
    ends = [view.end for view in views]
    for end in ends:
        if isinstance(end, RunStopped):
            return stop_code(end.reason)
    return ExitCode.FAILED if any(isinstance(end, RunFailed) for end in ends) else ExitCode.DONE
