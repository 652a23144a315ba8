"""Runs a segment in the kernels: describes it to them, holds the memory that they work in, and calls them."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.engines.native.chunks import most_chunks, partition
from core.engines.native.description import describe_block, describe_transition
from core.engines.native.draws import draw_kept
from core.engines.native.segments import Segment
from core.engines.native.structures import GRADIENTS, TENSORS, BlockStructure, MapsStructure, WorkspaceStructure
from core.engines.native.team import Team
from core.engines.native.traversal import plane_size

HUGE = 2 << 20
"""Bytes of a large page on nearly all processors that torch has wheels for."""


class SegmentPlan:
    """A segment for inputs of one shape and type, ready to run.

    Args:
        shape: (C, H, W) of one image.
        team: the threads that it runs on.
    """

    def __init__(self, segment: Segment, shape: tuple[int, int, int], dtype: torch.dtype, team: Team) -> None:
        self.segment = segment
        self._team = team
        self._kernels = kernels = team.kernels(dtype)
        self._dtype = dtype
        self._lanes: int = kernels.lanes()
        self._in_shape = shape
        self._blocks = (BlockStructure * len(segment.blocks))()
        self._kept: list[Any] = []  # tensors of which the kernels have only the addresses
        self._work = WorkspaceStructure()
        self._groups = self._room = 0  # groups, and threads, that there is memory for
        self._out_shapes: list[tuple[int, int, int]] = []  # before the transition of each block, and below after it
        self._shapes: list[tuple[int, int, int]] = []
        transformed = False
        for number, (block, struct) in enumerate(zip(segment.blocks, self._blocks, strict=True)):
            struct.transformed = transformed or (number > 0 and block.main is None)
            shape, kept = describe_block(block, struct, shape, dtype)
            self._kept.append(kept)
            self._out_shapes.append(shape)
            shape = describe_transition(block.transition, struct, shape)
            self._shapes.append(shape)
            transformed = bool(block.transition)
        self._ends_transformed = transformed
        self._slots = [slot for block in segment.blocks for slot in block.slots()]
        self._tensors: list[Tensor | None] = []  # what was in the slots at the last step
        self._places: list[tuple[int, tuple[int, ...]] | None] = []  # address and strides of each
        self._gradients: list[Tensor | None] = []  # where the kernels write those of parameters
        self._dropouts = [number for number, block in enumerate(segment.blocks) if block.transition.dropout]
        self._drawn: list[Tensor] = []  # by dropouts in the step under way
        self._work.scratch_vectors = max(kernels.scratch_vectors(self._blocks, n) for n in range(len(self._blocks)))
        widest = max(max(struct.inputs, struct.outputs) for struct in self._blocks)
        self._sums = torch.empty(2, widest, dtype=torch.float64).unbind()
        self.generation = 0

    def _reserve(self, images: int) -> None:
        """Make sure of memory for so many images, on as many threads as the team has now."""
        groups, cut = -(-images // self._lanes), self._team.cut
        if groups > self._groups:
            groups_at_most, self._groups = groups, 0  # until there is memory
            self._allocate(groups_at_most, cut)
            self._groups = groups_at_most
        if (threads := self._team.threads) > self._room:
            most, self._room = max(threads, self._team.most()), 0
            self._scratch = self._vectors(most * self._work.scratch_vectors)
            self._work.scratch, self._room = self._scratch.data_ptr(), most
        self._work.threads, self._work.spin, self._work.timed = threads, self._team.spin, self._team.timed
        if images != self._work.images:
            self._work.images = images
            for struct in self._blocks:
                chunks = partition(groups, self._groups_together(struct), cut)
                struct.chunks, struct.first_group = len(chunks) - 1, chunks.data_ptr()

    def _allocate(self, groups: int, cut: int) -> None:
        work, kernels = self._work, self._kernels
        work.images, self._memory = 0, []
        work.input = self._maps(groups, group_size(self._in_shape))
        work.gradient = self._maps(groups, max(group_size(self._out_shapes[-1]), group_size(self._shapes[-1])))
        before = 0  # what the transition of the block before begins with
        for struct, shape in zip(self._blocks, self._out_shapes, strict=True):
            size = group_size((struct.outputs, struct.rows, struct.columns))
            in_size = group_size((struct.inputs, struct.in_rows, struct.in_columns))
            struct.raw = self._maps(groups, max(size, in_size, before))
            struct.out = self._maps(groups, group_size(shape)) if struct.pooling else struct.raw
            chunks = most_chunks(groups, self._groups_together(struct), cut)
            found = torch.empty(kernels.partial_sums_size(ctypes.byref(struct), groups, chunks), dtype=torch.float64)
            struct.partial_sums = found.data_ptr()
            self._memory.append(found)
            before = group_size(shape)
        for number in self._dropouts:
            lanes = torch.empty(groups, *self._out_shapes[number], dtype=torch.int16)
            self._blocks[number].transition.kept_lanes = lanes.data_ptr()
            self._memory.append(lanes)

    def _draw(self, images: int, *, training: bool) -> None:
        """Draw what each dropout keeps, as torch does, for a batch of so many images."""
        self._drawn = []
        for number in self._dropouts:
            transition, to = self.segment.blocks[number].transition, self._blocks[number].transition
            to.channel_factors = to.kept = None
            dropout = transition.dropout
            if not (training and dropout and dropout.p):
                continue
            channels, *_ = shape = self._out_shapes[number]
            if isinstance(dropout, nn.Dropout2d):
                drawn = F.dropout2d(torch.ones(images, channels, 1, 1, dtype=self._dtype), dropout.p)
                to.channel_factors = drawn.data_ptr()
            else:
                layout = torch.contiguous_format if transition.flat else torch.channels_last
                drawn = torch.empty(images, *shape, dtype=torch.bool, memory_format=layout)
                draw_kept(self._kernels, drawn, 1 - dropout.p)
                to.kept = drawn.data_ptr()
                to.kept_factor = float(torch.ones((), dtype=self._dtype) / (1 - dropout.p))
            self._drawn.append(drawn)

    def _groups_together(self, struct: BlockStructure) -> int:
        return int(self._kernels.groups_per_strip(ctypes.byref(struct)))

    def _maps(self, groups: int, size: int) -> MapsStructure:
        vectors = self._vectors(groups * size)
        self._memory.append(vectors)
        return MapsStructure(vectors.data_ptr(), size)

    def _vectors(self, count: int) -> Tensor:
        return zeros(count * self._lanes, self._dtype)

    def find_tensors(self) -> Tensor | None:
        """Take parameters and running statistics as the modules have them now; return one parameter that is trained."""
        self._tensors = [None if slot is None else slot[0][slot[1]] for slot in self._slots]
        places = [None if tensor is None else (tensor.data_ptr(), tensor.stride()) for tensor in self._tensors]
        if places != self._places:
            self._point_at_tensors()
            self._places = places
        return next((tensor for tensor, _ in self._trained()), None)

    def _trained(self) -> Iterator[tuple[Tensor, Tensor]]:
        for tensor, gradient in zip(self._tensors, self._gradients, strict=True):
            if tensor is not None and gradient is not None and tensor.requires_grad:
                yield tensor, gradient

    def _point_at_tensors(self) -> None:
        self._gradients = []
        tensors = iter(self._tensors)
        for block, struct in zip(self.segment.blocks, self._blocks, strict=True):
            if block.main is not None:
                weight = block.main.weight
                if isinstance(block.main, nn.Linear):
                    weight = weight.view(weight.shape[0], struct.inputs, struct.kernel_rows, struct.kernel_columns)
                struct.weight_strides[:] = weight.stride()
            for name, of_gradient in zip_longest(TENSORS, GRADIENTS):
                tensor, gradient = next(tensors), None
                if tensor is not None and of_gradient:
                    # Not `empty_like`, which makes a tensor dense that is not: the kernels know one set of strides.
                    gradient = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
                    setattr(struct, of_gradient, gradient.data_ptr())
                setattr(struct, name, None if tensor is None else tensor.data_ptr())
                self._gradients.append(gradient)

    def forward(self, x: Tensor, *, training: bool) -> Tensor:
        """From (B, C, H, W) to the segment's output, (B, C, H, W) or flat (B, C * H * W), with the tensors found last.

        In training, running statistics change as those of the modules would.
        """
        self.generation += 1
        images = len(x)
        self._reserve(images)
        self._work.training = training
        self._draw(images, training=training)
        work, kernels, last = ctypes.byref(self._work), self._kernels, self._blocks[-1]
        kernels.read_images(work, x.data_ptr(), _strides(x), *self._in_shape)
        kernels.forward(self._blocks, len(self._blocks), work, self._ends_transformed)
        out = _images(x, images, self._shapes[-1])
        maps, scale, shift = last.out, None, None
        if self._ends_transformed:
            maps = self._work.gradient
        elif last.norm:
            scale, shift = last.scale, last.shift
        kernels.write_images(work, ctypes.byref(maps), out.data_ptr(), _strides(out), *self._shapes[-1], scale, shift)
        return out.flatten(1) if self.segment.flat else out

    def backward(self, gradient: Tensor, wanted: bool) -> Tensor | None:
        """From the gradient of the last output, of its shape, to that of the input, (B, C, H, W), if it is wanted.

        Parameters get theirs added to `grad` here: through autograd, so many would take longer.
        """
        gradient = gradient.reshape(len(gradient), *self._shapes[-1])
        trained = [
            (tensor, found, None if tensor.grad is None else tensor.grad.clone()) for tensor, found in self._trained()
        ]
        work, kernels, count = ctypes.byref(self._work), self._kernels, len(self._blocks)
        sums = (row.data_ptr() for row in self._sums)
        address, strides = gradient.data_ptr(), _strides(gradient)
        kernels.backward(self._blocks, count, work, address, strides, wanted, *sums, self._ends_transformed)
        done: set[Tensor] = set()  # a layer that is used several times has as many gradients
        for tensor, found, before in trained:
            before = tensor.grad if tensor in done else before
            tensor.grad = found if before is None else before.add_(found)
            done.add(tensor)
        if not wanted:
            return None
        x_gradient = _images(gradient, len(gradient), self._in_shape)
        source, strides = ctypes.byref(self._blocks[0].raw), _strides(x_gradient)
        kernels.write_images(work, source, x_gradient.data_ptr(), strides, *self._in_shape, None, None)
        return x_gradient


def group_size(shape: tuple[int, int, int]) -> int:
    """Vectors that a group of images of this shape (C, H, W) takes."""
    channels, height, width = shape
    return channels * plane_size(height, width)


def _images(like: Tensor, count: int, shape: tuple[int, int, int]) -> Tensor:
    """Memory for images in channels_last, as eager steps have them: a dropout then draws the same for each value."""
    return torch.empty(count, *shape, dtype=like.dtype, memory_format=torch.channels_last)


def _strides(tensor: Tensor) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * 4)(*tensor.stride())


def zeros(count: int, dtype: torch.dtype) -> Tensor:
    """A tensor (count) of zeros, on large pages where the system has them and one is filled.

    The channels of a map lie far apart, so that a convolution touches many pages. With large ones the processor looks
    up fewer addresses, and a step takes a few percent less time.

    Raises:
        MemoryError: when there is not so much memory.
    """
    size = count * dtype.itemsize
    if size < HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.zeros(count, dtype=dtype)
    try:
        memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError) as error:
        raise MemoryError(f"{size:,} bytes") from error
    with suppress(OSError):  # the system may have been built without large pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    every = torch.frombuffer(memory, dtype=torch.uint8)  # keeps `memory` alive
    first = -every.data_ptr() % HUGE
    return every[first : first + size].view(dtype)
