"""`run`: train without the interface."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from core.config import TrainConfig
from core.errors import InvalidValue
from core.events import RunFailed, RunFinished, RunStarted, RunStopped
from experiments.eventlog import Entry
from experiments.locations import Locations
from experiments.presets import DEFAULT, load_config_file, load_preset
from experiments.runner import Runner
from experiments.store import Meta
from experiments.view import RunView
from tui.exit_codes import ExitCode, stop_code
from tui.group_report import say_group
from tui.options import with_config_options
from tui.output import note, say
from tui.progress import TextReport, last_line
from tui.signals import stop_on_signals

MAX_SEEDS = 10_000


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one event a line as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the last line.")] = False,
    **changes: Any,
) -> None:
    """Train a network. Flags override the preset or file."""
    changes = {field: value for field, value in changes.items() if value is not None}
    checked = _configure(preset, config, changes)
    every_seed = _parse_seeds(seeds, changes.get("seed")) if seeds is not None else [checked.seed]
    locations: Locations = context.obj
    with stop_on_signals() as stop:
        runner = Runner(locations, stop, download_progress())
        meta = Meta(name, tuple(tag or ()), runner.store.new_group_id() if seeds is not None else None)
        views: list[RunView] = []
        for one_seed in every_seed:
            seed_meta = replace(meta, name=f"{name}-{one_seed}") if seeds is not None and name else meta
            views.append(_train(runner, checked.changed(seed=one_seed), seed_meta, as_json=as_json, quiet=quiet))
            if not isinstance(views[-1].end, RunFinished | RunFailed):
                break
        if meta.group_id:
            say_group(meta.group_id, views, as_json=as_json)
    raise typer.Exit(_exit_code(views))


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


def _train(runner: Runner, config: TrainConfig, meta: Meta, *, as_json: bool, quiet: bool) -> RunView:
    report = TextReport(quiet=quiet or as_json)
    entry: Entry | None = None
    for entry in runner.run(config, meta):
        if isinstance(entry.event, RunStarted) and entry.event.note:
            note(f"warning: {entry.event.note}")
        report.show(entry)
        if as_json:
            say(entry.to_json())
    assert entry is not None, "a run yields its start at least"
    if not as_json:
        say(last_line(report.view, entry.run_id, runner.store.run(entry.run_id).folder))
    return report.view


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


def _exit_code(views: list[RunView]) -> ExitCode:
    ends = [view.end for view in views]
    for end in ends:
        if isinstance(end, RunStopped):
            return stop_code(end.reason)
    return ExitCode.FAILED if any(isinstance(end, RunFailed) for end in ends) else ExitCode.DONE
