"""What torch's functions are called, and their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from core.models.translate.trace import Call, torch_class

ACTIVATIONS = {
    "ReLU": "relu",
    "relu": "relu",
    "LeakyReLU": "lrelu",
    "leaky_relu": "lrelu",
    "ELU": "elu",
    "elu": "elu",
    "SiLU": "silu",
    "silu": "silu",
    "GELU": "gelu",
    "gelu": "gelu",
    "Tanh": "tanh",
    "tanh": "tanh",
    "Sigmoid": "sigmoid",
    "sigmoid": "sigmoid",
}

_POOL = ("kernel_size", "stride", "padding")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "conv2d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "linear": ("weight", "bias"),
    "max_pool2d": (*_POOL, "dilation", "ceil_mode", "return_indices"),
    "avg_pool2d": (*_POOL, "ceil_mode", "count_include_pad", "divisor_override"),
    "adaptive_avg_pool2d": ("output_size",),
    "adaptive_max_pool2d": ("output_size", "return_indices"),
    "dropout": ("p", "training", "inplace"),
    "dropout2d": ("p", "training", "inplace"),
    "feature_dropout": ("p", "train"),
    "leaky_relu": ("negative_slope", "inplace"),
    "elu": ("alpha", "scale", "input_scale"),
    "pad": ("pad", "mode", "value"),
    "log_softmax": ("dim",),
    "mean": ("dim", "keepdim"),
    "amax": ("dim", "keepdim"),
    "getitem": ("index",),
    "permute": ("dims",),
    "mul": ("other",),
    "div": ("other",),
}
"""The names of what follows the input, in order, of functions that may be called without names."""

RESHAPES = frozenset(
    {"view", "reshape", "flatten", "squeeze", "unsqueeze", "contiguous", "clone", "view_as", "reshape_as", "unflatten",
     "Flatten", "Unflatten", "Identity", "identity"}
)  # fmt: skip
_ALIASES = {"truediv": "div", "true_divide": "div", "multiply": "mul", "divide": "div", "transpose": "permute"}


def function_name(call: Call) -> str:
    """The name of a call's function or layer, without what marks an operator or that it works in place."""
    if isinstance(call.target, nn.Module):
        return torch_class(type(call.target)).__name__
    name = str(call.target)
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        name = {"iadd": "add", "radd": "add", "imul": "mul", "rmul": "mul", "itruediv": "div"}.get(name, name)
    name = name.removesuffix("_") if not name.startswith("_") else name
    return _ALIASES.get(name, name)


def pair(value: Any) -> tuple[int, int]:
    """An option of rows and columns, which one number may stand for."""
    sides = tuple(value) if isinstance(value, Sequence) else (value, value)
    return (int(sides[0]), int(sides[-1]))


def flat(values: Sequence[Any]) -> list[Any]:
    """Arguments that may be given one by one or as a list."""
    return [part for value in values for part in (flat(value) if isinstance(value, list | tuple) else [value])]
