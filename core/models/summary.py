"""Layers, output shapes, parameters, multiply-adds and receptive field of a spec, in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.advice import Action, Advice, Hint, Tip
from core.config import MAX_PARAMS
from core.errors import SpecError
from core.models.layer import UNLISTED_KINDS, Layer, Shape, all_layers, label_rows
from core.models.plan import Incoming, Plan, times
from core.models.spec import REGISTRY, Architecture, named_spec, parse
from core.task import MNIST_TASK, ImageTask

__all__ = ["UNLISTED_KINDS", "Layer", "Shape", "Summary", "label_rows", "summarize"]


@dataclass(frozen=True, slots=True)
class Summary:
    """The layer table of one network, with its totals.

    Of a user's own module `files` are those that it was loaded from, `unused` the parameters that its forward does not
    use, by layer, which count in the totals, and `remarks` sentences on what is odd about its outputs.
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
    remarks: tuple[str, ...] = ()

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


def summarize(arch: Architecture, task: ImageTask = MNIST_TASK, dataset: str = "the data set") -> Summary:
    """The layer table of a spec for a task, that of `dataset`.

    Raises:
        SpecError: naming the first word whose layer does not fit its input, or the last one when the result is not
            a logit for each class.
    """

    def fail(at: int, reason: str, hint: Hint = "") -> SpecError:
        return SpecError(arch.spec, arch.tokens[at - 1], at, reason, hint=hint or _networks_instead(arch, task))

    plan = Plan(fail, Incoming((1, task.size, task.size))).add_all(arch.blocks)
    if plan.state.shape != (task.classes, 1, 1):
        hint = f"end with fc{task.classes}, or with c{task.classes}l on a map that it reduces to 1x1"
        reason = f"the result is {times(plan.state.shape)}, not {task.classes} logits"
        if task.classes != MNIST_TASK.classes and plan.state.shape[1:] == (1, 1):
            reason = f"gives {plan.state.shape[0]} logits, {dataset} has {task.classes} classes"
            hint = f"end it with fc{task.classes}"
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


def _networks_instead(arch: Architecture, task: ImageTask) -> Hint:
    """Advice on a named network that does not fit a task: those that do. Empty for other specs, and where none does."""
    named = {name: parse(named_spec(name, task.classes)) for name in REGISTRY}
    if arch.spec not in {one.spec for one in named.values()}:
        return ""
    fitting = [name for name, one in named.items() if _fits(one, task)]
    if not fitting:
        return ""
    size, *others = times((task.size, task.size)), *fitting[1:]
    rest = f", which fits {size} images" + (f", as {', '.join(others)} do{'es' * (len(others) == 1)}" if others else "")
    return Advice(Tip(Action.SET, "arch", fitting[0]), rest)


def _fits(arch: Architecture, task: ImageTask) -> bool:
    """Whether a network maps the images of a task to its logits."""

    def fail(at: int, reason: str) -> SpecError:
        return SpecError(arch.spec, arch.tokens[at - 1], at, reason)

    try:
        shape = Plan(fail, Incoming((1, task.size, task.size))).add_all(arch.blocks).state.shape
    except SpecError:
        return False
    return shape == (task.classes, 1, 1)
