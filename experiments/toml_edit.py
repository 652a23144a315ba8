"""Changes to one entry of a TOML file that somebody wrote: all other lines, and its comments, stay as they are.

An entry's name is a key at the top of the file, or ``TABLE.KEY``.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from core.errors import InvalidValue

_HEADER = re.compile(r"\s*\[")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def line_of(text: str, name: str) -> int:
    """The line, from 1, in which an entry or a table begins; 1 where it is not found."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if re.match(rf"\s*(?:\[\s*)?[\"']?{re.escape(name)}[\"']?\s*[].=]", line):
            return number
    return 1


def with_entry(text: str, name: str, value: object) -> str:
    """The text with an entry set, or without it where the value is None.

    Raises:
        InvalidValue: when the file is written in a way that this does not understand.
    """
    wanted = _changed(tomllib.loads(text), name, value)
    table, _, key = name.rpartition(".")
    lines = text.splitlines()
    if table and _find(lines, (0, _end_of_top(lines)), table):  # an inline table: written anew as a whole
        lines = _put(lines, (0, _end_of_top(lines)), table, wanted.get(table))
    elif table:
        if (region := _table(lines, table)) is None:
            lines += [*([""] if lines else []), f"[{table}]"]
            region = (len(lines), len(lines))
        lines = _put(lines, region, key, value)
    else:
        if (region := _table(lines, name)) is not None:
            start, end = region
            lines = lines[: start - 1] + lines[end:]
        lines = _put(lines, (0, _end_of_top(lines)), name, value)
    result = "\n".join(lines).strip("\n") + "\n"
    try:
        understood = _without_empty(tomllib.loads(result)) == _without_empty(wanted)
    except tomllib.TOMLDecodeError:
        understood = False
    if not understood:
        raise InvalidValue(name, "" if value is None else value, "the file is written in a way that cannot be changed")
    return result


def _changed(entries: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    table, _, key = name.rpartition(".")
    place = entries.setdefault(table, {}) if table else entries
    if not isinstance(place, dict):
        place = entries[table] = {}
    place.pop(key, None)
    if value is not None:
        place[key] = list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
    return entries


def _without_empty(entries: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if value != {}}


def _end_of_top(lines: list[str]) -> int:
    """The number of lines before the first table."""
    at = 0
    while at < len(lines):
        if _HEADER.match(lines[at]):
            return at
        at += _extent(lines, at)
    return at


def _extent(lines: list[str], at: int) -> int:
    """The number of lines of the entry that begins at a line; values may go over several."""
    for count in range(1, len(lines) - at + 1):
        try:
            tomllib.loads("\n".join(lines[at : at + count]))
            return count
        except tomllib.TOMLDecodeError:
            continue
    return 1


def _table(lines: list[str], name: str) -> tuple[int, int] | None:
    """The lines of a table, behind its header."""
    for at, line in enumerate(lines):
        if re.fullmatch(rf"\s*\[\s*[\"']?{re.escape(name)}[\"']?\s*\]\s*(#.*)?", line):
            end = next((n for n in range(at + 1, len(lines)) if _HEADER.match(lines[n])), len(lines))
            return at + 1, end
    return None


def _find(lines: list[str], region: tuple[int, int], key: str) -> tuple[int, int] | None:
    """The lines of an entry within a region."""
    at, end = region
    while at < end:
        count = _extent(lines, at)
        if re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", lines[at]):
            return at, at + count
        at += count
    return None


def _put(lines: list[str], region: tuple[int, int], key: str, value: object) -> list[str]:
    found = _find(lines, region, key)
    if found is None:
        if value is None:
            return lines
        at = region[1]
        while at > region[0] and not lines[at - 1].strip():
            at -= 1
        gap = [""] if at == region[1] and at < len(lines) else []
        return [*lines[:at], f"{_key(key)} = {_written(value)}", *gap, *lines[at:]]
    start, end = found
    comment = _comment("\n".join(lines[start:end]))
    new = [] if value is None else [f"{_key(key)} = {_written(value)}{comment}"]
    return [*lines[:start], *new, *lines[end:]]


def _comment(entry: str) -> str:
    """The comment behind a value, with the space before it."""
    values = tomllib.loads(entry)
    for place in re.finditer(r"\s*#", entry):
        if "\n" in entry[place.start() :]:
            continue
        try:
            if tomllib.loads(entry[: place.start()]) == values:
                return entry[place.start() :]
        except tomllib.TOMLDecodeError:
            continue
    return ""


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _written(value: object) -> str:
    """A value as TOML. Texts have no control characters."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            return "{ " + ", ".join(f"{_key(name)} = {_written(part)}" for name, part in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(_written(part) for part in value) + "]"
        case _:
            return str(value)
