"""The seeds of a group: how people write them, and what the run of each is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import InvalidValue
from experiments.runs.folder import Meta, RunSpec

if TYPE_CHECKING:
    from core.config import TrainConfig

MAX_SEEDS = 10_000
_PART = re.compile(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", re.ASCII)


def parse_seeds(text: str, field: str = "seeds") -> tuple[int, ...]:
    """Seeds as they were written, ``3``, ``0-9`` or ``0-2,5``, each of them once and in ascending order.

    Raises:
        InvalidValue: of `field`, for any other text, more than `MAX_SEEDS`, or a seed that no run may have.
    """
    from core.config import TrainConfig  # costs more than a list of runs, which needs the names alone, may take

    ranges = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        first = int(match[1]) if match else 1
        last = int(match[2] or first) if match else 0
        ranges.append(range(first, last + 1))
    if not all(ranges) or sum(map(len, ranges)) > MAX_SEEDS:
        allowed = f"must be first-last, such as 0-9, or a list, such as 0-2,5, of at most {MAX_SEEDS:,} seeds"
        raise InvalidValue(field, text, allowed, hint="for example 0-9, or 0-2,5")
    seeds = sorted({seed for seeds in ranges for seed in seeds})
    TrainConfig.checked({"seed": seeds[-1]})
    return tuple(seeds)


def seeds_text(seeds: Iterable[int]) -> str:
    """Seeds in ascending order as `parse_seeds` reads them: ``0-2,5``."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ",".join(f"{first}-{last}" if first < last else str(first) for first, last in spans)


def name_of_seed(group: str, seed: int | None) -> str:
    """The name of a seed's run in a group of this name: `base-3`. Empty in a group without a name."""
    return f"{group}-{seed}" if group else ""


def name_of_group(run: str, seed: int | None) -> str:
    """The name of the group in which the run of a seed has this name."""
    return run.removesuffix(f"-{seed}")


def seed_specs(config: TrainConfig, seeds: Iterable[int], group: Meta) -> list[RunSpec]:
    """A run for each seed; `group` has the name, the tags and the id of their group."""
    return [RunSpec(config.changed(seed=seed), replace(group, name=name_of_seed(group.name, seed))) for seed in seeds]
