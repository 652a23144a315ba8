"""The fields of a config in groups, which of them have an effect beside the others, and which do not go together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from core.advice import Action, Advice, Tip
from core.errors import InvalidValue

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Training": ("arch", "dataset", "epochs", "batch_size", "lr", "seed"),
    "Optimizer": ("optimizer", "momentum", "nesterov", "alpha", "beta1", "beta2", "eps", "adamw_lr"),
    "Schedule": (
        "schedule",
        *("warmup_epochs", "warmup", "anneal", "div_factor", "final_div_factor", "three_phase"),
        *("cycle_momentum", "base_momentum", "max_momentum"),
        *("step_size", "milestones", "gamma", "patience", "threshold", "min_lr"),
    ),
    "Augmentation": (
        "augment",
        *("shift", "rotation", "scale", "shear", "elastic", "elastic_sigma", "erase", "erase_chance"),
        *("brightness", "contrast", "crop"),
    ),
    "Regularization": ("dropout", "label_smoothing", "weight_decay", "l1", "decay", "clip_norm"),
    "Averages": ("ema", "ema_decay", "swa", "swa_start"),
    "Teacher": ("teacher", "teacher_weight", "temperature"),
    "Scoring": ("val_split", "target", "stop_at_target", "early_stop", "tta"),
    "Data": ("limit_train", "limit_test"),
    "Machine": ("device", "engine", "precision", "run_whole_file"),
    "Budget": ("budget", "max_params", "max_epochs"),
}
"""Every field, in an order in which one that belongs to a choice stands below that choice."""

NEEDS: Mapping[str, tuple[str, frozenset[object]]] = {
    "momentum": ("optimizer", frozenset({"sgd", "rmsprop", "muon"})),
    "nesterov": ("optimizer", frozenset({"sgd", "muon"})),
    "beta1": ("optimizer", frozenset({"adam", "adamw", "muon"})),
    "beta2": ("optimizer", frozenset({"adam", "adamw", "muon"})),
    "alpha": ("optimizer", frozenset({"rmsprop"})),
    "eps": ("optimizer", frozenset({"adam", "adamw", "rmsprop", "muon"})),
    "adamw_lr": ("optimizer", frozenset({"muon"})),
    "warmup_epochs": ("schedule", frozenset({"constant", "cosine", "step", "multistep", "plateau"})),
    "warmup": ("schedule", frozenset({"onecycle"})),
    "anneal": ("schedule", frozenset({"onecycle"})),
    "div_factor": ("schedule", frozenset({"onecycle"})),
    "final_div_factor": ("schedule", frozenset({"onecycle"})),
    "three_phase": ("schedule", frozenset({"onecycle"})),
    "cycle_momentum": ("schedule", frozenset({"onecycle"})),
    "base_momentum": ("cycle_momentum", frozenset({True})),
    "max_momentum": ("cycle_momentum", frozenset({True})),
    "step_size": ("schedule", frozenset({"step"})),
    "milestones": ("schedule", frozenset({"multistep"})),
    "gamma": ("schedule", frozenset({"step", "multistep", "plateau"})),
    "patience": ("schedule", frozenset({"plateau"})),
    "threshold": ("schedule", frozenset({"plateau"})),
    "min_lr": ("schedule", frozenset({"cosine", "plateau"})),
    "shift": ("augment", frozenset({"shift", "affine"})),
    "rotation": ("augment", frozenset({"rotate", "affine"})),
    "scale": ("augment", frozenset({"scale", "affine"})),
    "shear": ("augment", frozenset({"shear"})),
    "elastic": ("augment", frozenset({"elastic"})),
    "elastic_sigma": ("augment", frozenset({"elastic"})),
    "erase": ("augment", frozenset({"erase"})),
    "erase_chance": ("augment", frozenset({"erase"})),
    "brightness": ("augment", frozenset({"brightness"})),
    "contrast": ("augment", frozenset({"contrast"})),
    "crop": ("augment", frozenset({"crop"})),
    "ema_decay": ("ema", frozenset({True})),
    "swa_start": ("swa", frozenset({True})),
}
"""For a field that belongs to a choice: the field of the choice, and those of its values that make use of it.

`augment` has a list of values, any of which may do. `teacher_weight` and `temperature` need a teacher, `max_params` and
`max_epochs` a budget, `decay` a penalty.
"""


def has_effect(field: str, values: Mapping[str, object]) -> bool:
    """Whether a field makes a difference beside the values of the others, as `TrainConfig` has them."""
    if field in ("teacher_weight", "temperature"):
        return bool(str(values["teacher"]).strip())
    if field in ("max_params", "max_epochs"):
        return bool(values["budget"])
    if field == "decay":
        return any(_is_above_zero(values[penalty]) for penalty in ("weight_decay", "l1"))
    cycled = "beta1" if values["optimizer"] in ("adam", "adamw") else "momentum"
    if field == cycled and values["cycle_momentum"] and values["schedule"] == "onecycle":
        return False  # it goes from max_momentum to base_momentum and back
    if field not in NEEDS:
        return True
    chooser, wanted = NEEDS[field]
    chosen = values[chooser]
    parts = [part.strip() for part in chosen.replace("+", ",").split(",")] if isinstance(chosen, str) else [chosen]
    return not wanted.isdisjoint(parts) and has_effect(chooser, values)


def _is_above_zero(value: object) -> bool:
    """Whether a penalty is on; one whose text is not a number yet may become one."""
    try:
        return float(str(value)) > 0
    except ValueError:
        return True


def check_schedule(values: Mapping[str, Any]) -> None:
    """Check that the values of a schedule go together, each being allowed by itself; those without effect do.

    Raises:
        InvalidValue: naming one of them.
    """
    schedule, epochs, warm = values["schedule"], values["epochs"], values["warmup_epochs"]
    if warm >= epochs and has_effect("warmup_epochs", values):
        shorter = "let the learning rate rise for a shorter time, or train longer"
        raise InvalidValue("warmup_epochs", warm, f"must be below the {epochs:,} epochs of the run", hint=shorter)
    if schedule in ("cosine", "plateau") and values["min_lr"] > values["lr"]:
        reason = f"must be at most the learning rate, {values['lr']:g}"
        raise InvalidValue("min_lr", values["min_lr"], reason, hint=Tip(Action.SET, "min_lr", "0"))
    if schedule == "plateau" and values["gamma"] == 1:
        reason = "must be below 1 for plateau, or the learning rate never changes"
        raise InvalidValue("gamma", values["gamma"], reason, hint=Tip(Action.SET, "gamma", "0.1"))
    if schedule == "onecycle" and values["three_phase"] and values["warmup"] > 0.5:
        reason = "must be at most 0.5 with three phases, of which the first two take this share of the run each"
        raise InvalidValue("warmup", values["warmup"], reason, hint=Tip(Action.SET, "warmup", "0.3"))
    if has_effect("base_momentum", values) and values["base_momentum"] > values["max_momentum"]:
        reason = f"must be at most max_momentum, {values['max_momentum']:g}"
        raise InvalidValue("base_momentum", values["base_momentum"], reason, hint="exchange the two")


def check_given(given: Collection[str], values: Mapping[str, Any]) -> None:
    """Raise `InvalidValue` for a warm-up that was asked for in so many words where the schedule makes nothing of it.

    Args:
        given: the fields that a user has just named, as opposed to those of a preset, a file or another run.
    """
    if "warmup_epochs" in given and values["warmup_epochs"] and values["schedule"] == "onecycle":
        share = Tip(Action.OPTION, "warmup", "0.3")
        hint = Advice(Tip(Action.LEAVE_OUT, "warmup_epochs"), ", or give the share of the run that warms up: ", share)
        raise InvalidValue("warmup_epochs", values["warmup_epochs"], "onecycle has a warm-up of its own", hint=hint)
