"""The fields of the Lab: how they are called, what they mean and what they take."""

from __future__ import annotations

import re
from types import NoneType
from typing import get_args

from core.config import TrainConfig, allowed_values, field_help
from core.dataset_names import TASKS

MAIN_FIELDS = ("dataset", "lr", "batch_size", "epochs", "schedule", "seed", "dropout", "device")
ADVANCED_FIELDS = tuple(field for field in TrainConfig.model_fields if field not in {*MAIN_FIELDS, "arch"})
FOR_MODULES = ("run_whole_file",)
"""Fields that only a module of one's own has a use for."""
LABELS = {
    "dataset": "Data set",
    "lr": "Learning rate",
    "batch_size": "Batch size",
    "seed": "Seed(s)",
    "ema": "Weight average",
    "ema_decay": "Average decay",
    "swa": "Mean of epochs",
    "swa_start": "Mean begins at",
    "tta": "Views in the test",
    "val_split": "Held out",
    "step_size": "Step every",
    "limit_train": "Train images",
    "limit_test": "Test images",
    "max_params": "Max parameters",
    "max_epochs": "Max epochs",
    "name": "Name",
}
_MORE_HELP = {
    "seed": " 0-9 makes ten runs.",
    "name": "A name to find the run by; may be left empty.",
}
_SHORTER = ((r"^a (?:whole )?number ", ""), (r"at least (\S+) and at most (\S+)", r"\1 to \2"))


def label(field: str) -> str:
    return LABELS.get(field) or field.replace("_", " ").capitalize()


def help_text(field: str) -> str:
    known = field_help(field) if field in TrainConfig.model_fields else ""
    return known + _MORE_HELP.get(field, "")


def range_text(field: str) -> str:
    """The values of a typed field, in a short sentence; empty for one that takes anything."""
    if suggestions(field):
        return "A name, such as mnist or fashion, or a path."
    words = allowed(field)
    for pattern, short in _SHORTER:
        words = re.sub(pattern, short, words)
    return f"{words[:1].upper()}{words[1:]}." if words and not choices(field) else ""


def allowed(field: str) -> str:
    """The values of a field, in words; empty for one that takes anything."""
    if field == "seed":
        return f"{allowed_values(field)}, or several: 0-2,5"
    if field not in TrainConfig.model_fields:
        return ""
    return allowed_values(field) + (", or empty for all" if is_optional(field) else "")


def choices(field: str) -> tuple[str, ...]:
    """The words of a field that is one of a few, none for one that is typed."""
    if field == "device":
        return ("auto", "cpu")
    annotation = TrainConfig.model_fields[field].annotation if field in TrainConfig.model_fields else str
    if annotation is bool:
        return ("off", "on")
    members = get_args(annotation)
    return members if members and all(isinstance(member, str) for member in members) else ()


def suggestions(field: str) -> tuple[str, ...]:
    """Names that a typed field may have beside other texts."""
    return tuple(TASKS) if field == "dataset" else ()


def is_optional(field: str) -> bool:
    return NoneType in get_args(TrainConfig.model_fields[field].annotation)
