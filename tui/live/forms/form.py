"""The Lab's fields as texts, and what they amount to: a config, or what is wrong with which field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.config import TrainConfig
from core.errors import InvalidValue, LabError, OverBudget
from experiments.runs.labels import check_label
from experiments.runs.seeds import parse_seeds
from tui.live.forms.advice import for_interface
from tui.live.forms.fields import ADVANCED_FIELDS, CURVE_FIELDS, MAIN_FIELDS, allowed, is_optional
from tui.live.machine import missing_here

KEPT_BY_PRESETS = ("dataset", "device", "seed", "name")
"""Fields that a preset leaves as they are: where and on what to train is not part of a recipe."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`config` is there when nothing is wrong; its seed is the first of `seeds`."""

    config: TrainConfig | None
    seeds: tuple[int, ...]
    errors: Mapping[str, str]


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Config values as the form shows them, defaults for those that are not given."""
    full = TrainConfig().model_dump() | {key: values[key] for key in values if key in TrainConfig.model_fields}
    return {field: _to_text(value) for field, value in full.items() if field != "arch"}


def check(texts: Mapping[str, str], arch: str) -> Checked:
    """Hold every text against its field, then all of them together."""
    values: dict[str, Any] = {"arch": arch}
    errors: dict[str, str] = {}
    for field in (*MAIN_FIELDS, *ADVANCED_FIELDS):
        values[field], error = _checked_alone(field, texts.get(field, "").strip())
        if error:
            errors[field] = error
    try:
        check_label("name", texts.get("name", "").strip())
    except InvalidValue as error:
        errors["name"] = error.allowed
    seeds = (0,) if "seed" in errors else parse_seeds(texts.get("seed", "").strip(), "seed")
    if errors:
        return Checked(None, seeds, errors)
    try:
        config = TrainConfig.checked(values)
        if (missing := missing_here(config)) is not None:
            return Checked(None, seeds, {missing.field: f"{missing.allowed} ({for_interface(missing.advice)})"})
        return Checked(config, seeds, {})
    except InvalidValue as error:
        return Checked(None, seeds, {error.field: error.allowed})
    except OverBudget as error:
        return Checked(
            None, seeds, {"epochs": f"at most {values['max_epochs']} within the budget ({for_interface(error.advice)})"}
        )
    except LabError as error:
        return Checked(None, seeds, {"": error.message})


@lru_cache(maxsize=1000)
def _checked_alone(field: str, text: str) -> tuple[Any, str]:
    """The value of a field by itself, or what is allowed. At a keystroke the texts of all fields but one are known."""
    try:
        value = parse_seeds(text, "seed")[0] if field == "seed" else _value(field, text)
        TrainConfig.each_checked({field: value})
    except InvalidValue as error:
        return None, error.allowed
    return value, ""


def curve_config(texts: Mapping[str, str]) -> TrainConfig | None:
    """A config with the texts that the curve of the learning rate depends on; None while one of them is wrong."""
    curve = {field: texts[field] for field in CURVE_FIELDS}
    return check(texts_of({}) | curve | {"budget": "off"}, TrainConfig().arch).config


def changed_fields(texts: Mapping[str, str], original: Mapping[str, str]) -> dict[str, str]:
    """The fields whose text means something else than in the original, with the original's text."""
    return {field: was for field, was in original.items() if not _same(texts.get(field, ""), was)}


def _same(one: str, other: str) -> bool:
    one, other = " ".join(one.split()), " ".join(other.split())
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _value(field: str, text: str) -> Any:
    annotation = TrainConfig.model_fields[field].annotation
    if annotation is bool:
        if text not in ("on", "off"):
            raise _wrong(field, text)
        return text == "on"
    if is_optional(field):
        return None if not text else _number(field, text, int)
    return _number(field, text, annotation) if annotation in (int, float) else text


def _number(field: str, text: str, kind: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise _wrong(field, text) from None


def _wrong(field: str, text: str) -> InvalidValue:
    return InvalidValue(field, text, f"must be {allowed(field)}")


def _to_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
