"""The modules of a row of blocks, one after another, with the shape that each leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

from core.errors import SpecError
from core.models.field import PIXEL, Sight, covered, joined_sight, side, slid
from core.models.grammar.blocks import (
    Activation,
    Block,
    Branching,
    Conv,
    Dense,
    Drop,
    Factor,
    Flattening,
    GlobalPool,
    Norm,
    Pair,
    Pool,
    Reuse,
)
from core.models.layer import Layer, Option, Shape
from core.task import MNIST_TASK

MAX_SIDE = 256
MAX_VALUES = 2**22
"""Values of one image in a layer: as many channels as there may be on the largest maps without padding."""

Fail = Callable[[int, str], SpecError]
"""Makes the error of the word with that number, counted from 1, out of the reason."""

FRESH = frozenset({"Conv2d", "Linear", "BatchNorm1d", "BatchNorm2d", "MaxPool2d", "AvgPool2d", "Residual"})
"""Modules whose output nothing else needs, neither their own gradient nor another branch: a ReLU may change it in
place, which saves a pass over the activations."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What comes in: (channels, height, width), or (units, 1, 1) once flattened, and what one value of it sees."""

    shape: Shape = (1, MNIST_TASK.size, MNIST_TASK.size)
    flat: bool = False
    rows: Sight = PIXEL
    columns: Sight = PIXEL

    @property
    def receptive_field(self) -> int:
        return max(side(self.rows, self.shape[1]), side(self.columns, self.shape[2]))

    def described(self) -> str:
        return f"{self.shape[0]} units" if self.flat else times(self.shape)


def times(shape: Iterable[int]) -> str:
    """``8x14x14``; a shape without sides, as of a mean over everything, is that of one number."""
    return "x".join(map(str, shape)) or "one number"


class Plan:
    """The layers so far and the state that they leave."""

    def __init__(self, fail: Fail, state: Incoming | None = None) -> None:
        self._fail = fail
        self.layers: list[Layer] = []
        self.state = state or Incoming()

    def add_all(self, blocks: Iterable[Block]) -> Plan:
        for block in blocks:
            self.add(block)
        return self

    def add(self, block: Block) -> None:
        """Append the layers of a block.

        Raises:
            SpecError: when it cannot follow what is there.
        """
        if self.state.flat and _needs_map(block):
            raise self._fail(block.at, "needs a map, but the layers before it have flattened the image")
        match block:
            case Conv():
                self._conv(block)
            case Pool():
                self._pool(block)
            case Dense():
                self._dense(block)
            case Norm():
                self._norm(block)
            case Branching(branches):
                self._branch(block.at, branches)
            case Reuse():
                self._reuse(block)
            case _:
                self._add_plain(block)

    def _add_plain(self, block: GlobalPool | Flattening | Drop | Activation | Factor) -> None:
        """Append one that can stand anywhere, or on any map."""
        match block:
            case GlobalPool():
                self._cover_map()
                self._move(shape=(self.state.shape[0], 1, 1))
                self._append("AdaptiveAvgPool2d", {"output_size": 1})
            case Flattening():
                self.flatten()
            case Drop(p, channels):
                self._append("Dropout2d" if channels else "Dropout", {"p": p})
            case Activation(kind, slope):
                self._activate(kind, {} if slope is None else {"negative_slope": slope})
            case Factor(factor):
                self._append("Scale", {"factor": factor})

    def flatten(self) -> None:
        if not self.state.flat:
            self._cover_map()
            self._move(flat=True, shape=(prod(self.state.shape), 1, 1))
            self._append("Flatten")

    def _conv(self, conv: Conv) -> None:
        inputs, outputs = self.state.shape[0], conv.channels
        for what, channels in (("that come in", inputs), ("that go out", outputs)):
            if channels % conv.groups:
                raise self._fail(conv.at, f"{conv.groups} groups do not divide the {channels} channels {what}")
        shown = times(conv.kernel)
        if conv.dilation != (1, 1):
            shown += (
                f" with dilation {conv.dilation[0] if conv.dilation[0] == conv.dilation[1] else times(conv.dilation)}"
            )
        self._slide(conv.at, conv.reach, conv.stride, conv.padding, shown, max(inputs, outputs))
        if conv.separable:
            self._convolve(conv, inputs, groups=inputs, bias=False)
            self._convolve(Conv(outputs, kernel=(1, 1)), outputs, groups=1, bias=conv.bias)
        else:
            self._convolve(conv, outputs, groups=conv.groups, bias=conv.bias)
        if conv.relu and not conv.relu_last:
            self._activate("ReLU", {})
        if conv.norm:
            self._append("BatchNorm2d", {"num_features": outputs}, params=2 * outputs)
        if conv.relu_last:
            self._activate("ReLU", {})

    def _slide(self, at: int, reach: Pair, stride: Pair, padding: Pair, shown: str, channels: int) -> None:
        """From here on there is an output for each place of a window; `channels` are the most that are there then."""
        inputs, *sides = self.state.shape
        if any(size + 2 * pad < length for size, pad, length in zip(sides, padding, reach, strict=True)):
            raise self._fail(at, f"{shown} does not fit a {times(sides)} map")
        height, width = (
            (size + 2 * pad - length) // step + 1
            for size, pad, length, step in zip(sides, padding, reach, stride, strict=True)
        )
        if max(height, width) > MAX_SIDE:
            raise self._fail(at, f"makes a map of {height}x{width}; a side may be at most {MAX_SIDE}")
        if (values := channels * height * width) > MAX_VALUES:
            raise self._fail(at, f"makes {values:,} values of an image; a layer may have {MAX_VALUES:,}")
        rows, columns = (
            slid(sight, *sizes)
            for sight, *sizes in zip((self.state.rows, self.state.columns), reach, stride, padding, strict=True)
        )
        self._move(shape=(inputs, height, width), rows=rows, columns=columns)

    def _convolve(self, conv: Conv, channels: int, *, groups: int, bias: bool) -> None:
        inputs, height, width = self.state.shape
        self._move(shape=(channels, height, width))
        weights = channels * (inputs // groups) * prod(conv.kernel)
        self._append(
            "Conv2d",
            {
                "in_channels": inputs,
                "out_channels": channels,
                "kernel_size": _option(conv.kernel),
                "stride": _option(conv.stride),
                "padding": _option(conv.padding),
                "dilation": _option(conv.dilation),
                "groups": groups,
                "bias": bias,
            },
            params=weights + channels * bias,
            macs=weights * height * width,
        )

    def _pool(self, pool: Pool) -> None:
        self._slide(pool.at, pool.size, pool.stride, pool.padding, times(pool.size), self.state.shape[0])
        options: dict[str, Option] = {"kernel_size": _option(pool.size)}
        if pool.stride != pool.size:
            options["stride"] = _option(pool.stride)
        if pool.padding != (0, 0):
            options["padding"] = _option(pool.padding)
        self._append("MaxPool2d" if pool.mode == "max" else "AvgPool2d", options)

    def _dense(self, dense: Dense) -> None:
        self.flatten()
        inputs, units = self.state.shape[0], dense.units
        self._move(shape=(units, 1, 1))
        weights = inputs * units
        options: dict[str, Option] = {"in_features": inputs, "out_features": units}
        if not dense.bias:
            options["bias"] = False
        self._append("Linear", options, params=weights + units * dense.bias, macs=weights)
        if dense.relu:
            self._activate("ReLU", {})

    def _norm(self, norm: Norm) -> None:
        channels, height, width = self.state.shape
        flat = self.state.flat
        options: dict[str, Option]
        match norm.kind:
            case "batch":
                kind = "BatchNorm1d" if flat else "BatchNorm2d"
                options, count, values = {"num_features": channels}, channels, 0
            case "group":
                if channels % norm.groups:
                    raise self._fail(norm.at, f"{norm.groups} groups do not divide the {channels} channels")
                kind, count, values = "GroupNorm", channels, channels // norm.groups * height * width
                options = {"num_groups": norm.groups, "num_channels": channels}
            case "layer":
                kind, count, values = "LayerNorm", prod(self.state.shape), prod(self.state.shape)
                options = {"normalized_shape": (channels,) if flat else self.state.shape}
            case "instance":
                kind, count, values = "InstanceNorm2d", channels, height * width
                options = {"num_features": channels}
        if values == 1:
            raise self._fail(norm.at, f"is over one value of {self.state.described()} at a time, so always 0")
        if norm.affine == (norm.kind == "instance"):  # else it is as torch has it by default
            options["elementwise_affine" if norm.kind == "layer" else "affine"] = norm.affine
        self._append(kind, options, params=2 * count * norm.affine)

    def _activate(self, kind: str, options: dict[str, Option]) -> None:
        if kind == "ReLU" and self.layers and self.layers[-1].kind in FRESH:
            options = {"inplace": True}
        self._append(kind, options)

    def _branch(self, at: int, branches: tuple[tuple[Block, ...], ...]) -> None:
        start = self.state
        plans = [Plan(self._fail, start).add_all(branch) for branch in branches]
        ends = [plan.state for plan in plans] if len(plans) > 1 else [start, plans[0].state]
        if any((end.shape, end.flat) != (ends[0].shape, ends[0].flat) for end in ends):
            shapes = [end.described() for end in ends]
            if len(plans) > 1:
                raise self._fail(at, f"its branches make {' and '.join(shapes)}, which cannot be added")
            raise self._fail(
                at,
                f"{shapes[0]} goes in and {shapes[1]} comes out, which cannot be added; after | stands another branch "
                "in place of what goes in",
            )
        self._move(
            shape=ends[0].shape,
            flat=ends[0].flat,
            rows=joined_sight([end.rows for end in ends]),
            columns=joined_sight([end.columns for end in ends]),
        )
        self._append("Residual", branches=tuple(tuple(plan.layers) for plan in plans))

    def _reuse(self, block: Reuse) -> None:
        start, uses = self.state, list[tuple[Layer, ...]]()
        for use in range(block.times):
            came = self.state
            plan = Plan(self._fail, came).add_all(block.blocks)
            self.state = plan.state
            uses.append(tuple(plan.layers) if use == 0 else _without_params(plan.layers))
            if _modules(uses[use]) != _modules(uses[0]):
                raise self._fail(
                    block.at,
                    f"{start.described()} comes in the first time and {came.described()} the next, for which the "
                    "shared weights do not fit",
                )
        self._append("Looped" if block.own_statistics else "Tied", branches=tuple(uses))

    def _cover_map(self) -> None:
        """From here on each output sees the whole map."""
        _, height, width = self.state.shape
        self._move(rows=covered(self.state.rows, height), columns=covered(self.state.columns, width))

    def _move(
        self,
        *,
        shape: Shape | None = None,
        flat: bool | None = None,
        rows: Sight | None = None,
        columns: Sight | None = None,
    ) -> None:
        old = self.state
        self.state = Incoming(
            old.shape if shape is None else shape,
            old.flat if flat is None else flat,
            old.rows if rows is None else rows,
            old.columns if columns is None else columns,
        )

    def _append(
        self,
        kind: str,
        options: Mapping[str, Option] | None = None,
        *,
        params: int = 0,
        macs: int = 0,
        branches: tuple[tuple[Layer, ...], ...] = (),
    ) -> None:
        shape, field = self.state.shape, self.state.receptive_field
        self.layers.append(Layer(kind, shape, field, params, macs, options or {}, branches=branches))


def _needs_map(block: Block) -> bool:
    match block:
        case Conv() | Pool() | GlobalPool():
            return True
        case Norm(kind="instance") | Drop(channels=True):
            return True
        case _:
            return False


def _option(pair: Pair) -> Option:
    """Rows and columns as torch's constructors take them: one number where they are equal."""
    return pair[0] if pair[0] == pair[1] else pair


def _modules(layers: Iterable[Layer]) -> list[object]:
    """What is equal for rows of layers that one module can be."""
    return [(layer.kind, layer.options, [_modules(branch) for branch in layer.branches]) for layer in layers]


def _without_params(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    return tuple(
        replace(layer, params=0, branches=tuple(_without_params(branch) for branch in layer.branches))
        for layer in layers
    )
