"""Which weights a forward pass computes with, and whether they are the module's: torch trains and saves no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from core.device.torch_private import TorchDispatchMode, tree_flatten


def memory_of(tensor: Tensor) -> int:
    """Where the numbers of a tensor lie: the same for its views."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError, ValueError):  # a tensor without memory: a sparse or a lazy one
        return 0


class WeightsInUse(TorchDispatchMode):
    """Within the context, which is of a forward pass of a module, `problem` finds the weights that are not its own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._model = model
        self._before = dict(model.named_parameters())
        self._used: dict[int, nn.Parameter] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for one in tree_flatten((args, kwargs))[0]:
            if isinstance(one, nn.Parameter) and one.requires_grad and (memory := memory_of(one)):
                self._used[memory] = one  # kept, so that nothing else comes to lie there
        return func(*args, **(kwargs or {}))

    @property
    def new(self) -> list[str]:
        """The names of the parameters that the pass has made."""
        return [name for name, _ in self._model.named_parameters() if name not in self._before]

    def problem(self) -> tuple[str, str] | None:
        """Why some of the weights that were used would not be trained or saved, and what to do; None when all would."""
        now = dict(self._model.named_parameters())
        if replaced := [name for name, one in self._before.items() if now.get(name) is not one]:
            return f"forward makes {replaced[0]} anew each time, so that it learns nothing", "make it in __init__"
        own = {memory_of(one) for one in now.values()}
        if not (foreign := {memory: one for memory, one in self._used.items() if memory not in own}):
            return None
        count = sum(one.numel() for one in foreign.values())
        what = f"computes with {count:,} weights that torch neither counts, trains nor saves"
        for path, kind, inside in _plain_containers(self._model):
            if foreign.keys() & inside:
                return f"{what}: {path} is a plain {kind.lower()}", f"make it an nn.Module{kind} or nn.Parameter{kind}"
        return f"{what}: they are made in forward, or outside of the network", "make them in __init__"


def _plain_containers(model: nn.Module) -> Iterator[tuple[str, str, set[int]]]:
    """The attributes that are lists or dicts: name, kind, and where the weights in them lie."""
    for path, part in model.named_modules():
        for name, value in vars(part).items():
            if name not in ("_parameters", "_buffers", "_modules") and isinstance(value, Mapping | list | tuple):
                kind = "Dict" if isinstance(value, Mapping) else "List"
                yield ".".join(filter(None, (path, name))), kind, {memory_of(one) for one in _weights_in(value)}


def _weights_in(value: Any) -> Iterator[Tensor]:
    match value:
        case Mapping():
            for one in value.values():
                yield from _weights_in(one)
        case list() | tuple():
            for one in value:
                yield from _weights_in(one)
        case nn.Module():
            yield from value.parameters()
        case nn.Parameter():
            yield value
