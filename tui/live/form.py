"""The Lab's fields as texts, and what they amount to: a config, or what is wrong with which field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_args

from core.config import TrainConfig, allowed_values, field_help
from core.errors import InvalidValue, LabError, OverBudget
from tui.live.machine import missing_here
from tui.text.wording import in_own_terms

MAIN_FIELDS = ("dataset", "lr", "batch_size", "epochs", "schedule", "seed", "dropout", "device")
ADVANCED_FIELDS = tuple(field for field in TrainConfig.model_fields if field not in {*MAIN_FIELDS, "arch"})
KEPT_BY_PRESETS = ("dataset", "device", "seed", "name")
"""What a preset leaves as it is: where and on what to train is not part of a recipe."""
MAX_SEEDS = 1000

LABELS = {
    "dataset": "Data set",
    "lr": "Learning rate",
    "batch_size": "Batch size",
    "seed": "Seed(s)",
    "ema": "Weight average",
    "ema_decay": "Average decay",
    "val_split": "Held out",
    "step_size": "Step every",
    "limit_train": "Train images",
    "limit_test": "Test images",
    "max_params": "Max parameters",
    "max_epochs": "Max epochs",
    "name": "Name",
}
_SEEDS = re.compile(r"(\d{1,10})\s*-\s*(\d{1,10})", re.ASCII)
_MORE_HELP = {
    "seed": " 0-9 makes ten runs.",
    "name": "A name to find the run by; may be left empty.",
}
_SHORTER = ((r"^a (?:whole )?number ", ""), (r"at least (\S+) and at most (\S+)", r"\1 to \2"))


@dataclass(frozen=True, slots=True)
class Checked:
    """`config` is there when nothing is wrong; its seed is the first of `seeds`."""

    config: TrainConfig | None
    seeds: tuple[int, ...]
    errors: Mapping[str, str]


def label(field: str) -> str:
    return LABELS.get(field) or field.replace("_", " ").capitalize()


def help_text(field: str) -> str:
    known = field_help(field) if field in TrainConfig.model_fields else ""
    return known + _MORE_HELP.get(field, "")


def range_text(field: str) -> str:
    """What a typed field takes, as a sentence that is as short as can be; empty for one that takes anything."""
    words = allowed(field)
    for pattern, short in _SHORTER:
        words = re.sub(pattern, short, words)
    return f"{words[:1].upper()}{words[1:]}." if words and not choices(field) else ""


def allowed(field: str) -> str:
    """What a field takes, in words; empty for one that takes anything."""
    if field == "seed":
        return f"{allowed_values(field)}, or a range of them"
    if field not in TrainConfig.model_fields:
        return ""
    return allowed_values(field) + (", or empty for all" if _is_optional(field) else "")


def choices(field: str) -> tuple[str, ...]:
    """The words of a field that is one of a few, none for one that is typed."""
    if field == "device":
        return ("auto", "cpu")
    annotation = TrainConfig.model_fields[field].annotation if field in TrainConfig.model_fields else str
    if annotation is bool:
        return ("off", "on")
    members = get_args(annotation)
    return members if members and all(isinstance(member, str) for member in members) else ()


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Config values as the form shows them, defaults for those that are not given."""
    full = TrainConfig().model_dump() | {key: values[key] for key in values if key in TrainConfig.model_fields}
    return {field: _to_text(value) for field, value in full.items() if field != "arch"}


def check(texts: Mapping[str, str], arch: str) -> Checked:
    """Hold every text against its field, then all of them together."""
    values: dict[str, Any] = {"arch": arch}
    errors: dict[str, str] = {}
    seeds: tuple[int, ...] = (0,)
    for field in (*MAIN_FIELDS, *ADVANCED_FIELDS):
        text = texts.get(field, "").strip()
        try:
            if field == "seed":
                seeds = _seeds(text)
                values[field] = seeds[0]
            else:
                values[field] = _value(field, text)
            TrainConfig.checked({field: values[field], "budget": False, "momentum": 0.5} | {field: values[field]})
        except InvalidValue as error:
            errors[field] = error.allowed
    if errors:
        return Checked(None, seeds, errors)
    try:
        config = TrainConfig.checked(values)
        if (missing := missing_here(config)) is not None:
            return Checked(None, seeds, {missing.field: f"{missing.allowed} ({in_own_terms(missing.hint)})"})
        return Checked(config, seeds, {})
    except InvalidValue as error:
        return Checked(None, seeds, {error.field: error.allowed})
    except OverBudget as error:
        return Checked(
            None, seeds, {"epochs": f"at most {values['max_epochs']} within the budget ({in_own_terms(error.hint)})"}
        )
    except LabError as error:
        return Checked(None, seeds, {"": error.message})


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
    if _is_optional(field):
        return None if not text else _number(field, text, int)
    return _number(field, text, annotation) if annotation in (int, float) else text


def _number(field: str, text: str, kind: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise _wrong(field, text) from None


def _seeds(text: str) -> tuple[int, ...]:
    if match := _SEEDS.fullmatch(text):
        first, last = int(match[1]), int(match[2])
        if not first <= last < first + MAX_SEEDS:
            raise InvalidValue("seed", text, f"must be A-B with A at most B, {MAX_SEEDS:,} seeds at most")
        TrainConfig.checked({"seed": last})
        return tuple(range(first, last + 1))
    return (_number("seed", text, int),)


def _wrong(field: str, text: str) -> InvalidValue:
    return InvalidValue(field, text, f"must be {allowed(field)}")


def _is_optional(field: str) -> bool:
    return NoneType in get_args(TrainConfig.model_fields[field].annotation)


def _to_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
