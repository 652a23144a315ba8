"""The runs that `mnist-tui run` is asked for: one run, a new group, or more seeds of an existing group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from core.config import TrainConfig
from core.errors import InvalidValue
from core.fields import check_given
from experiments.presets.loader import DEFAULT, load_config_file, load_preset
from experiments.results.more_seeds import more_seeds
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.labels import check_label, split_tags
from experiments.runs.row import Status
from experiments.runs.seeds import name_of_seed, parse_seeds, seed_specs
from experiments.runs.store import Store
from tui.text.output import note


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command line, as they were given; `changes` are those that name a config field."""

    preset: str | None
    config: Path | None
    changes: dict[str, object]
    seeds: str | None
    name: str
    tags: tuple[str, ...]
    note: str = ""


def plan_new(store: Store, asked: Asked) -> tuple[str | None, list[RunSpec]]:
    """One run without a group id, or the id of a new group and its runs.

    Raises:
        InvalidValue, OverBudget: for what cannot be trained.
    """
    config = configure(asked.preset, asked.config, asked.changes)
    check_label("name", asked.name)
    for text in asked.tags:
        for tag in split_tags([text]) or [text if text.isspace() else ""]:
            check_label("tag", tag)
    asked = replace(asked, tags=split_tags(asked.tags))
    if asked.seeds is None:
        return None, [RunSpec(config, Meta(asked.name, asked.tags, note=asked.note))]
    seeds = _seeds(asked.seeds, asked.changes.get("seed"))
    if len(seeds) == 1 and "-" not in asked.seeds and seeds[0] > 1:  # `claims` takes their number
        note(f"seed {seeds[0]} alone; 0-{seeds[0] - 1} are {seeds[0]} seeds")
    name, group_id = asked.name, store.new_group_id()
    if name and any(row.group_id and row.name == name_of_seed(name, row.seed) for row, _ in store.rows()):
        note(f"warning: there is a group {name} already; to add seeds to it, give --group {name} instead of --name")
    return group_id, seed_specs(config, seeds, Meta(name, asked.tags, group_id, note=asked.note))


def plan_more(store: Store, asked: Asked, group: str, *, detach: bool) -> tuple[str, list[RunSpec]]:
    """The id of an existing group, and the runs of its new seeds.

    Raises:
        RunError: when there is no such group.
        InvalidValue: for an option that the group decides, or a seed that it has already.
    """
    if asked.seeds is None:
        raise InvalidValue("group", group, "needs the seeds to add", hint="say which: --seeds A-B")
    for option in ("preset", "config", "name", "tags"):
        if value := getattr(asked, option):
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            hint = "leave it out: the group has its own"
            raise InvalidValue(option.removesuffix("s"), text, "cannot be used with --group", hint=hint)
    seeds = _seeds(asked.seeds, asked.changes.get("seed"))
    group_id, planned, code_note = more_seeds(store, group, seeds, asked.changes)
    planned = [replace(spec, meta=replace(spec.meta, note=asked.note)) for spec in planned]
    if code_note:
        note(code_note)
    if detach and any(run.row().ended != Status.FINISHED for run in store.find_all(group_id)):
        hint = f"mnist-tui resume {group} first, or leave --detach out"
        raise InvalidValue("group", group, "has unfinished runs, which the process would continue too", hint=hint)
    return group_id, planned


def configure(preset: str | None, config: Path | None, changes: dict[str, object]) -> TrainConfig:
    """The config of a preset or of a file, and the changes of the command line to it.

    Raises:
        InvalidValue, OverBudget: naming the option.
    """
    if preset is not None and config is not None:
        raise InvalidValue(
            "config", str(config), "cannot be used with --preset", hint='name the preset in the file: base = "..."'
        )
    base = load_config_file(config) if config is not None else load_preset(preset or DEFAULT)
    chosen = TrainConfig.checked({**base.values, **changes})
    check_given(changes, chosen.model_dump())
    return chosen


def _seeds(text: str, seed: object) -> tuple[int, ...]:
    if seed is not None:
        raise InvalidValue("seeds", text, "cannot be used with --seed", hint="give one of the two")
    return parse_seeds(text)
