"""Finds the layers of a network that run in the kernels.

A segment is a row of blocks. A block is a convolution or a small linear layer, and the ReLU, batch norm and pooling
that follow it in this order. What follows in any other order - an activation, a dropout, a pooling of any windows - is
the transition to the next block. A block without a convolution takes in what is left: a norm after a pooling, a second
pooling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from core.models.conv import Conv2d
from core.models.norm import BatchNorm2d

CLASSIFIER = 16
"""The most outputs of a linear layer that joins the convolutions before it; torch is faster at wider ones."""

MOST_WEIGHTS = 1 << 22
"""Of a layer in the kernels. Each needs a vector of memory on each thread for its gradient."""

TensorSlot = tuple[Mapping[str, Tensor | None], str]
"""A module's dictionary of tensors and a name in it; reading it takes a tenth of the time of reading an attribute."""

NormModule = nn.BatchNorm1d | nn.BatchNorm2d
PoolModule = nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d
ActivationModule = nn.ReLU | nn.LeakyReLU | nn.ELU | nn.SiLU | nn.GELU | nn.Tanh | nn.Sigmoid
DropoutModule = nn.Dropout | nn.Dropout2d

KNOWN = {
    *(Conv2d, nn.Conv2d, nn.Linear, BatchNorm2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Flatten),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Dropout2d),
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid),
}
"""The classes of layers that there are kernels for. A class made of one of them may compute something else."""

_PARAMETERS, _STATISTICS = ("weight", "bias"), ("running_mean", "running_var", "num_batches_tracked")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_OF_TENSOR = ("_backward_hooks", "_post_accumulate_grad_hooks")


@dataclass
class Transition:
    """An activation, a dropout and a pooling, in this order. Where it is `flat`, the dropout is after flattening."""

    activation: ActivationModule | None = None
    dropout: DropoutModule | None = None
    pool: PoolModule | None = None
    flat: bool = False

    def __bool__(self) -> bool:
        return bool(self.activation or self.dropout or self.pool)

    def add(self, module: nn.Module, *, flat: bool) -> bool:
        """Take in the next module, if it may come last or commutes with what would come after it."""
        match module:
            case _ if isinstance(module, ActivationModule) and self.activation is None:
                if self.pool is not None and not (isinstance(self.pool, nn.MaxPool2d) and _keeps_order(module)):
                    return False
                if self.dropout is not None and not isinstance(module, nn.ReLU | nn.LeakyReLU):
                    return False  # while those commute with a dropout's factors, which are not negative
                self.activation = module
            case nn.Dropout() | nn.Dropout2d() if self.dropout is None:
                of_channels = isinstance(module, nn.Dropout2d)
                if flat if of_channels else self.pool is not None:
                    return False
                self.dropout, self.flat = module, flat
            case nn.MaxPool2d() | nn.AvgPool2d() | nn.AdaptiveAvgPool2d() if self.pool is None:
                self.pool = module
            case _:
                return False
        return True

    def lets_pass(self, pool: PoolModule) -> bool:
        """Whether a pooling gives the same before the transition as after it."""
        if self.pool is not None or isinstance(self.dropout, nn.Dropout):
            return False
        if isinstance(pool, nn.MaxPool2d):
            return self.activation is None or _keeps_order(self.activation)
        return self.activation is None


@dataclass
class FusedBlock:
    """The modules of a block; one without `main` begins with what the transition before it gives."""

    main: nn.Conv2d | nn.Linear | None
    relu: bool = False
    norm: NormModule | None = None
    pool: PoolModule | None = None
    transition: Transition = field(default_factory=Transition)
    early: bool = False
    """As in `split`."""

    def slots(self) -> list[TensorSlot | None]:
        """Where the modules keep weight, bias, gamma, beta, running mean and variance, and the number of batches."""
        found: list[TensorSlot | None] = []
        for module in (self.main, self.norm):
            found += [None if module is None else (module._parameters, name) for name in _PARAMETERS]
        return found + [None if self.norm is None else (self.norm._buffers, name) for name in _STATISTICS]

    def add(self, module: nn.Module, *, flat: bool) -> bool:
        """Take in the next module of the network, if there is a place for it."""
        plain = not self.transition
        if isinstance(module, nn.ReLU) and plain and self.main and not (self.relu or self.norm or self.pool):
            self.relu = True
        elif plain and self.norm is None and self.pool is None and _is_norm(module, self.main):
            assert isinstance(module, NormModule)
            self.norm = module
        elif isinstance(module, PoolModule) and flat:
            return False
        elif isinstance(module, PoolModule) and self.pool is None and _is_side_by_side(module) and self._moves(module):
            self.pool = module
        elif _has_kernel(module) and not (plain and self.is_split_from(module)):
            return self.transition.add(module, flat=flat)
        else:
            return False
        return True

    def _moves(self, pool: PoolModule) -> bool:
        return not isinstance(self.main, nn.Linear) and self.transition.lets_pass(pool)

    def is_split_from(self, module: nn.Module) -> bool:
        """Whether this module is left to torch because an earlier version did so."""
        has_bias = self.main is not None and self.main.bias is not None
        return self.early and has_bias and isinstance(module, nn.Dropout | PoolModule)


@dataclass
class Segment:
    """Blocks in a row. Where it is `flat`, the output is (B, C * H * W) and not (B, C, H, W)."""

    blocks: list[FusedBlock] = field(default_factory=list)
    flat: bool = False
    modules: list[nn.Module] = field(default_factory=list)

    def has_convolution(self) -> bool:
        """Without one nothing is gained."""
        return any(block.main is not None for block in self.blocks)


def split(modules: Sequence[nn.Module], *, early: bool = False) -> list[Segment | nn.Module]:
    """A network's segments, and between them the modules that there are no kernels for.

    Args:
        early: end a segment at each dropout of values and second pooling behind a convolution with a bias, as earlier
            versions did, so that a run which one of them began goes on to the same bits.
    """
    parts: list[Segment | nn.Module] = []
    for module in modules:
        last = parts[-1] if parts and isinstance(parts[-1], Segment) else None
        if type(module) not in KNOWN or is_changed(module):
            parts.append(module)
            continue
        if isinstance(module, nn.Conv2d | nn.Linear) and _is_covered(module, last):
            if last is None:
                parts.append(last := Segment())
            last.blocks.append(FusedBlock(module, early=early))
        elif last is None and _is_norm(module, None):
            parts.append(last := Segment())
            last.blocks.append(FusedBlock(None))
            last.blocks[0].add(module, flat=False)
        elif last is None or not _joins(module, last):
            parts.append(module)
            continue
        last.modules.append(module)
    found: list[Segment | nn.Module] = []
    for part in parts:
        found += part.modules if isinstance(part, Segment) and not part.has_convolution() else [part]
    return found


def is_changed(module: nn.Module) -> bool:
    """Whether a module does something else than its class, by hooks or by what was put over its forward or weights."""
    tensors = [tensor for tensor in module._parameters.values() if tensor is not None]
    hooks = [getattr(module, kind, None) for kind in _HOOKS]
    hooks += [getattr(tensor, kind, None) for tensor in tensors for kind in _OF_TENSOR]
    return any(hooks) or bool(vars(module).keys() & {"forward", "train", *_PARAMETERS})


def _joins(module: nn.Module, segment: Segment) -> bool:
    """Whether a module that is no convolution becomes part of the segment before it."""
    if isinstance(module, nn.Flatten):
        if (module.start_dim, module.end_dim) != (1, -1):
            return False
        segment.flat = True
        return True
    last = segment.blocks[-1]
    if last.add(module, flat=segment.flat):
        return True
    copy = FusedBlock(None)
    if segment.flat or (not last.transition and last.is_split_from(module)) or not copy.add(module, flat=False):
        return False
    segment.blocks.append(copy)
    return True


def _is_covered(module: nn.Conv2d | nn.Linear, before: Segment | None) -> bool:
    if module.weight.numel() > MOST_WEIGHTS:
        return False
    if isinstance(module, nn.Linear):
        # Of a map that is not flat it would multiply the rows.
        return before is not None and before.flat and module.out_features <= CLASSIFIER
    return (
        not (before is not None and before.flat)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and (module.groups == 1 or module.groups == module.in_channels == module.out_channels)
    )


def _is_norm(module: nn.Module, main: nn.Module | None) -> bool:
    """Whether it is a batch norm, over what `main` gives, that has running statistics."""
    kind = nn.BatchNorm1d if isinstance(main, nn.Linear) else nn.BatchNorm2d
    return isinstance(module, kind) and module.track_running_stats and module.momentum is not None


def _has_kernel(module: nn.Module) -> bool:
    match module:
        case nn.GELU():
            return module.approximate == "none"
        case _ if isinstance(module, ActivationModule):
            return True
        case nn.Dropout() | nn.Dropout2d():
            return module.p < 1
        case nn.MaxPool2d():
            return (pair(module.dilation), module.ceil_mode, module.return_indices) == ((1, 1), False, False)
        case nn.AvgPool2d():
            counts = module.count_include_pad or pair(module.padding) == (0, 0)
            return counts and not module.ceil_mode and module.divisor_override is None
        case nn.AdaptiveAvgPool2d():
            return module.output_size in (1, (1, 1))
        case _:
            return False


def _is_side_by_side(pool: PoolModule) -> bool:
    """Whether its windows lie side by side from the top left corner on, or it is one window over the whole map."""
    if isinstance(pool, nn.AdaptiveAvgPool2d):
        return _has_kernel(pool)
    return _has_kernel(pool) and pair(pool.stride) == pair(pool.kernel_size) and pair(pool.padding) == (0, 0)


def pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """A module's setting for rows and columns, which may be one number for both."""
    rows, columns = (value, value) if isinstance(value, int) else value
    return rows, columns


def _keeps_order(activation: ActivationModule) -> bool:
    """Whether the largest value is the largest after it, too."""
    return isinstance(activation, nn.ReLU) or (isinstance(activation, nn.LeakyReLU) and activation.negative_slope >= 0)
