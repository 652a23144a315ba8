"""What the words of a spec mean: a block each, in plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Pair = tuple[int, int]
"""Rows and columns."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A block that the word number `at` of the spec stands for, counted from 1."""

    at: int = field(default=0, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Conv(_Placed):
    """A convolution, its ReLU and its batch norm; `relu_last` puts the norm before the ReLU.

    `separable` splits the convolution into depthwise and pointwise; `bias` and `groups` are then the pointwise one's
    and 1.
    """

    channels: int
    kernel: Pair = (3, 3)
    padding: Pair = (0, 0)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    relu: bool = True
    norm: bool = True
    relu_last: bool = False
    separable: bool = False

    @property
    def reach(self) -> Pair:
        """The rows and columns from the first to the last pixel that the kernel touches."""
        rows, columns = (d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        return rows, columns


@dataclass(frozen=True, slots=True)
class Pool(_Placed):
    """Pooling over windows; padding is minus infinity for the maximum, and zeros, counted in, for the average."""

    mode: Literal["max", "average"]
    size: Pair
    stride: Pair
    padding: Pair = (0, 0)


@dataclass(frozen=True, slots=True)
class GlobalPool(_Placed):
    """The mean over the whole map."""


@dataclass(frozen=True, slots=True)
class Flattening(_Placed):
    """A map as one row of units."""


@dataclass(frozen=True, slots=True)
class Drop(_Placed):
    """Dropout with probability `p`: of single values, or of whole channels."""

    p: float
    channels: bool = False


@dataclass(frozen=True, slots=True)
class Dense(_Placed):
    """A fully connected layer; `relu` is off for the last one on the way to the logits."""

    units: int
    relu: bool
    bias: bool = True


@dataclass(frozen=True, slots=True)
class Norm(_Placed):
    """A norm alone; `groups` are those of a group norm, and without `affine` it has no weight and no bias."""

    kind: Literal["batch", "group", "layer", "instance"]
    affine: bool = True
    groups: int = 0


@dataclass(frozen=True, slots=True)
class Activation(_Placed):
    """An activation alone, by the name of torch's class; `slope` is a leaky ReLU's below 0."""

    kind: str
    slope: float | None = None


@dataclass(frozen=True, slots=True)
class Factor(_Placed):
    """Multiplication by a constant."""

    factor: float


@dataclass(frozen=True, slots=True)
class Branching(_Placed):
    """The sum of what each branch makes of the same input; of a single branch and the input itself."""

    branches: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True, slots=True)
class Reuse(_Placed):
    """The same blocks, with the same weights, so many times in a row; with `own_statistics` each batch norm keeps a
    running mean and variance for each time."""

    times: int
    blocks: tuple[Block, ...]
    own_statistics: bool = False


Block = (
    Conv
    | Pool
    | GlobalPool
    | Flattening
    | Drop
    | Dense
    | Norm
    | Activation
    | Factor
    | Branching
    | Reuse
)  # fmt: skip


def parts(block: Block) -> tuple[tuple[Block, ...], ...]:
    """The rows of blocks that a block is made of."""
    match block:
        case Branching(branches):
            return branches
        case Reuse(blocks=blocks):
            return (blocks,)
        case _:
            return ()


def all_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, those inside others after these."""
    for block in blocks:
        yield block
        for row in parts(block):
            yield from all_blocks(row)


def ends_in_norm(block: Block) -> bool:
    """Whether dropout for the whole network goes behind this block."""
    return isinstance(block, Norm) or (isinstance(block, Conv) and block.norm)
