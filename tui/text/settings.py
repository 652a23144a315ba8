"""The user's settings, checked by what the front ends know, and as both of them say them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import InvalidValue
from experiments.locations import settings_file
from experiments.settings import DEFAULTS, SETTINGS, Loaded, load_settings, read_value, variable_of, write_setting
from tui.text.columns import check_columns
from tui.text.keys import accepted


def _is_theme(name: str) -> None:
    from textual.theme import BUILTIN_THEMES  # only for who has chosen one

    if name and name not in BUILTIN_THEMES:
        raise ValueError(f"must be one of {', '.join(sorted(BUILTIN_THEMES))}")


CHECKS = {"theme": _is_theme, "columns": check_columns}
"""What is allowed beside the type of a setting."""


def user_settings(flags: Mapping[str, object] | None = None) -> Loaded:
    """The user's settings: those of flags, which go before all others, of variables, and of the file."""
    loaded = load_settings(flags, checks=CHECKS)
    keymap, problems = accepted(loaded.values.keymap)
    lines = tuple(f"{loaded.sources['keymap']}: {problem}" for problem in problems)
    return replace(loaded, values=replace(loaded.values, keymap=keymap), problems=loaded.problems + lines)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting as it is listed; `source` is ``default``, ``flag``, a variable, or a line of the file."""

    name: str
    value: Any
    source: str
    default: Any
    variable: str
    help: str

    @property
    def text(self) -> str:
        return value_text(self.value)


def rows_of(loaded: Loaded) -> list[SettingRow]:
    """All settings, in the order of `Settings`."""
    return [
        SettingRow(
            name,
            getattr(loaded.values, name),
            loaded.sources[name],
            getattr(DEFAULTS, name),
            variable_of(name),
            SETTINGS[name].metadata["help"],
        )
        for name in SETTINGS
    ]


def choices_of(name: str) -> tuple[str, ...]:
    """The values among which one is chosen; empty where a value is typed."""
    return ("false", "true") if isinstance(getattr(DEFAULTS, name), bool) else tuple(SETTINGS[name].metadata["choices"])


def text_to_type(row: SettingRow) -> str:
    """A value as a form begins with it."""
    return "none" if row.value == () and row.default else row.text


def value_text(value: object) -> str:
    """A value as a variable would have it; empty for none."""
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(value)
        case Mapping():
            return " ".join(f"{name}={keys}" for name, keys in value.items())
        case _:
            return str(value)


def change_setting(name: str, raw: str | None) -> Path:
    """Write a setting, or ``keymap.NAME`` for one key, into the user's file; None takes it out. Returns the file.

    Raises:
        InvalidValue: when there is no such setting or key, or the value is not allowed.
        StorageError: when the file cannot be written.
    """
    file = settings_file()
    if file is None:
        raise InvalidValue("settings", name, "this user has no home folder", hint=f"use {variable_of(name)}")
    table, _, meaning = name.rpartition(".")
    if table not in ("", "keymap"):
        read_value(name, raw)  # there is no such setting
    value: Any = None
    if table and raw is not None:
        stored, _ = accepted(load_settings(environ={}).values.keymap)  # what is wrong in it is said where it is used
        stored.pop(meaning, None)
        value = _without_clash(stored | read_value("keymap", {meaning: raw}), f"keymap.{meaning}", raw)[meaning]
    elif raw is not None:
        value = read_value(name, raw, CHECKS)
        value = _without_clash(value, name, raw) if name == "keymap" else value
    elif not table:
        read_value(name, value_text(getattr(DEFAULTS, name, "")))
    write_setting(file, name, value)
    return file


def _without_clash(keymap: Mapping[str, str], name: str, raw: str) -> dict[str, str]:
    taken, problems = accepted(keymap)
    if problems:
        raise InvalidValue(name, raw, problems[0].rpartition(": ")[2])
    return taken
