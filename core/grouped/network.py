"""Many copies of one network as a single network, each with weights, images and running statistics of its own.

The kernels of one tiny network leave most of a GPU idle, so a group of runs takes far less time than the runs one after
another. The copies' channels lie side by side: a convolution with as many groups as there are copies keeps them apart,
a batch norm over all channels is one for each copy, and a batched matrix product is a linear layer for each. Each
parameter and buffer holds those of the copies one after another along its first dimension.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from core.config import TrainConfig
from core.grouped.layers import widened
from core.models.build import row_of
from core.models.network import make_network, summarize_config
from core.models.summary import Summary
from core.models.translate.translation import Translation, Untranslatable, tensors_of, translate
from core.task import MNIST_TASK, ImageTask
from core.training.average import copy_of

OWN_FIELDS = frozenset({"seed", "lr"})
"""The config fields that may differ between the runs of a group."""


class GroupedNetwork(nn.Sequential):
    """Maps images (B * copies, 1, S, S) to logits (B * copies, classes), row b * copies + k being copy k's.

    Its parameters and buffers have the names of the single network's; `weights_of` takes a copy's share out of them.

    Args:
        summary: the single network, none of whose dropouts drops anything.
        models: the copies, as `core.models.build.build_model` makes them of that summary, or modules that equal it.
        names: for each parameter and buffer of that network the name that it has in such modules, and so here.
    """

    def __init__(self, summary: Summary, models: Sequence[nn.Module], names: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.copies = len(models)
        self._given_names = dict(names or {})
        self.register_state_dict_post_hook(self._give_names)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(self._take_names)  # type: ignore[no-untyped-call]
        row_of(summary.layers, self, lambda layer: widened(layer, self.copies))
        for copy, model in enumerate(models):
            self.load_weights(copy, model.state_dict())
        own = tensors_of(models[0])
        for name, parameter in self.named_parameters():  # a module may have frozen some
            parameter.requires_grad_(own[name].requires_grad)

    def forward(self, images: Tensor) -> Tensor:
        columns = images.reshape(-1, self.copies, *images.shape[2:])
        logits: Tensor = super().forward(columns)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return logits.reshape(len(images), -1)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        for name, parameter in super().named_parameters(prefix, recurse, remove_duplicate):
            yield self._given_names.get(name, name), parameter

    @staticmethod
    def _give_names(network: nn.Module, state: dict[str, Any], *_: object) -> None:
        assert isinstance(network, GroupedNetwork)
        _rename(state, network._given_names)

    @staticmethod
    def _take_names(network: nn.Module, state: dict[str, Any], *_: object) -> None:
        assert isinstance(network, GroupedNetwork)
        _rename(state, {given: name for name, given in network._given_names.items()})

    def weights_of(self, copy: int) -> dict[str, Tensor]:
        """Parameters and buffers of one copy, named and shaped as in the single network; as views."""
        return {name: copy_of(tensor, copy, self.copies) for name, tensor in self.state_dict().items()}

    def load_weights(self, copy: int, weights: Mapping[str, Tensor]) -> None:
        """Give one copy the weights of a single network, by name."""
        for name, share in self.weights_of(copy).items():
            share.copy_(weights[name])


def _rename(state: dict[str, Any], names: Mapping[str, str]) -> None:
    renamed = {names.get(name, name): tensor for name, tensor in state.items()}
    state.clear()
    state.update(renamed)


def grouped_network(
    summary: Summary, models: Sequence[nn.Module], translated: Translation | Untranslatable | None
) -> GroupedNetwork:
    """Networks of a summary as one; of a user's own, which are `translated`, as that of the spec that they equal."""
    if isinstance(translated, Translation):
        return GroupedNetwork(translated.summary, models, translated.names)
    return GroupedNetwork(summary, models)


def grouping_obstacle(configs: Sequence[TrainConfig], task: ImageTask = MNIST_TASK) -> str:
    """The reason why runs cannot be trained as one network; empty when they can."""
    first = configs[0]
    shared = first.model_dump(exclude=set(OWN_FIELDS))
    if any(config.model_dump(exclude=set(OWN_FIELDS)) != shared for config in configs):
        return f"they differ in more than {' and '.join(sorted(OWN_FIELDS))}"
    if (summary := summarize_config(first, task)) is None:
        _, module = make_network(first, task)
        translated = translate(module, task)
        if isinstance(translated, Untranslatable):
            return f"{first.arch} equals no spec: {translated}"
        if set(translated.names.values()) != set(module.state_dict()):
            return f"{first.arch} has weights that its forward does not use, or that have two names"
        summary = translated.summary
    if any("Dropout" in layer.kind and layer.options["p"] for layer in summary.all_layers):
        # Here no copy could have the masks of the single run.
        return "torch draws all dropout from one stream"
    return ""
