"""A row of layers as the kernels run it: its segments, the other layers as torch has them, and the rows within."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from torch import Tensor, nn

from core.engines.native.autograd import SegmentFunction
from core.engines.native.plan import SegmentPlan
from core.engines.native.segments import Segment, is_changed, split
from core.engines.native.team import Team
from core.models.parts import Looped, Residual, Tied


class NativeSegment:
    """A segment at its place in a network: a plan for each shape of input."""

    def __init__(self, segment: Segment, team: Team) -> None:
        self._segment = segment
        self._team = team
        self._plans: dict[tuple[int, int, int], SegmentPlan] = {}

    def __call__(self, x: Tensor, training: bool) -> Tensor:
        x = x if x.dim() == 4 else x[:, :, None, None]
        shape = x.shape[1], x.shape[2], x.shape[3]
        if shape not in self._plans:
            self._plans[shape] = SegmentPlan(self._segment, shape, x.dtype, self._team)
        plan = self._plans[shape]
        parameter = plan.find_tensors()
        if not training:
            return plan.forward(x, training=False)
        return cast("Tensor", SegmentFunction.apply(plan, x, parameter))


class NativeResidual:
    """The branches of a `Residual`, and their sum."""

    def __init__(self, module: Residual, team: Team, *, early: bool) -> None:
        self._branches = [NativeRow([branch], team, early=early) for branch in module]

    def __call__(self, x: Tensor, training: bool) -> Tensor:
        total, *rest = [branch(x, training) for branch in self._branches]
        for output in rest or [x]:
            total = total + output
        return total


class NativeRow:
    """Modules that follow each other; those that are tied are there as often as they are used. `early`: as `split`."""

    def __init__(self, modules: Iterable[nn.Module], team: Team, *, early: bool = False) -> None:
        self._parts = [_native(part, team, early=early) for part in split(list(_in_turn(modules)), early=early)]

    def __call__(self, x: Tensor, training: bool) -> Tensor:
        for part in self._parts:
            x = part(x) if isinstance(part, nn.Module) else part(x, training)
        return x


def native_parts(modules: Iterable[nn.Module]) -> Iterator[Segment | nn.Module]:
    """The segments of a row, and of the rows within, and the layers that the kernels do not run."""
    for part in split(list(_in_turn(modules))):
        if type(part) is Residual and not is_changed(part):
            yield from (inner for branch in part for inner in native_parts([branch]))
        else:
            yield part


def has_segments(modules: Iterable[nn.Module]) -> bool:
    """Whether the kernels run any layer of a row."""
    return any(isinstance(part, Segment) for part in native_parts(modules))


def _native(part: Segment | nn.Module, team: Team, *, early: bool) -> NativeSegment | NativeResidual | nn.Module:
    match part:
        case Segment():
            return NativeSegment(part, team)
        case Residual() if type(part) is Residual and not is_changed(part):
            return NativeResidual(part, team, early=early)
        case _:
            return part


def _in_turn(modules: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The layers as they are called, those of plain rows within in place of the rows."""
    for module in modules:
        if is_changed(module):
            yield module
        elif type(module) is nn.Sequential:
            yield from _in_turn(module)
        elif type(module) is Tied:
            for _ in range(module.times):
                yield from _in_turn(module)
        elif type(module) is Looped:
            yield from _in_turn(module)
        else:
            yield module
