"""Presets and config files: TOML with one key for each config field.

Three more keys are allowed: `base`, the preset to start from, `description`, and `reported`, a table of results that
were measured or published for it.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.errors import InvalidValue, one_line
from core.storage.files import open_regular

FOLDER = Path(__file__).parent
DEFAULT = "seed-conv9"
MAX_BYTES = 1 << 16
MAX_DOTS = 1_000
"""Dots in a line; no field of a config has a name of several parts."""
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
    values = _read(path)
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


def _read(path: Path) -> dict[str, Any]:
    try:
        with open_regular(path, follow_link=True) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidValue("config", str(path), f"cannot be read: {error.strerror}", hint="name a TOML file") from error
    if len(content) > MAX_BYTES:
        raise InvalidValue("config", str(path), f"larger than {MAX_BYTES:,} bytes", hint="name a TOML file")
    if _is_utf16(content):
        raise InvalidValue("config", str(path), "is UTF-16, and TOML is UTF-8", hint="save it as UTF-8")
    if any(line.count(b".") > MAX_DOTS for line in content.splitlines()):  # takes the square of their number to read
        raise InvalidValue(
            "config", str(path), f"has a line of over {MAX_DOTS} dots", hint="fields look like lr = 0.03"
        )
    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # some editors begin a file with a byte-order mark
    except (ValueError, RecursionError) as error:
        raise InvalidValue(
            "config", str(path), f"not TOML: {one_line(error)}", hint="fields look like lr = 0.03"
        ) from error


def _is_utf16(content: bytes) -> bool:
    """Whether a text begins with the byte-order mark of UTF-16, or without one has a zero in every other byte."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    even, odd = content[0:8:2], content[1:8:2]
    return any(zeros == bytes(4) and all(letters) for zeros, letters in ((even, odd), (odd, even)))
