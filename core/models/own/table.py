"""The layer table of any module: torchinfo's rows, with what is counted here of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.backends import mha, mkldnn

from core.device.torch_private import TorchDispatchMode, tree_flatten
from core.models.build import count_parameters
from core.models.own.copying import copy_module
from core.models.own.remarks import remarks_on
from core.models.own.weights import memory_of
from core.models.summary import UNLISTED_KINDS, Layer, Shape, Summary, label_rows
from core.task import MNIST_TASK, ImageTask

BATCH = 2
"""Images in the forward pass that is looked at."""


def summarize_module(
    model: nn.Module, name: str, files: tuple[Path, ...] = (), task: ImageTask = MNIST_TASK
) -> Summary:
    """The layer table of a module, which is not changed; nor is torch's random state.

    There is a row for each use of an innermost module, and one for each other that has parameters of its own or
    computes with weights itself. Parameters stand in the first row that has them, so that the rows add up to the total;
    layers that forward does not use come last. MACs are counted as for specs: those of convolutions and of products
    with weights, for one image, biases left out. The receptive field of free-form code is not known.
    """
    from torchinfo import summary as torchinfo_summary

    with torch.random.fork_rng(devices=[]):
        # In train mode it would change batch-norm statistics.
        copy = copy_module(model).eval()
        names = {id(part): path for path, part in copy.named_modules()}
        uses = _Uses(copy, task.size)
        with _in_steps(), uses:
            rows = torchinfo_summary(
                copy, input_size=(BATCH, 1, task.size, task.size), device="cpu", mode="eval", verbose=0, col_names=()
            ).summary_list
        uses.settle()
        counted: set[int] = set()
        layers: list[Layer] = []
        seen: dict[int, int] = {}
        for row in rows:
            part, place = row.module, seen.get(id(row.module), 0)
            if place >= len(calls := uses.calls.get(id(part), ())):
                continue  # a container that is never called
            seen[id(part)] = place + 1
            layer = _layer(part, names, calls[place], counted)
            if row.is_leaf_layer or layer.params or layer.macs:
                layers.append(layer)
        left = [part for part in copy.modules() if id(part) not in seen]
        layers += [
            _layer(part, names, uses.of_weights(part), counted) for part in left if any(True for _ in _own(part))
        ]
        unused = dict(_unused(copy, uses.trained_too()))
    return Summary(
        name=name,
        spec=name,
        total_params=count_parameters(model),
        trainable_params=count_parameters(model, trainable_only=True),
        macs=sum(layer.macs for layer in layers),
        receptive_field=None,
        layers=label_rows([layer for layer in layers if layer.kind not in UNLISTED_KINDS]),
        files=files,
        unused=unused,
        remarks=remarks_on(model, task),
    )


@contextmanager
def _in_steps() -> Iterator[None]:
    """Within the block, torch computes recurrent layers and attention step by step, so that their products are seen."""
    before = mkldnn.enabled, mha.get_fastpath_enabled()
    mkldnn.enabled = False  # type: ignore[assignment]  # a property of the module
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mkldnn.enabled = before[0]
        mha.set_fastpath_enabled(before[1])


@dataclass(slots=True)
class _Use:
    """One use of a module: the shape of its output, and the multiply-adds that are its own, for the whole batch."""

    module: nn.Module
    shape: Shape = (0, 0, 0)
    macs: int = 0


@dataclass(slots=True)
class _Product:
    """Multiply-adds with a weight outside of the innermost modules."""

    user: _Use
    owner: int | None
    macs: int
    output: Tensor


@dataclass
class _Uses(TorchDispatchMode):
    """Within the context, which is of one forward pass, the uses of a model's modules and weights are noted."""

    model: nn.Module
    size: int
    calls: dict[int, list[_Use]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._under_way: list[_Use] = []
        self._products: list[_Product] = []
        self._by_weights: dict[int, _Use] = {}
        self._used: set[int] = set()
        self._owners: dict[int, int] = {}
        for part in self.model.modules():
            for parameter in _own(part):
                self._owners.setdefault(memory_of(parameter), id(part))

    def __enter__(self) -> _Uses:
        self._hooks = [
            hook
            for part in self.model.modules()
            for hook in (part.register_forward_pre_hook(self._begin), part.register_forward_hook(self._end))
        ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        given = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
        self._used |= {memory for one in given if (memory := memory_of(one)) in self._owners}
        if isinstance(output, Tensor) and (found := _macs(func, args, output)) is not None:
            self._note(*found, output)
        return output

    def settle(self) -> None:
        """Give what was computed with weights of a module that was not called itself to that module."""
        for product in self._products:
            if product.owner is None or product.owner in self.calls:
                product.user.macs += product.macs
            else:
                use = self._by_weights.setdefault(product.owner, _Use(product.user.module))
                use.macs += product.macs
                use.shape = _shape(product.output)

    def of_weights(self, part: nn.Module) -> _Use:
        """The use of a module's weights that was made without calling it."""
        return self._by_weights.get(id(part), _Use(part))

    def trained_too(self) -> set[int]:
        """The memory of the parameters that are used, in training mode or in evaluation mode."""
        self.model.train()
        # What fails in training is told by `core.training.trial`.
        with suppress(Exception, SystemExit, KeyboardInterrupt), torch.no_grad(), self:
            self.model(torch.zeros(BATCH, 1, self.size, self.size))
        return self._used

    def _begin(self, part: nn.Module, _inputs: object) -> None:
        self._under_way.append(_Use(part))
        self.calls.setdefault(id(part), []).append(self._under_way[-1])

    def _end(self, _part: nn.Module, _inputs: object, output: object) -> None:
        use = self._under_way.pop()
        if isinstance(output, Tensor):
            use.shape = _shape(output)

    def _note(self, macs: int, weight: Tensor, is_sure: bool, output: Tensor) -> None:
        owner = self._owners.get(memory_of(weight))
        if not self._under_way or not (is_sure or owner is not None):
            return
        user = self._under_way[-1]
        if next(user.module.children(), None) is None:
            user.macs += macs
        else:
            self._products.append(_Product(user, owner, macs, output))


def _macs(func: Any, args: Sequence[Any], output: Tensor) -> tuple[int, Tensor, bool] | None:
    """The multiply-adds of an operation, the weight it has, and whether that is surely one; None for other kinds.

    A batched product is one with weights only where one of its factors is a parameter.
    """
    match func.overloadpacket._qualified_op_name.removeprefix("aten::"):
        case "convolution":
            inputs, weight, transposed = args[0], args[1], args[6]
            return (inputs if transposed else output).numel() * weight[0].numel(), weight, True
        case "mm" | "addmm":
            first, weight = args[-2:]
            return output.numel() * first.shape[-1], weight, True
        case "bmm" | "baddbmm":
            first, weight = args[-2:]
            return output.numel() * first.shape[-1], weight, False
        case "mv":
            return args[0].numel(), args[1], False
        case "_trilinear":
            return output.numel() * args[1][0].numel(), args[1], False
        case _:
            return None


def _layer(part: nn.Module, names: dict[int, str], use: _Use, counted: set[int]) -> Layer:
    """The row of one use; parameters that have been counted are left out."""
    fresh = {id(one): one.numel() for one in _own(part) if id(one) not in counted}
    counted |= set(fresh)
    return Layer(
        kind=type(part).__name__,
        output_shape=use.shape,
        receptive_field=None,
        params=sum(fresh.values()),
        macs=use.macs // BATCH,
        path=names.get(id(part), ""),
    )


def _unused(copy: nn.Module, used: set[int]) -> Iterator[tuple[str, int]]:
    """What no forward pass uses, by module where that is all of its own parameters, with their number."""
    told: set[int] = set()
    for path, part in copy.named_modules():
        own = {name: one for name, one in part.named_parameters(recurse=False) if id(one) not in told}
        told |= {id(one) for one in own.values()}
        idle = {name: one.numel() for name, one in own.items() if one.numel() and memory_of(one) not in used}
        if path and idle and len(idle) == len(own):
            yield path, sum(idle.values())
        else:
            yield from ((".".join(filter(None, (path, name))), count) for name, count in idle.items())


def _own(part: nn.Module) -> Iterable[nn.Parameter]:
    return part.parameters(recurse=False)


def _shape(output: Tensor) -> Shape:
    """A batch's shape as (channels, height, width), with ones for what is missing."""
    sides = [*output.shape[1:4], 1, 1, 1][:3]
    return (sides[0], sides[1], sides[2])
