"""Copies of modules as people write them."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def copy_module(module: AnyModule) -> AnyModule:
    """A copy that shares nothing with the module.

    Unlike `deepcopy` alone it takes modules that hold computed tensors as plain attributes, which the old
    `weight_norm` and `spectral_norm` make at each forward pass: the copy holds their values.
    """
    computed = [
        value
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and value.grad_fn is not None
    ]
    return deepcopy(module, {id(tensor): tensor.detach().clone() for tensor in computed})
