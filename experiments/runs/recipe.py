"""A recipe: the config of a run but for its seed and where it is trained. The runs of a group share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.dataset_names import name_of
from core.errors import RunError
from core.fields import has_effect
from core.models.spec import is_user_module
from experiments.runs.source import read_source

if TYPE_CHECKING:
    from experiments.runs.folder import Run

FREE_FIELDS = frozenset({"seed", "device", "engine", "max_params", "max_epochs", "budget"})
"""Config fields in which runs of one recipe may differ."""
CODE = "code"
"""The field that says which code a user's own module is, beside those of the config: the first digits of the digest of
the run's copy. A run that keeps none does not have it, and is of any recipe in that."""


def recipe_of(run: Run, config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's config, with its code where that is a user's own."""
    if "dataset" in config:  # one's own data are the same wherever they lie
        config = {**config, "dataset": name_of(str(config["dataset"]))}
    if not is_user_module(str(config.get("arch", ""))):
        return dict(config)
    try:
        kept = read_source(run.folder)
    except RunError:
        return {**config, CODE: "damaged"}
    return dict(config) if kept is None else {**config, CODE: kept.digest[:12]}


def differing_fields(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields of a recipe that are not the same in all of these configs, and have an effect in one of them."""
    fields = dict.fromkeys(field for config in configs for field in config)
    values = {field: {repr(config.get(field)) for config in configs} for field in fields}
    if CODE in fields:
        values[CODE] = {repr(config[CODE]) for config in configs if CODE in config}
    different = [field for field in fields if len(values[field]) > 1 and field not in FREE_FIELDS]
    return [field for field in different if any(matters(field, config) for config in configs)]


def matters(field: str, config: Mapping[str, Any]) -> bool:
    """Whether a field has an effect in a stored config; whatever cannot be told has."""
    try:
        return has_effect(field, config)
    except (KeyError, TypeError):  # a config of another version, or a damaged one
        return True
