"""What a run was made from, and the values in which it differs from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from experiments.presets.loader import load_preset, preset_names
from experiments.runs.folder import Run
from experiments.runs.provenance import parent_of
from experiments.runs.recipe import FREE_FIELDS, differing_fields
from experiments.runs.row import RunRow

Change = tuple[str, Any, Any]
"""A config field, its value, and that in what the run was made from."""
OF_ROWS = ("arch", "lr", "batch_size", "optimizer", "schedule", "augment", "epochs", "seed")
"""The fields of a config that a row of a list has."""


@dataclass(frozen=True, slots=True)
class Origin:
    """`name` is that of a preset, or of the run whose values were taken over, which is a `is_parent` then."""

    name: str
    is_parent: bool
    changes: tuple[Change, ...]


def origin_of(run: Run, config: Mapping[str, Any]) -> Origin:
    """What a run was made from: the run that it is a fork of, else the preset that it differs least from."""
    parent = parent_of(run)
    if parent is not None:
        return Origin(parent.name or parent.run_id, True, changes(config, parent.config))
    found = {name: changes(config, values) for name, values in _presets().items()}
    nearest = min(found, key=lambda name: (len(found[name]), config.get("arch") != _presets()[name]["arch"]))
    return Origin(nearest, False, found[nearest])


@cache
def _presets() -> Mapping[str, Mapping[str, Any]]:
    return {name: load_preset(name).config.model_dump() for name in preset_names()}


def changes(config: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Change, ...]:
    """The fields of a recipe in which two configs differ and which have an effect in one of them. Data that either left
    open are no difference."""
    return tuple(
        (field, config[field], other[field])
        for field in differing_fields((config, other))
        if field in config and field in other and not (field == "dataset" and "auto" in (config[field], other[field]))
    )


def row_changes(row: RunRow, other: RunRow) -> tuple[Change, ...]:
    """The fields, of those that a row has, in which two runs differ; the seed only where nothing else does."""
    pairs = [(field, getattr(row, field), getattr(other, field)) for field in OF_ROWS]
    different = [(field, here, there) for field, here, there in pairs if here != there]
    recipe = [change for change in different if change[0] not in FREE_FIELDS]
    return tuple(recipe or different)
