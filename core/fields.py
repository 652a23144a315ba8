"""Which fields of a config have an effect beside the values of the others."""

from __future__ import annotations

from collections.abc import Mapping

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
`max_epochs` a budget.
"""


def has_effect(field: str, values: Mapping[str, object]) -> bool:
    """Whether a field makes a difference beside the values of the others, as `TrainConfig` has them."""
    if field in ("teacher_weight", "temperature"):
        return bool(values["teacher"])
    if field in ("max_params", "max_epochs"):
        return bool(values["budget"])
    if field not in NEEDS:
        return True
    chooser, wanted = NEEDS[field]
    chosen = values[chooser]
    parts = [part.strip() for part in chosen.split(",")] if isinstance(chosen, str) else [chosen]
    return not wanted.isdisjoint(parts) and has_effect(chooser, values)
