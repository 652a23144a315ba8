"""The command that trains what is shown: `mnist-tui run` with an option for each value that is not the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import join
from typing import Any

from core.config import TrainConfig
from core.errors import InvalidValue
from core.fields import has_effect
from experiments.presets.loader import DEFAULT, load_preset
from experiments.runs.seeds import seeds_text
from tui.text.advice import flag


def run_command(
    values: Mapping[str, object], *, name: str = "", tags: Sequence[str] = (), seeds: Sequence[int] = ()
) -> str:
    """The command line that gives the same config, to be pasted into a shell; empty for values that are none.

    Args:
        values: a config's fields; those that are missing have their defaults.
        seeds: of a group, in the place of the one in the config.
    """
    try:
        config = TrainConfig.checked({**values, "budget": False})
    except InvalidValue:
        return ""
    wanted = config.model_dump() | {"budget": values.get("budget") is not False}
    words = ["mnist-tui", "run", *changed_options(wanted, load_preset(DEFAULT).config.model_dump(), seeds)]
    if name:
        words += ["--name", name]
    for tag in tags:
        words += ["--tag", tag]
    return join(words)


def changed_options(wanted: Mapping[str, Any], usual: Mapping[str, Any], seeds: Sequence[int]) -> list[str]:
    """The options that make of one config another; `seeds` as in `run_command`."""
    words = []
    for field, value in wanted.items():
        if value == usual[field] or (field == "seed" and seeds) or _is_refused(field, wanted):
            continue
        words += _option(flag(field), value)
    return [*words, "--seeds", seeds_text(seeds)] if seeds else words


def _is_refused(field: str, values: Mapping[str, object]) -> bool:
    """Whether a field is an error where it makes no difference (see `check_given`)."""
    return field == "warmup_epochs" and not has_effect(field, values)


def _option(option: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    return [option, repr(value) if isinstance(value, float) else str(value)]
