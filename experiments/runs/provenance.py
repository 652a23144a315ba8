"""Where a run comes from: the run whose values it was begun with, and the bundle that it came in.

A run keeps a copy of the config of the run that it was begun from, so that what was changed can be told whatever
becomes of that one. A run that came in a bundle keeps the list of its files; one that was made here has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.runs.json_files import read_json, write_json

if TYPE_CHECKING:
    from experiments.runs.folder import Run

PARENT, MANIFEST = "parent.json", "manifest.json"
WEIGHTS = ("final.safetensors", "best.safetensors")


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that another one was begun from, as it was called then."""

    run_id: str
    name: str
    config: Mapping[str, Any]


def write_parent(folder: Path, parent: Run) -> None:
    """Keep what a run was begun from.

    Raises:
        OSError: when the folder cannot be written.
    """
    if config := parent.config():
        write_json(folder / PARENT, {"run_id": parent.id, "name": parent.meta().name, "config": config})


def parent_of(run: Run) -> Parent | None:
    """What a run was begun from; None where nothing is kept, or the record is damaged."""
    kept = read_json(run.folder / PARENT)
    run_id, name, config = kept.get("run_id"), kept.get("name"), kept.get("config")
    if not isinstance(run_id, str) or not isinstance(name, str) or not isinstance(config, dict):
        return None
    return Parent(run_id, name, config)


def left_out_of(folder: Path) -> tuple[str, ...]:
    """The files that a run had but its bundle was made without; none of a run that was made here."""
    names = read_json(folder / MANIFEST).get("left_out")
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def came_without_weights(folder: Path) -> bool:
    """Whether a run has no weights because its bundle was made without."""
    return not any((folder / name).exists() for name in WEIGHTS) and not {*WEIGHTS}.isdisjoint(left_out_of(folder))
