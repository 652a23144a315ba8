"""The spec of a user's own module, for people and programs: texts and numbers, nothing of torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.config import TrainConfig
from core.models.network import Network
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.task import MNIST_TASK, ImageTask


@dataclass(frozen=True, slots=True)
class FoundSpec:
    """What `archs translate` says. `spec` is None where no spec equals the module, which `obstacles` are the reasons
    for; `notes` say what the spec leaves out of it."""

    spec: str | None
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    total_params: int | None = None


def table_of(network: Network, task: ImageTask = MNIST_TASK) -> Summary:
    """The layer table of a network, with receptive fields where a user's own module equals a spec; its code is run."""
    from core.models.translate.translation import Translation, translate

    found = translate(network.module, task) if is_user_module(network.summary.name) else None
    return found.completed(network.summary) if isinstance(found, Translation) else network.summary


def spec_of(config: TrainConfig, task: ImageTask = MNIST_TASK) -> FoundSpec:
    """The spec that equals a user's own module, whose code is run in this process.

    Raises:
        InvalidValue: for a module that cannot be loaded, or does not map images to logits.
    """
    from core.models.network import make_network
    from core.models.translate.translation import Translation, translate

    found = translate(make_network(config, task)[1], task)
    if isinstance(found, Translation):
        return FoundSpec(found.spec, notes=found.notes, total_params=found.summary.total_params)
    return FoundSpec(None, tuple(map(str, found.obstacles)))
