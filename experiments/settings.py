"""What a user has set for himself: one TOML file in the configuration folder, whose entries are variables, too.

To add a setting, add a field to `Settings`. A flag goes before its variable, that before the file, and that before the
default. What is wrong is left out, and told in a line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.errors import InvalidValue, StorageError, reason_of, shown
from core.storage.files import replacing
from core.storage.trust import make_private_folder
from experiments.locations import settings_file
from experiments.toml_edit import line_of, with_entry
from experiments.toml_files import read_toml

EXAMPLE = 'theme = "nord"'
HANGUPS = ("keep", "stop")
PALETTES = ("theme", "okabe-ito", "tol")
Reader = Callable[[object], Any]
"""Makes a value of what a file or a variable holds. Raises `ValueError` that says what is allowed."""
Checks = Mapping[str, Callable[[Any], None]]
"""By setting, what is allowed beside its type; each raises `ValueError` that says so."""


def _setting(default: object, read: Reader, words: str, choices: tuple[str, ...] = ()) -> Any:
    metadata = {"read": read, "help": words, "choices": choices}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def _text(raw: object) -> str:
    if isinstance(raw, str) and raw.isprintable():
        return raw.strip()
    raise ValueError("must be a text of one line")


def _switch(raw: object) -> bool:
    words = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().lower() in words:
        return words[raw.strip().lower()]
    raise ValueError("must be true or false")


def _one_of(*allowed: str) -> Reader:
    def read(raw: object) -> str:
        if isinstance(raw, str) and raw.strip() in allowed:
            return raw.strip()
        raise ValueError(f"must be one of {', '.join(allowed)}")

    return read


def _list(raw: object) -> tuple[str, ...]:
    parts = raw.split(",") if isinstance(raw, str) else raw
    if isinstance(parts, list) and all(isinstance(part, str) and part.isprintable() for part in parts):
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    raise ValueError("must be a list of texts, or a text with commas")


def _some_of(*allowed: str) -> Reader:
    def read(raw: object) -> tuple[str, ...]:
        wanted = _list(raw)
        if wanted == ("none",):
            return ()
        if unknown := [word for word in wanted if word not in allowed]:
            raise ValueError(f"unknown: {shown(', '.join(unknown), 40)}; must be none, or some of {', '.join(allowed)}")
        return wanted

    return read


def _pairs(raw: object) -> dict[str, str]:
    if isinstance(raw, str):
        words = [word.partition("=") for word in raw.split()]
        raw = {name: value for name, _, value in words}
    if isinstance(raw, dict):
        texts = {name: _key(value) for name, value in raw.items()}
        if all(name and value for name, value in texts.items()):
            return texts
    raise ValueError("must be a table of names and keys, or a text such as delete=Z,delete stop=I")


def _key(raw: object) -> str:
    try:
        return ",".join(_list(raw))
    except ValueError:
        return ""


FORMS = ("ntfy", "slack", "discord", "json")
"""The forms in which an address may be told of news; one may stand before it, as in ``json+https://...``."""
_HOSTS = {"hooks.slack.com": "slack", "discord.com": "discord", "discordapp.com": "discord"}


def notification_form(address: str) -> tuple[str, str]:
    """The form of what an address is told, by what stands before it or by its host, and its URL."""
    before, plus, rest = address.partition("+")
    if plus and before in FORMS:
        return before, rest
    return _HOSTS.get(urlsplit(address).hostname or "", FORMS[0]), address


def _address(raw: object) -> str:
    text = _text(raw)
    if not text:
        return ""
    url = urlsplit(notification_form(text)[1])
    if url.scheme not in ("http", "https"):
        raise ValueError(f"must begin with http:// or https://, before which {', '.join(FORMS)} and a + may stand")
    if not url.hostname:
        raise ValueError("must name a host")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user has set."""

    theme: str = _setting("", _text, "Colours of the interface; empty for the last that was chosen there.")
    keymap: Mapping[str, str] = _setting({}, _pairs, "Other keys: the name of a command, and its keys with commas.")
    ascii: bool = _setting(False, _switch, "Draw with ASCII characters only.")
    mouse: bool = _setting(True, _switch, "Hear the mouse; else it is left to the terminal.")
    on_hangup: str = _setting(
        "keep",
        _one_of(*HANGUPS),
        "What training does when the terminal is closed or the connection lost: keep goes on without one, stop saves "
        "a checkpoint and ends.",
        HANGUPS,
    )
    notify: tuple[str, ...] = _setting(
        ("bell", "desktop", "title", "taskbar"),
        _some_of("bell", "desktop", "title", "taskbar"),
        "How a terminal tells of training: by its bell and a message on the desktop at the end, a failure and the "
        "target, and by its progress in the title and the taskbar; or none.",
    )
    notify_url: str = _setting(
        "",
        _address,
        "Where the end of training, a failure and the target are told by HTTP POST: an address of ntfy or a webhook of "
        "Slack or Discord; empty for nowhere. Before others may stand ntfy+, slack+, discord+ or json+.",
    )
    columns: tuple[str, ...] = _setting((), _list, "Columns of the list of runs, in order; empty for the usual ones.")
    palette: str = _setting(
        "theme",
        _one_of(*PALETTES),
        "Colours of charts: the theme's, or one of two sets that are told apart with any colour vision.",
        PALETTES,
    )


SETTINGS: Mapping[str, Field[Any]] = {entry.name: entry for entry in fields(Settings)}
DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, where each comes from, and a line for each entry that is wrong and was left out.

    A source is ``flag``, the name of a variable, ``FILE, line N`` or ``default``.
    """

    values: Settings
    sources: Mapping[str, str]
    problems: tuple[str, ...] = ()


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"MNIST_TUI_{name.upper()}"


def read_value(name: str, raw: object, checks: Checks | None = None) -> Any:
    """The value of a setting, of what a file, a variable or a person says.

    Raises:
        InvalidValue: when there is no such setting, or the value is not allowed.
    """
    if name not in SETTINGS:
        close = get_close_matches(name, SETTINGS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(SETTINGS)}"
        raise InvalidValue(name, raw, "is not a setting", hint=hint)
    try:
        value = SETTINGS[name].metadata["read"](raw)
        if checks is not None and name in checks:
            checks[name](value)
    except ValueError as error:
        shown_raw = ", ".join(map(str, raw)) if isinstance(raw, list) else raw
        raise InvalidValue(name, shown_raw, str(error)) from None
    return value


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    checks: Checks | None = None,
    environ: Mapping[str, str] = os.environ,
    path: Path | None = None,
) -> Loaded:
    """Read all settings. Never raises for what is in them.

    Args:
        flags: values by name that go before everything else; those that are None were not given.
        checks: what is allowed beside the types.
        path: another file than the user's.
    """
    file = path or settings_file()
    entries, text, problems = _entries(file)
    layers: list[tuple[Mapping[str, object], Callable[[str], str]]] = [
        (entries, lambda name: f"{file}, line {line_of(text, name)}"),
        ({name: environ[variable_of(name)] for name in SETTINGS if environ.get(variable_of(name))}, variable_of),
    ]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(SETTINGS, "default")
    for layer, place_of in layers:
        for name, raw in layer.items():
            try:
                values[name] = read_value(name, raw, checks)
                sources[name] = place_of(name)
            except InvalidValue as error:
                problems += (f"{place_of(name)}: {_sentence(error)}",)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name], sources[name] = value, "flag"
    return Loaded(Settings(**values), sources, tuple(problems))


def write_setting(file: Path, name: str, value: object) -> None:
    """Set an entry of a settings file, or ``keymap.NAME`` in its table of keys; None takes it out. All else stays.

    Raises:
        InvalidValue: when the file is no TOML, or is written in a way that cannot be changed.
        StorageError: when it cannot be written.
    """
    file = file.resolve()  # where it is a link it stays one
    text = read_toml(file, "settings", EXAMPLE)[1] if file.exists() else ""
    changed = with_entry(text, name, value)
    try:
        make_private_folder(file.parent)
        with replacing(file) as part:
            part.write_text(changed, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{file}: cannot be written: {reason_of(error)}", hint="set a variable instead") from error


def _entries(file: Path | None) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """What the file holds, its text, and what is wrong with it as a whole."""
    if file is None or not file.exists():
        return {}, "", ()
    try:
        entries, text = read_toml(file, "settings", EXAMPLE)
    except InvalidValue as error:
        return {}, "", (_sentence(error),)
    return entries, text, ()


def _sentence(error: InvalidValue) -> str:
    return f"{error.message}; {error.hint}" if error.advice else error.message
