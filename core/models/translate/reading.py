"""Tells what a recorded call computes, in the terms of the spec grammar.

`piece_of` is where torch's options are held against those that a spec can say. Whatever it does not know, or knows to
be different from a spec's layer of the same kind, is an obstacle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from torch import Tensor, nn

from core.models.plan import times
from core.models.translate.functions import ACTIVATIONS, ARGUMENTS, RESHAPES, flat, function_name, pair
from core.models.translate.pieces import UNSEEN, Obstacle, Piece, Value
from core.models.translate.trace import Call


def is_dropout(call: Call) -> bool:
    return _READERS.get(function_name(call)) is _Reader.dropout


def piece_of(call: Call) -> Piece:
    """What a call of one input computes.

    Raises:
        Obstacle: when no spec can say it.
    """
    return _Reader(call).piece()


class _Reader:
    """Reads the options of one call, whether a layer or a function has them."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.name = function_name(call)
        self.module = call.target if isinstance(call.target, nn.Module) else None
        inputs = call.inputs
        if len(inputs) != 1:
            raise self.no("takes several inputs" if inputs else f"its input {UNSEEN}")
        self.batch, *before = inputs[0].shape
        self.before, self.after = tuple(before), call.shape[1:]
        if call.shape[:1] != (self.batch,):
            raise self.no(f"makes {times(call.shape)} of a batch of {times(inputs[0].shape)}")
        rest = [value for value in call.arguments if not isinstance(value, Call)]
        given = dict(zip(ARGUMENTS.get(self.name, ()), rest, strict=False))
        self.given = given | {name: value for name, value in call.keywords.items() if not isinstance(value, Call)}
        self.unnamed = rest

    def no(self, reason: str = "") -> Obstacle:
        """The obstacle of this call; without a reason it is its kind."""
        shown = self.name if self.module is not None else str(self.call.target).strip("_")
        return Obstacle(f"{shown}: {reason}" if reason else f"{shown} is not a layer of a spec", self.call.place)

    def get(self, name: str, default: Any = None) -> Any:
        """An option by its name, of the layer or among the function's arguments."""
        return getattr(self.module, name, default) if self.module is not None else self.given.get(name, default)

    def require(self, **values: object) -> None:
        """Refuse options that differ from those of a spec's layer."""
        for name, value in values.items():
            if (found := self.get(name, value)) != value:
                raise self.no(f"{name} is {found}, in a spec always {value}")

    def make(self, kind: str, tensors: Mapping[str, Tensor | None] | None = None, **options: Value) -> Piece:
        own = {name: tensor for name, tensor in (tensors or {}).items() if tensor is not None}
        return Piece(kind, self.call, self.before, self.after, options, own)

    def piece(self) -> Piece:
        name = self.name
        if word := ACTIVATIONS.get(name):
            return self.activation(word)
        if name in RESHAPES or (self.before == self.after and name in ("to", "type", "float", "type_as")):
            return self.make("reshape")
        if name in _READERS:
            return _READERS[name](self)
        if self.module is not None and isinstance(self.module, nn.modules.batchnorm._NormBase):
            return self.norm(self.module)
        raise self.no()

    def map_only(self) -> tuple[int, int, int]:
        if len(self.before) != 3:
            raise self.no(f"works on {times(self.before)}, not on maps of channels, rows and columns")
        return self.before[0], self.before[1], self.before[2]

    def activation(self, word: str) -> Piece:
        match word:
            case "lrelu":
                return self.make(word, slope=float(self.get("negative_slope", 0.01)))
            case "elu":
                self.require(alpha=1.0, scale=1, input_scale=1)
            case "gelu":
                self.require(approximate="none")
        return self.make(word)

    def convolution(self) -> Piece:
        self.map_only()
        weight = self.tensors(self.get("weight"))
        stride, padding, dilation = (
            self.get(name, one) for name, one in (("stride", 1), ("padding", 0), ("dilation", 1))
        )
        stride, dilation, kernel = pair(stride), pair(dilation), (int(weight.shape[2]), int(weight.shape[3]))
        if padding == "valid":
            padding = 0
        if padding == "same":
            reach = [by * (size - 1) for by, size in zip(dilation, kernel, strict=True)]
            if any(total % 2 for total in reach):
                raise self.no("padding 'same' of an even kernel is wider on one side")
            padding = tuple(total // 2 for total in reach)
        padding = pair(padding)
        if padding != (0, 0):
            self.require(padding_mode="zeros")
        bias = self.get("bias")
        return self.make(
            "conv",
            {"weight": weight, "bias": None if bias is None else self.tensors(bias)},
            channels=int(weight.shape[0]),
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=int(self.get("groups", 1)),
            bias=bias is not None,
        )

    def linear(self) -> Piece:
        if len(self.before) != 1:
            raise self.no(f"works on the last side of {times(self.before)}; a spec flattens first")
        weight, bias = self.tensors(self.get("weight")), self.get("bias")
        tensors = {"weight": weight, "bias": None if bias is None else self.tensors(bias)}
        return self.make("linear", tensors, units=int(weight.shape[0]), bias=bias is not None)

    def tensors(self, tensor: object) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            raise self.no("its weights are not a parameter, or are computed")
        return tensor

    def norm(self, norm: nn.Module) -> Piece:
        """Batch and instance norms."""
        batch = isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
        if not batch and not isinstance(norm, nn.InstanceNorm2d):
            raise self.no()
        if len(self.before) == 2 or (isinstance(norm, nn.InstanceNorm2d) and len(self.before) != 3):
            raise self.no(f"works on {times(self.before)}, not on maps or units")
        self.require(eps=1e-5)
        if batch:
            self.require(momentum=0.1, track_running_stats=True)
        else:
            self.require(track_running_stats=False)
        tensors = {name: getattr(norm, name) for name in ("weight", "bias")}
        if batch:
            tensors |= {name: getattr(norm, name) for name in ("running_mean", "running_var", "num_batches_tracked")}
        return self.make("bn" if batch else "in", tensors, affine=tensors["weight"] is not None)

    def group_norm(self) -> Piece:
        self.require(eps=1e-5)
        if len(self.before) not in (1, 3):
            raise self.no(f"works on {times(self.before)}, not on maps or units")
        channels = self.before[0]
        groups = int(self.get("num_groups", 1))
        tensors = {name: self.get(name) for name in ("weight", "bias")}
        return self.make("gn", tensors, groups=groups, channels=channels, affine=tensors["weight"] is not None)

    def layer_norm(self) -> Piece:
        self.require(eps=1e-5)
        shape = tuple(self.get("normalized_shape", ()))
        if shape != self.before:
            raise self.no(f"over {times(shape)} of {times(self.before)}; in a spec over all of it")
        tensors = {name: self.get(name) for name in ("weight", "bias")}
        if (tensors["weight"] is None) != (tensors["bias"] is None):
            raise self.no("a weight without a bias")
        return self.make("ln", tensors, affine=tensors["weight"] is not None)

    def pooling(self) -> Piece:
        kind = "max" if "max" in self.name.lower() else "mean"
        _, *sides = self.map_only()
        size = pair(self.get("kernel_size"))
        given = self.get("stride")
        stride, padding = size if given in (None, [], ()) else pair(given), pair(self.get("padding", 0))
        self.require(return_indices=False, divisor_override=None, dilation=1)
        if padding != (0, 0):
            self.require(count_include_pad=True)
        if self.get("ceil_mode", False):
            exact = [
                (side + 2 * by - of) // step + 1
                for side, by, of, step in zip(sides, padding, size, stride, strict=True)
            ]
            if tuple(exact) != self.after[1:]:
                raise self.no("ceil_mode pools windows that are cut off; in a spec they are left out")
        if kind == "mean" and size == tuple(sides) and padding == (0, 0):
            return self.make("gap")
        return self.make(kind, size=size, stride=stride, padding=padding)

    def adaptive(self) -> Piece:
        kind = "max" if "max" in self.name.lower() else "mean"
        self.require(return_indices=False)
        _, *sides = self.map_only()
        out = self.after[1:]
        if any(side % to for side, to in zip(sides, out, strict=True)):
            raise self.no(f"windows of {times(sides)} pooled to {times(out)} are not all of one size")
        size = (sides[0] // out[0], sides[1] // out[1])
        if kind == "mean" and out == (1, 1):
            return self.make("gap")
        return self.make(kind, size=size, stride=size, padding=(0, 0))

    def over_map(self) -> Piece:
        """`mean` or `amax` over rows and columns."""
        dims = self.get("dim")
        rank = len(self.before) + 1
        found = (
            sorted(dim % rank for dim in (dims if isinstance(dims, Sequence) else [dims])) if dims is not None else []
        )
        if len(found) == 1 and found[0] >= 2:
            return self.make("mean_of_axis" if self.name == "mean" else "max_of_axis")
        if rank != 4 or found != [2, 3]:
            raise self.no("not over the rows and columns of maps")
        if self.name == "mean":
            return self.make("gap")
        size = (self.before[1], self.before[2])
        return self.make("max", size=size, stride=size, padding=(0, 0))

    def dropout(self) -> Piece:
        p = float(self.get("p", 0.5))
        on = self.module is not None or bool(self.given.get("training", self.given.get("train", True)))
        if not on or p == 0:
            return self.make("reshape")
        if p >= 1:
            raise self.no("drops everything")
        channels = self.name in ("Dropout2d", "dropout2d", "feature_dropout") and prod(self.before[1:]) > 1
        if channels:
            self.map_only()
        return self.make("dropc" if channels else "drop", p=p)

    def padding(self) -> Piece:
        self.map_only()
        if self.module is not None:
            left, right, top, bottom = self.module.padding  # type: ignore[misc]  # a tuple, which torch does not say
        else:
            self.require(mode="constant")
            sides = list(self.get("pad", ()))
            if len(sides) != 4:
                raise self.no("not of rows and columns")
            left, right, top, bottom = sides
        if self.get("value", None) not in (None, 0, 0.0):
            raise self.no("not with zeros")
        if (left, top) != (right, bottom) or min(left, top) < 0:
            raise self.no("not the same on both sides")
        return self.make("pad", padding=(int(top), int(left)))

    def scaling(self) -> Piece:
        value = self.unnamed[0] if self.unnamed else self.given.get("other")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.no("by something else than a number")
        if self.name == "div":
            self.require(rounding_mode=None)
            if not value or not isinstance(self.call.arguments[0], Call):
                raise self.no("not by a number")
            value = 1 / value
        return self.make("scale", factor=float(value))

    def adding(self) -> Piece:
        """`add` or `sub` of what is no layer's output: of 0 it changes nothing, as in Python's `sum`."""
        number = self.unnamed[0] if self.unnamed else self.given.get("other")
        is_last = self.name == "add" or isinstance(next(iter(self.call.arguments), None), Call)
        if isinstance(number, int | float) and number == 0 and is_last:
            return self.make("reshape")
        raise self.no("changes all values by a number or a tensor that is no layer's output")

    def permutation(self) -> Piece:
        """Axes in another order, which is nothing but another shape where only sides of one change place."""
        rank = len(self.before) + 1
        numbers = [value for value in flat(self.unnamed) if isinstance(value, int)]
        if "dims" in self.given and not numbers:
            numbers = list(flat([self.given["dims"]]))
        order = [number % rank for number in numbers]
        if len(order) == 2 and rank != 2:
            first, second = order
            order = list(range(rank))
            order[first], order[second] = second, first
        sides = (0, *self.before)
        moved = [axis for axis in order if axis == 0 or sides[axis] > 1]
        if moved != sorted(moved) or len(order) != rank:
            raise self.no(f"puts the axes of {times(self.before)} in another order")
        return self.make("reshape")

    def indexing(self) -> Piece:
        """``x[:, :, 0, 0]`` of maps of one pixel."""
        index = self.unnamed[0] if self.unnamed else None
        parts = index if isinstance(index, list) else [index]
        plain = all(part is None or part is ... or isinstance(part, int | slice) for part in parts)
        if not plain or prod(self.before) != prod(self.after):
            raise self.no("takes a part of it")
        return self.make("reshape")

    def log_softmax(self) -> Piece:
        dim, rank = self.get("dim"), len(self.before) + 1
        if dim is None:
            dim = 0 if rank in (1, 3) else 1
        if dim % rank != 1 or prod(self.before[1:]) != 1:
            raise self.no("not over the classes")
        return self.make("log_softmax")

    def softmax(self) -> Piece:
        raise self.no("softmax before the loss, which takes logits")


_READERS = {
    "Conv2d": _Reader.convolution,
    "conv2d": _Reader.convolution,
    "Linear": _Reader.linear,
    "linear": _Reader.linear,
    "GroupNorm": _Reader.group_norm,
    "LayerNorm": _Reader.layer_norm,
    "MaxPool2d": _Reader.pooling,
    "max_pool2d": _Reader.pooling,
    "AvgPool2d": _Reader.pooling,
    "avg_pool2d": _Reader.pooling,
    "AdaptiveAvgPool2d": _Reader.adaptive,
    "adaptive_avg_pool2d": _Reader.adaptive,
    "AdaptiveMaxPool2d": _Reader.adaptive,
    "adaptive_max_pool2d": _Reader.adaptive,
    "mean": _Reader.over_map,
    "amax": _Reader.over_map,
    "Dropout": _Reader.dropout,
    "dropout": _Reader.dropout,
    "Dropout2d": _Reader.dropout,
    "dropout2d": _Reader.dropout,
    "feature_dropout": _Reader.dropout,
    "ZeroPad2d": _Reader.padding,
    "ConstantPad2d": _Reader.padding,
    "pad": _Reader.padding,
    "add": _Reader.adding,
    "sub": _Reader.adding,
    "mul": _Reader.scaling,
    "div": _Reader.scaling,
    "permute": _Reader.permutation,
    "getitem": _Reader.indexing,
    "LogSoftmax": _Reader.log_softmax,
    "log_softmax": _Reader.log_softmax,
    "Softmax": _Reader.softmax,
    "softmax": _Reader.softmax,
}
