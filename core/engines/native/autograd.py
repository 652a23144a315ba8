"""A segment of a network, forward and backward in the kernels, as one operation of autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from core.engines.native.plan import SegmentPlan


class SegmentFunction(torch.autograd.Function):
    """A segment in training as one operation, of a plan, the input and one parameter that is trained.

    The parameter makes autograd call `backward` where the input needs no gradient; it gets its own from the plan.
    """

    @staticmethod
    def forward(ctx: Any, plan: SegmentPlan, x: Tensor, _: Tensor | None) -> Tensor:
        out = plan.forward(x, training=True)
        ctx.plan, ctx.generation = plan, plan.generation
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        plan: SegmentPlan = ctx.plan
        if plan.generation != ctx.generation:
            raise RuntimeError("the segment has been used again since, in the same memory")
        return None, plan.backward(gradients[0], ctx.needs_input_grad[1]), None
