"""The fields of the Lab: how they are called, what they mean and what they take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType
from typing import get_args

from core.config import AUGMENTATIONS, TrainConfig, allowed_values, field_help
from core.dataset_names import TASKS
from core.fields import GROUPS, has_effect

MAIN_FIELDS = ("dataset", "lr", "batch_size", "epochs", "optimizer", "schedule", "augment", "seed")
ADVANCED: Mapping[str, tuple[str, ...]] = {
    title: tuple(field for field in fields if field not in {*MAIN_FIELDS, "arch"}) for title, fields in GROUPS.items()
}
"""The other fields, by the titles of their groups; a title may have none."""
ADVANCED_FIELDS = tuple(field for fields in ADVANCED.values() for field in fields)
CHOOSERS = {"Optimizer": "optimizer", "Schedule": "schedule", "Augmentation": "augment"}
"""The main field that the fields of a group depend on."""
CURVE_FIELDS = ("lr", "epochs", *GROUPS["Schedule"])
"""Fields that the curve of the learning rate depends on."""
OFFERED = {
    "dataset": ("auto", "mnist", "fashion", "kmnist", "mnist-5k", "qmnist", "emnist"),
    "augment": ("none", "shift", "affine", "affine,erase", "elastic", "affine,elastic,erase"),
    "device": ("auto", "cpu"),
}
"""Values of fields that have more, of which these are the commonest."""
OPEN = {"dataset": tuple(TASKS), "augment": ("none", "affine", *AUGMENTATIONS)}
"""Fields whose values may be chosen or typed, with the words that are completed, of those with one beginning the
commonest first."""
FOR_MODULES = ("run_whole_file",)
"""Fields that only a module of one's own has a use for."""
LABELS = {
    "arch": "Architecture",
    "dataset": "Data set",
    "lr": "Learning rate",
    "batch_size": "Batch size",
    "seed": "Seed(s)",
    "adamw_lr": "AdamW's rate",
    "l1": "L1 penalty",
    "warmup": "Warm-up share",
    "warmup_epochs": "Warm-up epochs",
    "div_factor": "Start divisor",
    "final_div_factor": "End divisor",
    "min_lr": "Lowest rate",
    "ema": "Weight average",
    "ema_decay": "Average decay",
    "swa": "Mean of epochs",
    "swa_start": "Mean begins at",
    "tta": "Test views",
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
    if field == "dataset":
        return "auto is MNIST, or else the bundled digits."
    if field == "augment":
        return "Changes to images: affine,erase."
    known = field_help(field) if field in TrainConfig.model_fields else ""
    return known + _MORE_HELP.get(field, "")


def range_text(field: str) -> str:
    """The values of a typed field, in a short sentence; empty for one that takes anything."""
    if field == "dataset":
        return "Left and right choose one; or type a name (emnist-letters) or the path of your own data (./NAME)."
    if field == "teacher":
        return ""
    words = f"none, or {', '.join(AUGMENTATIONS)}" if field == "augment" else allowed(field)
    for pattern, short in _SHORTER:
        words = re.sub(pattern, short, words)
    return f"{words[:1].upper()}{words[1:]}." if words and (field in OPEN or not choices(field)) else ""


def allowed(field: str) -> str:
    """The values of a field, in words; empty for one that takes anything."""
    if field == "seed":
        return f"{allowed_values(field)}, or several: 0-2,5"
    if field not in TrainConfig.model_fields:
        return ""
    return allowed_values(field) + (", or empty for all" if is_optional(field) else "")


def choices(field: str) -> tuple[str, ...]:
    """The words of a field that is one of a few, none for one that is typed."""
    if field in OFFERED:
        return OFFERED[field]
    annotation = TrainConfig.model_fields[field].annotation if field in TrainConfig.model_fields else str
    if annotation is bool:
        return ("off", "on")
    members = get_args(annotation)
    return members if members and all(isinstance(member, str) for member in members) else ()


def advanced_with_effect(texts: Mapping[str, str]) -> set[str]:
    """The advanced fields that make a difference beside the texts of the others, right or wrong."""
    values = {field: text == "on" if text in ("on", "off") else text for field, text in texts.items()}
    return {field for field in ADVANCED_FIELDS if has_effect(field, values)}


def is_optional(field: str) -> bool:
    return NoneType in get_args(TrainConfig.model_fields[field].annotation)
