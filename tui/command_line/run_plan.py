"""The runs that `mnist-tui run` is asked for: one run, a new group, or more seeds of an existing group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.config import TrainConfig
from core.errors import InvalidValue
from experiments.presets.loader import DEFAULT, load_config_file, load_preset
from experiments.results.more_seeds import more_seeds
from experiments.runs.folder import Meta, check_label
from experiments.runs.row import Status
from experiments.runs.store import Store
from tui.text.output import note

MAX_SEEDS = 10_000

Planned = list[tuple[TrainConfig, Meta]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command line, as they were given; `changes` are those that name a config field."""

    preset: str | None
    config: Path | None
    changes: dict[str, object]
    seeds: str | None
    name: str
    tags: tuple[str, ...]


def plan_new(store: Store, asked: Asked) -> tuple[str | None, Planned]:
    """One run without a group id, or the id of a new group and its runs.

    Raises:
        InvalidValue, OverBudget: for what cannot be trained.
    """
    config = _configure(asked.preset, asked.config, asked.changes)
    for field, words in (("name", (asked.name,)), ("tag", asked.tags)):
        for word in words:
            check_label(field, word)
    if asked.seeds is None:
        return None, [(config, Meta(asked.name, asked.tags))]
    seeds = _parse_seeds(asked.seeds, asked.changes.get("seed"))
    config.changed(seed=seeds[-1])
    name, group_id = asked.name, store.new_group_id()
    if name and any(row.group_id and row.name == f"{name}-{row.seed}" for row, _ in store.rows()):
        note(f"warning: there is a group {name} already; to add seeds to it, give --group {name} instead of --name")
    return group_id, [
        (config.changed(seed=seed), Meta(f"{name}-{seed}" if name else "", asked.tags, group_id)) for seed in seeds
    ]


def plan_more(store: Store, asked: Asked, group: str, *, detach: bool) -> tuple[str, Planned]:
    """The id of an existing group, and the runs of its new seeds.

    Raises:
        RunError: when there is no such group.
        InvalidValue: for an option that the group decides, or a seed that it has already.
    """
    if asked.seeds is None:
        raise InvalidValue("group", group, "is for more of its seeds", hint="say which: --seeds A-B")
    for option in ("preset", "config", "name", "tags"):
        if value := getattr(asked, option):
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            hint = "leave it out: the group has its own"
            raise InvalidValue(option.removesuffix("s"), text, "cannot be used with --group", hint=hint)
    seeds = _parse_seeds(asked.seeds, asked.changes.get("seed"))
    group_id, planned = more_seeds(store, group, seeds, asked.changes)
    if detach and any(run.row().ended != Status.FINISHED for run in store.find_all(group_id)):
        hint = f"mnist-tui resume {group} first, or leave --detach out"
        raise InvalidValue("group", group, "has unfinished runs, which the process would go on with too", hint=hint)
    return group_id, planned


def _configure(preset: str | None, config: Path | None, changes: dict[str, object]) -> TrainConfig:
    if preset is not None and config is not None:
        raise InvalidValue(
            "config", str(config), "cannot be used with --preset", hint='name the preset in the file: base = "..."'
        )
    base = load_config_file(config) if config is not None else load_preset(preset or DEFAULT)
    return TrainConfig.checked({**base.values, **changes})


def _parse_seeds(text: str, seed: object) -> list[int]:
    if seed is not None:
        raise InvalidValue("seeds", text, "cannot be used with --seed", hint="give one of the two")
    match = re.fullmatch(r"(\d{1,10})-(\d{1,10})", text, re.ASCII)
    first, last = (int(match[1]), int(match[2])) if match else (1, 0)
    if not first <= last < first + MAX_SEEDS:
        hint = "for example 0-9"
        if re.fullmatch("[1-9][0-9]{0,3}", text):
            hint = f"{text}-{text} for that seed alone, 0-{int(text) - 1} for so many"
        raise InvalidValue("seeds", text, f"must be A-B with A at most B, {MAX_SEEDS:,} seeds at most", hint=hint)
    return list(range(first, last + 1))
