"""Modules of specs that `torch.nn` has none of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn


class Residual(nn.ModuleList):
    """The sum of what each branch makes of the input; of a single branch and the input itself."""

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__(branches)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [branch(x) for branch in self]
        if len(outputs) == 1:
            outputs.append(x)
        total: Tensor = outputs[0]
        for output in outputs[1:]:
            total = total + output
        return total


class Tied(nn.Sequential):
    """The same modules, in a row, so many times; their weights have the gradient of all uses."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = super().forward(x)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return x

    def extra_repr(self) -> str:
        return f"times={self.times}"


class Looped(nn.ModuleList):
    """Rows of equal modules, one after another, with the parameters of the first and buffers of their own: the running
    statistics of a batch norm are those of its place. Shared ones would be of none (Liao & Poggio, "Bridging the gaps
    between residual learning, recurrent neural networks and visual cortex", 2016).

    In a state dict each parameter is there once, by its name in the first row.
    """

    def __init__(self, rows: Iterable[nn.Module]) -> None:
        super().__init__(rows)
        self._share(self)
        self.register_state_dict_post_hook(self._leave_out)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(self._repeat)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(self._share)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        for row in self:
            x = row(x)
        return x

    @staticmethod
    def _share(looped: nn.Module, *_: object) -> None:
        first, *others = looped.children()
        for other in others:
            for module, copy in zip(first.modules(), other.modules(), strict=True):
                copy._parameters.update(module._parameters)

    @staticmethod
    def _leave_out(looped: nn.Module, state: dict[str, Any], prefix: str, *_args: object) -> None:
        for name, _ in _shared_names(looped):
            state.pop(prefix + name, None)

    @staticmethod
    def _repeat(looped: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
        for name, original in _shared_names(looped):
            if prefix + original in state:
                state[prefix + name] = state[prefix + original]


class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor

    def extra_repr(self) -> str:
        return f"factor={self.factor}"


def _shared_names(looped: nn.Module) -> Iterator[tuple[str, str]]:
    """For each parameter of each later row its name and that in the first row, of whose modules one may be named
    otherwise."""
    (first, row), *others = looped.named_children()
    for number, other in others:
        for (one, module), (name, _) in zip(row.named_modules(), other.named_modules(), strict=True):
            for parameter in module._parameters:
                yield ".".join(filter(None, (number, name, parameter))), ".".join(filter(None, (first, one, parameter)))
