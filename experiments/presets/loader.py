"""Presets and config files: TOML with one key for each config field.

Three more keys are allowed: `base`, the preset to start from, `description`, and `reported`, a table of results that
were measured or published for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.errors import InvalidValue
from experiments.toml_files import read_toml

FOLDER = Path(__file__).parent
DEFAULT = "seed-conv9"
LISTS = ("augment", "milestones")
"""Fields that are lists in one text, and may be lists in TOML, too."""
LISTED = Advice(Tip(Action.LIST_PRESETS), " lists them")


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of config values, with its description and reported results."""

    name: str
    values: Mapping[str, object]
    description: str = ""
    reported: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> TrainConfig:
        return TrainConfig.checked(self.values)


@cache
def preset_names() -> tuple[str, ...]:
    """The names of the presets that come with the program, the default first."""
    names = sorted(path.stem for path in FOLDER.glob("*.toml"))
    return tuple(sorted(names, key=lambda name: name != DEFAULT))


@cache
def load_preset(name: str) -> Preset:
    """Load a preset by name; each is read once in a process.

    Raises:
        InvalidValue: when there is no such preset.
    """
    names = preset_names()
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = Advice(f"did you mean {close[0]}?") if close else LISTED
        raise InvalidValue("preset", name, f"must be one of {', '.join(names)}", hint=hint)
    return _load(name, FOLDER / f"{name}.toml")


def load_config_file(path: Path) -> Preset:
    """Load a user's own file of the same form.

    Raises:
        InvalidValue: when it cannot be read, is not TOML, or a field in it is wrong.
    """
    preset = _load(path.stem, path)
    # Errors in the file are found here, before options override its values. Only the epoch budget is checked later,
    # because options may change both epochs and budget.
    TrainConfig.checked({**preset.values, "budget": False})
    return preset


def _load(name: str, path: Path) -> Preset:
    values, _ = read_toml(path, "config", "lr = 0.03")
    for one in LISTS:
        parts = values.get(one)
        if isinstance(parts, list) and parts and all(type(part) in (str, int) for part in parts):
            values[one] = ",".join(map(str, parts))
    base = values.pop("base", None)
    description = values.pop("description", "")
    reported = values.pop("reported", {})
    if base is not None:
        if not isinstance(base, str) or path == FOLDER / f"{base}.toml":
            raise InvalidValue("base", base, "must be the name of another preset", hint=LISTED)
        values = {**load_preset(base).values, **values}
    if not isinstance(description, str):
        raise InvalidValue("description", description, "must be a text")
    if not isinstance(reported, dict):
        raise InvalidValue("reported", reported, "must be a table")
    return Preset(name, values, description, reported)
