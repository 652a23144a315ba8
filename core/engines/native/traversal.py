"""The order in which a convolution goes over a map: which taps of its kernel each pixel has, and where they read.

At the borders of a padded map, and in the backward pass, pixels have fewer taps than elsewhere. Pixels with the same
taps are a class; each class is computed with its own taps, so that nothing is multiplied by a padding's zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.engines.native.structures import TraversalStructure

RUN = 3
"""Taps that the kernels take as one run where they read values side by side; all others are runs of one."""


@dataclass(frozen=True, slots=True)
class ConvolutionAxis:
    """A convolution along the rows or the columns of a map."""

    inputs: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def outputs(self) -> int:
        return (self.inputs + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    def place(self, output: int, tap: int) -> int:
        """The position that a tap of an output reads; outside of 0..inputs - 1 it lies in the padding."""
        return output * self.stride - self.padding + tap * self.dilation

    def taps(self, *, back: bool) -> list[list[tuple[int, int]]]:
        """For each output its taps, each with the input that it reads: (tap, input).

        Or `back`, for each input the taps of the kernel turned round, each with the output whose gradient it reads.
        """
        found: list[list[tuple[int, int]]] = [[] for _ in range(self.inputs if back else self.outputs)]
        for output in range(self.outputs):
            for tap in range(self.kernel):
                if 0 <= (place := self.place(output, tap)) < self.inputs:
                    if back:
                        found[place].append((self.kernel - 1 - tap, output))
                    else:
                        found[output].append((tap, place))
        return found


class Traversal:
    """Tables of pixels by class: over a convolution's outputs, or `back`, over its inputs, which then read gradients.

    `address` points to the tables for the kernels; keep the traversal as long as it is in use.

    Args:
        channels: how many channels each output reads.
    """

    def __init__(self, channels: int, vertical: ConvolutionAxis, horizontal: ConvolutionAxis, *, back: bool) -> None:
        source = horizontal.outputs if back else horizontal.inputs  # columns of the map that is read
        plane = plane_size(vertical.outputs if back else vertical.inputs, source)
        kernel = vertical.kernel * horizontal.kernel
        target = horizontal.inputs if back else horizontal.outputs
        pixels, runs = [0], [0]
        length: list[int] = []
        weight: list[int] = []
        offset: list[int] = []
        reads: list[int] = []
        writes: list[int] = []
        for row_taps, rows in _classes(vertical.taps(back=back)).items():
            for column_taps, columns in _classes(horizontal.taps(back=back)).items():
                length.append(RUN if _is_run(column_taps) else 1)
                first = [(row, column) for row in row_taps for column in column_taps[:: length[-1]]]  # of each run
                for channel in range(channels):
                    weight += [channel * kernel + i * horizontal.kernel + j for (i, _), (j, _) in first]
                    offset += [channel * plane + down * source + right for (_, down), (_, right) in first]
                reads += [top * source + left for _, top in rows for _, left in columns]
                writes += [row * target + column for row, _ in rows for column, _ in columns]
                pixels.append(len(reads))
                runs.append(len(weight))
        tables = (pixels, runs, length, weight, offset, reads, writes)
        self._tables = [torch.tensor(table, dtype=torch.int32) for table in tables]
        self.address = TraversalStructure(len(pixels) - 1, *(table.data_ptr() for table in self._tables))


def weight_reads(
    channels: int, vertical: ConvolutionAxis, horizontal: ConvolutionAxis
) -> tuple[Tensor, Tensor, Tensor]:
    """The input that each weight of one output reads, in the order (channel, kernel row, kernel column).

    Returns:
        Three int32 tensors: where the weight's channel begins, in vectors, and the row and the column that the output
        in the top left corner reads.
    """
    size = plane_size(vertical.inputs, horizontal.inputs)
    every = [
        (channel * size, vertical.place(0, i), horizontal.place(0, j))
        for channel in range(channels)
        for i in range(vertical.kernel)
        for j in range(horizontal.kernel)
    ]
    plane, row, column = torch.tensor(every, dtype=torch.int32).T.contiguous()
    return plane, row, column


def plane_size(height: int, width: int) -> int:
    """Vectors from one channel of a map to the next, as in `types.h`."""
    return height * width | 1


def _is_run(taps: tuple[tuple[int, int], ...]) -> bool:
    """Whether the taps follow each other in the kernel and read places side by side."""
    return len(taps) == RUN and all(
        (tap, at) == (taps[0][0] + step, taps[0][1] + step) for step, (tap, at) in enumerate(taps)
    )


def _classes(taps: list[list[tuple[int, int]]]) -> dict[tuple[tuple[int, int], ...], list[tuple[int, int]]]:
    """The places along an axis, each with what its first tap reads, by taps.

    A key has each tap and where it reads, counted from the first one's place.
    """
    found: dict[tuple[tuple[int, int], ...], list[tuple[int, int]]] = {}
    for place, each in enumerate(taps):
        first = each[0][1] if each else 0
        found.setdefault(tuple((tap, at - first) for tap, at in each), []).append((place, first))
    return found
