"""Which layers the kernels run, and in which blocks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.engines.native.segments import Segment, split
from core.models.build import build_model
from core.models.spec import parse
from core.models.summary import summarize


def conv(inputs: int, outputs: int, *, bias: bool = False, **options: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, bias=bias, **options)


def shape_of(modules: list[nn.Module], *, early: bool = False) -> list[str | list[str]]:
    """The names of modules left to torch, and of each segment its blocks, the transition after a bar."""
    found: list[str | list[str]] = []
    for part in split(modules, early=early):
        if not isinstance(part, Segment):
            found.append(type(part).__name__)
            continue
        blocks = []
        for block in part.blocks:
            to = block.transition
            fused = ["ReLU"] * block.relu + [type(module).__name__ for module in (block.norm, block.pool) if module]
            after = [type(module).__name__ for module in (to.activation, to.dropout, to.pool) if module]
            blocks.append(
                " ".join(["copy" if block.main is None else "main", *fused, *(["|", *after] if after else [])])
            )
        found.append(blocks)
    return found


ROWS = {
    "norm before ReLU": (
        [conv(1, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)],
        [["main BatchNorm2d | ReLU", "main BatchNorm2d MaxPool2d | ReLU"]],
    ),
    "the mean of what a ReLU leaves": (
        [conv(1, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * 169, 10)],
        [["main BatchNorm2d | ReLU AvgPool2d", "main"]],
    ),
    "dropout of channels passes a pooling, one of values does not": (
        [
            conv(1, 4),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.MaxPool2d(2),
            conv(4, 4),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.MaxPool2d(2),
        ],
        [["main ReLU MaxPool2d | Dropout2d", "main ReLU | Dropout MaxPool2d"]],
    ),
    "a norm after pooling, and after dropout": (
        [conv(1, 4), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Dropout(0.1), nn.BatchNorm2d(4)],
        [["main ReLU MaxPool2d", "copy BatchNorm2d | Dropout", "copy BatchNorm2d"]],
    ),
    "windows that overlap": (
        [conv(1, 4), nn.BatchNorm2d(4), nn.LeakyReLU(), nn.MaxPool2d(3, 2, 1), conv(4, 4)],
        [["main BatchNorm2d | LeakyReLU MaxPool2d", "main"]],
    ),
    "what has no kernel": (
        [conv(1, 4), nn.GroupNorm(2, 4), nn.SiLU(), conv(4, 4, groups=2), conv(4, 4), nn.GELU("tanh")],
        [["main"], "GroupNorm", "SiLU", "Conv2d", ["main"], "GELU"],
    ),
    "a layer of too many weights": ([conv(1, 4), nn.Conv2d(4096, 1025, 1)], [["main"], "Conv2d"]),
    "after a linear layer": (
        [conv(1, 4), nn.Flatten(), nn.Linear(4 * 676, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10)],
        [["main", "main BatchNorm1d | ReLU", "main"]],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_layers_are_fused_with_the_convolution_before_them_as_far_as_their_order_allows(name):
    modules, expected = ROWS[name]
    with torch.device("meta"):
        assert shape_of(modules) == expected


@pytest.mark.parametrize(
    ("spec", "whole", "early"),
    [
        (
            "c8 d0.1 c8 p2 p2 fc10",
            [["main ReLU BatchNorm2d | Dropout", "main ReLU BatchNorm2d MaxPool2d | MaxPool2d", "main"]],
            [
                ["main ReLU BatchNorm2d"],
                "Dropout",
                ["main ReLU BatchNorm2d MaxPool2d"],
                "MaxPool2d",
                "Flatten",
                "Linear",
            ],
        ),
        (
            "p2 c8p1 a2 gap fc10",
            ["MaxPool2d", ["main ReLU BatchNorm2d AvgPool2d | AdaptiveAvgPool2d", "main"]],
            ["MaxPool2d", ["main ReLU BatchNorm2d AvgPool2d"], "AdaptiveAvgPool2d", "Flatten", "Linear"],
        ),
        (
            "c8b0 d0.1 fc10",
            [["main ReLU BatchNorm2d | Dropout", "main"]],
            [["main ReLU BatchNorm2d | Dropout", "main"]],
        ),
    ],
)
def test_behind_a_bias_a_run_of_an_earlier_version_leaves_dropouts_and_second_poolings_to_torch(spec, whole, early):
    modules = list(build_model(summarize(parse(spec))))
    assert shape_of(modules) == whole
    assert shape_of(modules, early=True) == early
