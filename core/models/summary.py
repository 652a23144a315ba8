"""Layers, output shapes, parameters, multiply-adds and receptive field of a spec, in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from core.config import MAX_PARAMS
from core.errors import SpecError
from core.models.spec import Architecture, Block, Conv, Dense, Drop, GlobalPool, Pool

INPUT_SHAPE = (1, 28, 28)
CLASSES = 10

Shape = tuple[int, int, int]

UNLISTED_KINDS = frozenset({"ReLU", "Flatten"})
"""Layers that a torchsummary table leaves out."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One `torch.nn` module: `kind` is its class name, `options` its constructor's keyword arguments.

    `output_shape` is (channels, height, width), (units, 1, 1) after flattening. `macs` are multiply-adds for one image,
    counted for convolutions and linear layers, biases left out. `receptive_field` is the side, in pixels of the input,
    of the square that one output sees, padding counted as pixels; None where it is not known (a user's own module).
    """

    kind: str
    output_shape: Shape
    receptive_field: int | None
    params: int = 0
    macs: int = 0
    options: Mapping[str, int | float | bool] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The layer table of one network, with its totals."""

    name: str
    spec: str
    total_params: int
    trainable_params: int
    macs: int
    receptive_field: int | None
    layers: tuple[Layer, ...]

    @property
    def rows(self) -> tuple[Layer, ...]:
        """The layers that a summary table lists."""
        return tuple(layer for layer in self.layers if layer.kind not in UNLISTED_KINDS)

    def within_budget(self, max_params: int = MAX_PARAMS) -> bool:
        return self.total_params <= max_params


def summarize(arch: Architecture) -> Summary:
    """The layer table of a spec.

    Raises:
        SpecError: naming the first token whose layer does not fit its input, or the last one when the result is not
            10 logits.
    """
    plan = _Plan()
    for position, (token, block) in enumerate(zip(arch.tokens, arch.blocks, strict=True), start=1):
        if reason := plan.obstacle(block):
            raise SpecError(arch.spec, token, position, reason)
        plan.add(block)
    if plan.shape != (CLASSES, 1, 1):
        hint = "end with fc10, or with c10l on a map that it reduces to 1x1"
        reason = f"the result is {_times(plan.shape)}, not {CLASSES} logits"
        raise SpecError(arch.spec, arch.tokens[-1], len(arch.tokens), reason, hint=hint)
    plan.flatten()
    layers = label_rows(plan.layers)
    total = sum(layer.params for layer in layers)
    return Summary(
        name=arch.name,
        spec=arch.spec,
        total_params=total,
        trainable_params=total,
        macs=sum(layer.macs for layer in layers),
        receptive_field=plan.receptive_field,
        layers=layers,
    )


def label_rows(layers: list[Layer]) -> tuple[Layer, ...]:
    """Number the listed layers as a torchsummary table does: ``Conv2d-1``, ``BatchNorm2d-2``."""
    labelled: list[Layer] = []
    number = 0
    for layer in layers:
        number += layer.kind not in UNLISTED_KINDS
        label = "" if layer.kind in UNLISTED_KINDS else f"{layer.kind}-{number}"
        labelled.append(
            Layer(layer.kind, layer.output_shape, layer.receptive_field, layer.params, layer.macs, layer.options, label)
        )
    return tuple(labelled)


class _Plan:
    """The layers so far and the shape that they leave."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.shape: Shape = INPUT_SHAPE
        self.flat = False
        self.receptive_field = 1
        self._jump = 1  # distance, in input pixels, between the centres of neighbouring outputs

    def obstacle(self, block: Block) -> str:
        """The reason why the block cannot follow; empty when it can."""
        _, height, width = self.shape
        match block:
            case Conv() | Pool() | GlobalPool() if self.flat:
                return "needs a map, but the layers before it have flattened the image"
            case Conv(kernel=kernel, padding=padding, dilation=dilation):
                reach = dilation * (kernel - 1) + 1
                if height + 2 * padding < reach:
                    shown = f"{kernel}x{kernel}" + (f" with dilation {dilation}" if dilation > 1 else "")
                    return f"{shown} does not fit a {height}x{width} map"
            case Pool(size=size) if size > height:
                return f"{size}x{size} does not fit a {height}x{width} map"
            case _:
                pass
        return ""

    def add(self, block: Block) -> None:
        channels = self.shape[0]
        match block:
            case Conv(separable=True):
                self._convolve(block, channels, kernel=block.kernel, groups=channels, bias=False)
                self._convolve(Conv(block.channels), block.channels, kernel=1, groups=1, bias=True)
                self._finish(block)
            case Conv():
                self._convolve(block, block.channels, kernel=block.kernel, groups=1, bias=True)
                self._finish(block)
            case Pool(mode, size):
                self.receptive_field += (size - 1) * self._jump
                self._jump *= size
                self.shape = (channels, self.shape[1] // size, self.shape[2] // size)
                self._append("MaxPool2d" if mode == "max" else "AvgPool2d", kernel_size=size)
            case GlobalPool():
                self._cover_map()
                self.shape = (channels, 1, 1)
                self._append("AdaptiveAvgPool2d", output_size=1)
            case Drop(p):
                self._append("Dropout", p=p)
            case Dense(units, relu):
                self.flatten()
                inputs = prod(self.shape)
                self.shape = (units, 1, 1)
                self._append(
                    "Linear", params=(inputs + 1) * units, macs=inputs * units, in_features=inputs, out_features=units
                )
                if relu:
                    self._append("ReLU")

    def flatten(self) -> None:
        if not self.flat:
            self._cover_map()
            self.flat = True
            self.shape = (prod(self.shape), 1, 1)
            self._append("Flatten")

    def _cover_map(self) -> None:
        """From here on each output sees the whole map."""
        self.receptive_field += (self.shape[1] - 1) * self._jump

    def _convolve(self, conv: Conv, channels: int, *, kernel: int, groups: int, bias: bool) -> None:
        inputs = self.shape[0]
        reach = conv.dilation * (kernel - 1) + 1
        height, width = ((side + 2 * conv.padding - reach) // conv.stride + 1 for side in self.shape[1:])
        self.receptive_field += (reach - 1) * self._jump
        self._jump *= conv.stride
        self.shape = (channels, height, width)
        weights = channels * (inputs // groups) * kernel * kernel
        self._append(
            "Conv2d",
            params=weights + channels * bias,
            macs=weights * height * width,
            in_channels=inputs,
            out_channels=channels,
            kernel_size=kernel,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=groups,
            bias=bias,
        )

    def _finish(self, conv: Conv) -> None:
        if conv.relu:
            self._append("ReLU")
        if conv.norm:
            self._append("BatchNorm2d", params=2 * conv.channels, num_features=conv.channels)

    def _append(self, kind: str, *, params: int = 0, macs: int = 0, **options: int | float | bool) -> None:
        self.layers.append(Layer(kind, self.shape, self.receptive_field, params, macs, options))


def _times(shape: Shape) -> str:
    return "x".join(map(str, shape))
