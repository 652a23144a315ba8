"""Layers, output shapes, parameters, multiply-adds and receptive field of a spec, in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.config import MAX_PARAMS
from core.errors import SpecError
from core.models.layer import UNLISTED_KINDS, Layer, Shape, all_layers, label_rows
from core.models.plan import INPUT_SHAPE, Plan, times
from core.models.spec import Architecture

__all__ = ["CLASSES", "INPUT_SHAPE", "UNLISTED_KINDS", "Layer", "Shape", "Summary", "label_rows", "summarize"]

CLASSES = 10


@dataclass(frozen=True, slots=True)
class Summary:
    """The layer table of one network, with its totals.

    Of a user's own module `files` are those that it was loaded from, and `unused` the parameters that its forward does
    not use, by layer; they count in the totals.
    """

    name: str
    spec: str
    total_params: int
    trainable_params: int
    macs: int
    receptive_field: int | None
    layers: tuple[Layer, ...]
    files: tuple[Path, ...] = ()
    unused: Mapping[str, int] = field(default_factory=dict)

    @property
    def all_layers(self) -> tuple[Layer, ...]:
        """Every layer, those inside others too, in the order in which they are used."""
        return tuple(all_layers(self.layers))

    @property
    def rows(self) -> tuple[Layer, ...]:
        """The layers that a summary table lists."""
        return tuple(layer for layer in all_layers(self.layers) if layer.kind not in UNLISTED_KINDS)

    def within_budget(self, max_params: int = MAX_PARAMS) -> bool:
        return self.total_params <= max_params


def summarize(arch: Architecture) -> Summary:
    """The layer table of a spec.

    Raises:
        SpecError: naming the first word whose layer does not fit its input, or the last one when the result is not
            10 logits.
    """

    def fail(at: int, reason: str, hint: str = "") -> SpecError:
        return SpecError(arch.spec, arch.tokens[at - 1], at, reason, hint=hint)

    plan = Plan(fail).add_all(arch.blocks)
    if plan.state.shape != (CLASSES, 1, 1):
        hint = "end with fc10, or with c10l on a map that it reduces to 1x1"
        reason = f"the result is {times(plan.state.shape)}, not {CLASSES} logits"
        raise fail(max(block.at for block in arch.blocks), reason, hint)
    plan.flatten()
    layers = label_rows(plan.layers)
    total = sum(layer.params for layer in all_layers(layers))
    return Summary(
        name=arch.name,
        spec=arch.spec,
        total_params=total,
        trainable_params=total,
        macs=sum(layer.macs for layer in all_layers(layers)),
        receptive_field=plan.state.receptive_field,
        layers=layers,
    )
