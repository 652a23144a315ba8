"""A recipe: the config of a run but for its seed and where it is trained. The runs of a group share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FREE_FIELDS = frozenset({"seed", "device", "engine", "max_params", "max_epochs", "budget"})
"""Config fields in which runs of one recipe may differ."""


def differing_fields(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields of a recipe that are not the same in all of these configs."""
    fields = dict.fromkeys(field for config in configs for field in config)
    different = [field for field in fields if len({repr(config.get(field)) for config in configs}) > 1]
    return [field for field in different if field not in FREE_FIELDS]
