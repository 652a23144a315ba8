"""Modules of specs that `torch.nn` has none of."""

from __future__ import annotations

from collections.abc import Iterable

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


class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor

    def extra_repr(self) -> str:
        return f"factor={self.factor}"
