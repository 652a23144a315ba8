"""Runs the network of a spec in the place of a module whose tensors it has."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class InPlaceOf:
    """A forward pass for the module's, always in the mode in which the module is.

    Args:
        network: that of the spec, with the module's tensors.
        forward: what an engine made of it.
    """

    def __init__(self, module: nn.Module, network: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
        self.network = network
        self._module = module
        self._forward = forward

    def __call__(self, images: Tensor) -> Tensor:
        if self.network.training != self._module.training:
            self.network.train(self._module.training)
        return self._forward(images)
