"""`run`: train without the interface."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from core.arch import is_user_module
from core.config import TrainConfig
from core.errors import InvalidValue
from core.events import RunFailed, RunFinished, RunStarted, RunStopped
from experiments.eventlog import Entry
from experiments.locations import Locations
from experiments.presets import DEFAULT, load_config_file, load_preset
from experiments.run import Meta, check_label
from experiments.runner import Runner
from experiments.store import Store
from experiments.view import RunView
from tui.exit_codes import ExitCode, stop_code
from tui.group_report import say_group
from tui.launch import resume_detached
from tui.options import with_config_options
from tui.output import note, say
from tui.progress import TextReport, last_line
from tui.signals import stop_on_signals

MAX_SEEDS = 10_000

AsJson = Annotated[bool, typer.Option("--json", help="Print one event a line as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the last line.")]


@with_config_options(after="config")
def run(
    context: typer.Context,
    *,
    preset: Annotated[str | None, typer.Option(help=f"Start from a preset [default: {DEFAULT}].")] = None,
    config: Annotated[Path | None, typer.Option(help="Start from a TOML file.", metavar="FILE.toml")] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Several seeds as one group: 0-9, both ends included.", metavar="A-B")
    ] = None,
    name: Annotated[str, typer.Option(help="A name to find the run by.", metavar="TEXT")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.", metavar="TEXT")] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in a process that outlives the terminal; prints the run's id.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    **changes: Any,
) -> None:
    """Train a network. Flags override the preset or file."""
    changes = {field: value for field, value in changes.items() if value is not None}
    checked = _configure(preset, config, changes)
    every_seed = _parse_seeds(seeds, changes.get("seed")) if seeds is not None else [checked.seed]
    checked.changed(seed=every_seed[-1])
    for field, words in (("name", [name]), ("tag", tag or [])):
        for word in words:
            check_label(field, word)
    locations: Locations = context.obj
    if detach:
        _detach(locations, [checked.changed(seed=one) for one in every_seed], name, tag)
        return
    with stop_on_signals() as stop:
        runner = Runner(locations, stop, download_progress())
        meta = Meta(name, tuple(tag or ()), runner.store.new_group_id() if seeds is not None else None)
        views: list[RunView] = []
        for one_seed in every_seed:
            seed_meta = replace(meta, name=f"{name}-{one_seed}") if seeds is not None and name else meta
            entries = runner.run(checked.changed(seed=one_seed), seed_meta)
            views.append(report(entries, runner.store, as_json=as_json, quiet=quiet))
            if not isinstance(views[-1].end, RunFinished | RunFailed):
                break
        if meta.group_id:
            say_group(meta.group_id, views, as_json=as_json)
    raise typer.Exit(exit_code_of_runs(views))


def _detach(locations: Locations, configs: list[TrainConfig], name: str, tag: list[str] | None) -> None:
    if len(configs) > 1:
        seeds = f"{configs[0].seed}-{configs[-1].seed}"
        raise InvalidValue("seeds", seeds, "cannot be used with --detach", hint="detach one run with --seed")
    run = Runner(locations).create(configs[0], Meta(name, tuple(tag or ())))
    options = ["--arch", run.config()["arch"]] if is_user_module(configs[0].arch) else []
    resume_detached(run, locations, *options)
    note(f"training goes on by itself: mnist-tui watch {run.id}, mnist-tui stop {run.id}")
    say(run.id)


def _configure(preset: str | None, config: Path | None, changes: dict[str, object]) -> TrainConfig:
    if preset is not None and config is not None:
        raise InvalidValue(
            "config", str(config), "cannot be used with --preset", hint='name the preset in the file: base = "..."'
        )
    base = load_config_file(config) if config is not None else load_preset(preset or DEFAULT)
    return TrainConfig.checked({**base.values, **changes})


def _parse_seeds(text: str, seed: int | None) -> list[int]:
    if seed is not None:
        raise InvalidValue("seeds", text, "cannot be used with --seed", hint="give one of the two")
    match = re.fullmatch(r"(\d{1,10})-(\d{1,10})", text, re.ASCII)
    first, last = (int(match[1]), int(match[2])) if match else (1, 0)
    if not first <= last < first + MAX_SEEDS:
        raise InvalidValue(
            "seeds", text, f"must be A-B with A at most B, {MAX_SEEDS:,} seeds at most", hint="for example 0-9"
        )
    return list(range(first, last + 1))


def report(
    entries: Iterator[Entry], store: Store, *, as_json: bool, quiet: bool, before: RunView | None = None
) -> RunView:
    """Print a run as it goes, after what was known of it `before`; returns what it came to."""
    text = TextReport(quiet=quiet or as_json, view=before)
    entry: Entry | None = None
    for entry in _quietly(entries):
        if isinstance(entry.event, RunStarted) and entry.event.note:
            note(f"warning: {entry.event.note}")
        text.show(entry)
        if as_json:
            say(entry.to_json())
    assert entry is not None, "a run yields its start at least"
    if not as_json:
        say(last_line(text.view, entry.run_id, store.run(entry.run_id).folder))
    return text.view


def _quietly(entries: Iterator[Entry]) -> Iterator[Entry]:
    """The entries; what a module of one's own prints meanwhile goes to stderr, because stdout is for data."""
    while True:
        with redirect_stdout(sys.stderr):
            entry = next(entries, None)
        if entry is None:
            return
        yield entry


def download_progress() -> Callable[[str, int, int | None], None]:
    """A tqdm bar a file, made when the first byte of it is here."""
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
    """What the process should say for one run or the runs of a group."""
    ends = [view.end for view in views]
    for end in ends:
        if isinstance(end, RunStopped):
            return stop_code(end.reason)
    return ExitCode.FAILED if any(isinstance(end, RunFailed) for end in ends) else ExitCode.DONE
