"""Finds the layers of a network that run in the kernels.

A block is a convolution or a small linear layer, with the ReLU, batch norm and pooling that follow it, if any, in this
order. A segment is a row of blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from torch import Tensor, nn

CLASSIFIER = 16
"""The most outputs of a linear layer that joins the convolutions before it; torch is faster at wider ones."""

TensorSlot = tuple[Mapping[str, Tensor | None], str]
"""A module's dictionary of tensors and a name in it; reading it takes a tenth of the time of reading an attribute."""

PoolModule = nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d


@dataclass
class FusedBlock:
    """The modules of a block."""

    main: nn.Conv2d | nn.Linear
    relu: bool = False
    norm: nn.BatchNorm2d | None = None
    pool: PoolModule | None = None

    def slots(self) -> list[TensorSlot | None]:
        """Where the modules keep weight, bias, gamma, beta, running mean and variance, and the number of batches."""
        main, norm = self.main, self.norm
        found: list[TensorSlot | None] = [(main._parameters, "weight"), (main._parameters, "bias")]
        if norm is None:
            return [*found, None, None, None, None, None]
        buffers = ("running_mean", "running_var", "num_batches_tracked")
        found += [(norm._parameters, "weight"), (norm._parameters, "bias")]
        return [*found, *((norm._buffers, name) for name in buffers)]


@dataclass
class Segment:
    """Blocks in a row. Where it is `flat`, the output is (B, C * H * W) and not (B, C, H, W)."""

    blocks: list[FusedBlock] = field(default_factory=list)
    flat: bool = False


def split(modules: Sequence[nn.Module]) -> list[Segment | nn.Module]:
    """A network's segments, and between them the modules that there are no kernels for."""
    parts: list[Segment | nn.Module] = []
    at = 0
    while at < len(modules):
        module = modules[at]
        last = parts[-1] if parts and isinstance(parts[-1], Segment) else None
        at += 1
        if isinstance(module, nn.Flatten) and last is not None and (module.start_dim, module.end_dim) == (1, -1):
            last.flat = True
        elif _is_covered(module, last):
            block = FusedBlock(cast("nn.Conv2d | nn.Linear", module))
            at = _add_followers(block, modules, at)
            if last is None:
                parts.append(last := Segment())
            last.blocks.append(block)
            last.flat = last.flat or isinstance(module, nn.Linear)
        else:
            parts.append(module)
    return parts


def _add_followers(block: FusedBlock, modules: Sequence[nn.Module], at: int) -> int:
    def following() -> nn.Module | None:
        return modules[at] if at < len(modules) else None

    if isinstance(following(), nn.ReLU):
        block.relu, at = True, at + 1
    if isinstance(block.main, nn.Linear):
        return at
    if isinstance(norm := following(), nn.BatchNorm2d) and _has_statistics_and_parameters(norm):
        block.norm, at = norm, at + 1
    if isinstance(pool := following(), PoolModule) and _is_plain(pool):
        block.pool, at = pool, at + 1
    return at


def _is_covered(module: nn.Module, before: Segment | None) -> bool:
    if isinstance(module, nn.Linear):
        return before is not None and module.out_features <= CLASSIFIER
    return (
        isinstance(module, nn.Conv2d)
        and not (before is not None and before.flat)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and all(len(set(pair)) == 1 for pair in (module.stride, module.padding, module.dilation))
        and (module.groups == 1 or module.groups == module.in_channels == module.out_channels)
    )


def _has_statistics_and_parameters(norm: nn.BatchNorm2d) -> bool:
    return norm.affine and norm.track_running_stats and norm.momentum is not None


def _is_plain(pool: PoolModule) -> bool:
    """Whether its windows lie side by side from the top left corner on, or it is one window over the whole map."""
    match pool:
        case nn.AdaptiveAvgPool2d():
            return pool.output_size in (1, (1, 1))
        case nn.MaxPool2d():
            return (pool.stride, pool.padding, pool.dilation, pool.ceil_mode, pool.return_indices) == (
                pool.kernel_size,
                0,
                1,
                False,
                False,
            )
        case _:
            return (pool.stride, pool.padding, pool.ceil_mode, pool.divisor_override) == (
                pool.kernel_size,
                0,
                False,
                None,
            )
