"""A segment of a network, run by the kernels of `kernels.c` forward and backward, to autograd one operation."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from core.pages import zeros
from core.segments import Block, Pool, Segment
from core.sweeps import Axis, CSweep, Sweep, plane_of, streams

_INTEGERS = (
    *("inputs", "outputs", "in_rows", "in_columns", "rows", "columns", "kernel_rows", "kernel_columns"),
    *("stride", "padding", "dilation", "depthwise", "relu", "norm", "pooling", "window_rows", "window_columns"),
)
_PARAMETERS = ("weight", "bias", "gamma", "beta")
_STATISTICS = ("running_mean", "running_variance")
_GRADIENTS = ("weight_gradient", "bias_gradient", "gamma_gradient", "beta_gradient")
_BY_OUTPUT = ("mean", "inverse", "scale", "shift", "add", "mul")
_BUFFERS = ("raw", "out", "packed", "packed_back", "class_bias", *_BY_OUTPUT, "found")


class CBlock(ctypes.Structure):
    """`Block` in kernels.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _INTEGERS),
        ("forward", CSweep),
        ("backward", CSweep),
        *((name, ctypes.c_void_p) for name in ("stream_plane", "stream_row", "stream_column")),
        ("weight_strides", ctypes.c_int64 * 4),
        *((name, ctypes.c_void_p) for name in (*_PARAMETERS, *_STATISTICS, *_GRADIENTS)),
        ("eps", ctypes.c_double),
        ("momentum", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in _BUFFERS),
    )


class CWork(ctypes.Structure):
    """`Work` in kernels.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("images", "threads", "training", "scratch")),
        *((name, ctypes.c_void_p) for name in ("memory", "input", "gradient_0", "gradient_1")),
    )


class Plan:
    """A segment for inputs of one shape and type: what the kernels need to know, and the memory they work in.

    Args:
        shape: (C, H, W) of one image.
    """

    def __init__(self, segment: Segment, shape: tuple[int, int, int], dtype: torch.dtype, kernels: ctypes.CDLL) -> None:
        self.segment = segment
        self._kernels = kernels
        self._dtype = dtype
        self._lanes: int = kernels.lanes()
        self._in_shape = shape
        self._blocks = (CBlock * len(segment.blocks))()
        self._kept: list[Any] = []  # what the kernels only have the addresses of
        self._work = CWork()
        self._groups = self._threads = 0
        self._shapes: list[tuple[int, int, int]] = []
        for block, raw in zip(segment.blocks, self._blocks, strict=True):
            shape = self._describe(block, raw, shape)
            self._shapes.append(shape)
        self._counters = [cast("Tensor", block.norm.num_batches_tracked) for block in segment.blocks if block.norm]
        self._parameters: Sequence[Tensor | None] = ()  # of the last forward pass
        self._places: list[tuple[int, tuple[int, ...]] | None] = []  # of these, and of the statistics
        widest = max(max(raw.inputs, raw.outputs) for raw in self._blocks)
        self._sums = torch.empty(2, widest, dtype=torch.float64).unbind()
        self.generation = 0

    def _describe(self, block: Block, raw: CBlock, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Fill in what does not depend on the batch; the shape of the block's output for an image."""
        main, (channels, height, width) = block.main, shape
        if isinstance(main, nn.Linear):
            kernel, stride, padding, dilation, raw.depthwise = (height, width), 1, 0, 1, 0
            raw.outputs = main.out_features
        else:
            kernel, stride, dilation = cast("tuple[int, int]", main.kernel_size), main.stride[0], main.dilation[0]
            padding = int(main.padding[0])
            raw.outputs, raw.depthwise = main.out_channels, main.groups > 1
        raw.inputs, raw.in_rows, raw.in_columns = shape
        raw.kernel_rows, raw.kernel_columns = kernel
        raw.stride, raw.padding, raw.dilation = stride, padding, dilation
        vertical = Axis(height, kernel[0], stride, padding, dilation)
        horizontal = Axis(width, kernel[1], stride, padding, dilation)
        raw.rows, raw.columns = vertical.outputs, horizontal.outputs
        raw.relu, raw.norm = block.relu, block.norm is not None
        rows, columns = self._describe_pool(block.pool, raw)
        sweeps = [Sweep(vertical, horizontal, back=back) for back in (False, True)]
        raw.forward, raw.backward = (sweep.address for sweep in sweeps)
        table = streams(1 if raw.depthwise else channels, vertical, horizontal)
        raw.stream_plane, raw.stream_row, raw.stream_column = (column.data_ptr() for column in table)
        if block.norm is not None:
            raw.eps, raw.momentum = block.norm.eps, block.norm.momentum
        count, classes = raw.outputs, raw.forward.classes
        weights = count * (1 if raw.depthwise else channels) * kernel[0] * kernel[1]
        buffers = {"packed": weights, "packed_back": weights, "class_bias": count * classes}
        made = {name: torch.empty(size, dtype=self._dtype) for name, size in buffers.items()}
        made |= {name: torch.empty(count, dtype=torch.float64) for name in _BY_OUTPUT}
        self._kept += [sweeps, table, made]
        for name, tensor in made.items():
            setattr(raw, name, tensor.data_ptr())
        return raw.outputs, rows, columns

    @staticmethod
    def _describe_pool(pool: Pool | None, raw: CBlock) -> tuple[int, int]:
        if pool is None:
            return raw.rows, raw.columns
        raw.pooling = 1 if isinstance(pool, nn.MaxPool2d) else 2
        if isinstance(pool, nn.AdaptiveAvgPool2d):
            raw.window_rows, raw.window_columns = raw.rows, raw.columns
        else:
            size = pool.kernel_size
            raw.window_rows, raw.window_columns = (size, size) if isinstance(size, int) else size
        return raw.rows // raw.window_rows, raw.columns // raw.window_columns

    def _reserve(self, images: int) -> None:
        """Have memory for so many images, on as many threads as torch uses."""
        groups, threads = -(-images // self._lanes), torch.get_num_threads()
        self._work.images, self._work.threads = images, threads
        if groups <= self._groups and threads == self._threads:
            return
        groups, self._groups = max(groups, self._groups), 0  # none, should there not be the memory
        sizes = [self._in_shape, *self._shapes]
        largest = max(size_of(shape) for shape in sizes)
        address = ctypes.byref
        made: dict[str, Tensor] = {
            "input": self._vectors(groups * size_of(self._in_shape)),
            "gradient_0": self._vectors(groups * largest),
            "gradient_1": self._vectors(groups * largest),
        }
        self._work.scratch = max(self._kernels.scratch(address(raw)) for raw in self._blocks)
        made["memory"] = self._vectors(threads * self._work.scratch)
        for name, tensor in made.items():
            setattr(self._work, name, tensor.data_ptr())
        self._memory: list[Any] = [made]
        for raw, shape in zip(self._blocks, self._shapes, strict=True):
            values = self._vectors(groups * size_of((raw.outputs, raw.rows, raw.columns)))
            out = self._vectors(groups * size_of(shape)) if raw.pooling else values
            size = self._kernels.found_size(address(raw), groups)
            found = torch.empty(size, dtype=torch.float64)
            raw.raw, raw.out, raw.found = values.data_ptr(), out.data_ptr(), found.data_ptr()
            self._memory.append((values, out, found))
        self._groups, self._threads = groups, threads

    def _vectors(self, count: int) -> Tensor:
        return zeros(count * self._lanes, self._dtype)

    def _point_at_parameters(self) -> None:
        """Tell the kernels where parameters and running statistics are now."""
        statistics = [tensor for block in self.segment.blocks for tensor in block.statistics()]
        tensors = (*self._parameters, *statistics)
        places = [None if tensor is None else (tensor.data_ptr(), tensor.stride()) for tensor in tensors]
        if places == self._places:
            return
        self._places = places
        pointers = iter([None if place is None else place[0] for place in places])
        for names in (_PARAMETERS, _STATISTICS):
            for raw in self._blocks:
                for name in names:
                    setattr(raw, name, next(pointers))
        for block, raw in zip(self.segment.blocks, self._blocks, strict=True):
            weight = block.main.weight
            if isinstance(block.main, nn.Linear):
                weight = weight.view(weight.shape[0], raw.inputs, raw.kernel_rows, raw.kernel_columns)
            raw.weight_strides[:] = weight.stride()

    def forward(self, x: Tensor, parameters: Sequence[Tensor | None], *, training: bool) -> Tensor:
        """(B, C, H, W) to what the segment gives, (B, C, H, W) or flat (B, C * H * W), in training changing running
        statistics as its modules would. `parameters` are the segment's as they are now."""
        self.generation += 1
        self._parameters = parameters
        images = len(x)
        self._reserve(images)
        self._work.training = training
        self._point_at_parameters()
        work, kernels, last = ctypes.byref(self._work), self._kernels, self._blocks[-1]
        kernels.enter(work, x.data_ptr(), _strides(x), *self._in_shape)
        kernels.forward(self._blocks, len(self._blocks), work)
        if training and self._counters:
            torch._foreach_add_(self._counters, 1)
        out = _images(x, images, self._shapes[-1])
        scale, shift = (last.scale, last.shift) if last.norm else (None, None)
        kernels.leave(work, last.out, out.data_ptr(), _strides(out), *self._shapes[-1], scale, shift)
        return out.flatten(1) if self.segment.flat else out

    def backward(self, gradient: Tensor, wanted: bool) -> list[Tensor | None]:
        """From the gradient of what came out last, of its shape, those of the input, (B, C, H, W), if it is wanted, and
        of each parameter of the segment."""
        gradient = gradient.reshape(len(gradient), *self._shapes[-1])
        # Not `empty_like`, which makes a tensor dense that is not: the kernels know one set of strides.
        found = [
            None if tensor is None else torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
            for tensor in self._parameters
        ]
        every = iter(found)
        for raw in self._blocks:
            for name, tensor in zip(_GRADIENTS, every, strict=False):
                setattr(raw, name, None if tensor is None else tensor.data_ptr())
        work, kernels, count = ctypes.byref(self._work), self._kernels, len(self._blocks)
        sums = (row.data_ptr() for row in self._sums)
        kernels.backward(self._blocks, count, work, gradient.data_ptr(), _strides(gradient), wanted, *sums)
        if not wanted:
            return [None, *found]
        x_gradient = _images(gradient, len(gradient), self._in_shape)
        source = self._work.gradient_1 if count % 2 else self._work.gradient_0
        kernels.leave(work, source, x_gradient.data_ptr(), _strides(x_gradient), *self._in_shape, None, None)
        return [x_gradient, *found]


class Fused(torch.autograd.Function):
    """A segment in training as one operation: (plan, input, the segment's parameters)."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, x: Tensor, *parameters: Tensor | None) -> Tensor:
        out = plan.forward(x, parameters, training=True)
        ctx.plan, ctx.generation = plan, plan.generation
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        plan: Plan = ctx.plan
        if plan.generation != ctx.generation:
            raise RuntimeError("the segment has been used again since, in the same memory")
        return None, *plan.backward(gradients[0], ctx.needs_input_grad[1])


def size_of(shape: tuple[int, int, int]) -> int:
    """Vectors of a group of images."""
    channels, height, width = shape
    return channels * plane_of(height, width)


def _images(like: Tensor, count: int, shape: tuple[int, int, int]) -> Tensor:
    """In channels_last, as eager steps have them: a dropout then draws the same for the same value."""
    return torch.empty(count, *shape, dtype=like.dtype, memory_format=torch.channels_last)


def _strides(tensor: Tensor) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * 4)(*tensor.stride())
