"""Describes the blocks of a segment to the kernels: all that depends on neither batch nor parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from core.engines.native.segments import FusedBlock, PoolModule, Transition, pair
from core.engines.native.structures import (
    BY_OUTPUT,
    ELU,
    GELU,
    LEAKY_RELU,
    MAX_POOLING,
    MEAN_POOLING,
    RELU,
    SIGMOID,
    SILU,
    TANH,
    BlockStructure,
    TransitionStructure,
)
from core.engines.native.traversal import ConvolutionAxis, Traversal, weight_reads

Shape = tuple[int, int, int]

ACTIVATIONS: dict[type[nn.Module], int] = {
    nn.ReLU: RELU,
    nn.LeakyReLU: LEAKY_RELU,
    nn.ELU: ELU,
    nn.SiLU: SILU,
    nn.GELU: GELU,
    nn.Tanh: TANH,
    nn.Sigmoid: SIGMOID,
}


def describe_block(block: FusedBlock, struct: BlockStructure, shape: Shape, dtype: torch.dtype) -> tuple[Shape, Any]:
    """Fill in a block whose input has a shape (C, H, W).

    Returns:
        The shape of its output before the transition, and what must be kept as long as `struct` is used.
    """
    struct.inputs, struct.in_rows, struct.in_columns = shape
    vertical, horizontal = _describe_main(block.main, struct)
    struct.rows, struct.columns = vertical.outputs, horizontal.outputs
    struct.relu, struct.norm = block.relu, block.norm is not None
    rows, columns = _describe_pool(block.pool, struct)
    reads = 1 if struct.depthwise else struct.inputs
    traversals = [
        Traversal(read, vertical, horizontal, back=back)
        for read, back in ((reads, False), (1 if struct.depthwise else struct.outputs, True))
    ]
    struct.forward, struct.backward = (traversal.address for traversal in traversals)
    table = weight_reads(reads, vertical, horizontal)
    struct.read_plane, struct.read_row, struct.read_column = (column.data_ptr() for column in table)
    if block.norm is not None:
        struct.eps, struct.momentum = block.norm.eps, block.norm.momentum
    count, classes = struct.outputs, struct.forward.classes
    weights = count * reads * struct.kernel_rows * struct.kernel_columns
    buffers = {"packed": weights, "packed_backward": weights, "class_bias": count * classes}
    made = {name: torch.empty(size, dtype=dtype) for name, size in buffers.items()}
    made |= {name: torch.empty(count, dtype=torch.float64) for name in BY_OUTPUT}
    for name, tensor in made.items():
        setattr(struct, name, tensor.data_ptr())
    return (struct.outputs, rows, columns), (traversals, table, made)


def _describe_main(
    main: nn.Conv2d | nn.Linear | None, struct: BlockStructure
) -> tuple[ConvolutionAxis, ConvolutionAxis]:
    """A linear layer is a convolution over the whole map; without `main` each channel is copied."""
    kernel, stride, padding, dilation = (1, 1), (1, 1), (0, 0), (1, 1)
    if isinstance(main, nn.Conv2d):
        kernel, stride, dilation = pair(main.kernel_size), pair(main.stride), pair(main.dilation)
        assert not isinstance(main.padding, str)
        padding = pair(main.padding)
        struct.outputs, struct.depthwise = main.out_channels, main.groups > 1
    elif isinstance(main, nn.Linear):
        kernel = struct.in_rows, struct.in_columns
        struct.outputs, struct.depthwise = main.out_features, 0
    else:
        struct.outputs, struct.depthwise, struct.copies = struct.inputs, 1, 1
    struct.kernel_rows, struct.kernel_columns = kernel
    struct.row_stride, struct.column_stride = stride
    struct.row_padding, struct.column_padding = padding
    struct.row_dilation, struct.column_dilation = dilation
    vertical = ConvolutionAxis(struct.in_rows, kernel[0], stride[0], padding[0], dilation[0])
    return vertical, ConvolutionAxis(struct.in_columns, kernel[1], stride[1], padding[1], dilation[1])


def _describe_pool(pool: PoolModule | None, struct: BlockStructure | TransitionStructure) -> tuple[int, int]:
    """Fill in the kind of pooling and its window; return rows and columns after it, when windows lie side by side."""
    rows, columns = struct.rows, struct.columns
    if pool is None:
        return rows, columns
    struct.pooling = MAX_POOLING if isinstance(pool, nn.MaxPool2d) else MEAN_POOLING
    window = (rows, columns) if isinstance(pool, nn.AdaptiveAvgPool2d) else pair(pool.kernel_size)
    struct.window_rows, struct.window_columns = window
    return rows // window[0], columns // window[1]


def describe_transition(transition: Transition, struct: BlockStructure, shape: Shape) -> Shape:
    """Fill in what follows a block whose output has a shape (C, H, W), and return the shape after it."""
    channels, rows, columns = shape
    to = struct.transition
    if transition.activation is not None:
        to.activation = ACTIVATIONS[type(transition.activation)]
        to.slope = getattr(transition.activation, "negative_slope", getattr(transition.activation, "alpha", 0.0))
    to.channel_stride, to.pixel_stride = (rows * columns, 1) if transition.flat else (1, channels)
    if (pool := transition.pool) is None:
        return shape
    to.rows, to.columns = rows, columns
    _describe_pool(pool, to)
    stride, padding = (1, 1), (0, 0)
    if not isinstance(pool, nn.AdaptiveAvgPool2d):
        stride, padding = pair(pool.stride), pair(pool.padding)
    to.row_stride, to.column_stride = stride
    to.row_padding, to.column_padding = padding
    to.rows = ConvolutionAxis(rows, to.window_rows, stride[0], padding[0], 1).outputs
    to.columns = ConvolutionAxis(columns, to.window_columns, stride[1], padding[1], 1).outputs
    return channels, to.rows, to.columns
