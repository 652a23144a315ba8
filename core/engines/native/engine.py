"""Runs convolutions, norms and poolings in C kernels, which are made for narrow layers on a CPU."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from core.config import Precision
from core.engines.engine import EagerEngine, Forward
from core.engines.native.autograd import SegmentFunction
from core.engines.native.library import NoKernels, load_kernels
from core.engines.native.plan import SegmentPlan
from core.engines.native.segments import Segment, split

ONE_BY_ONE = "the network runs one operation at a time"


class NativeEngine(EagerEngine):
    """Runs the layers that there are kernels for (`core.engines.native.segments`) in them, and the others by torch.

    Args:
        precision: of the step; the kernels compute in fp32, or in float64 where the network does.
    """

    name = "native"

    def __init__(self, precision: Precision = "fp32") -> None:
        super().__init__()
        self._precision = precision
        self._forwards: dict[Forward, NativeForward] = {}  # training and scoring share a network's memory

    def forward(self, model: Forward) -> Forward:
        # A subclass may do something else than to call its layers in turn.
        if type(model) is not nn.Sequential or not any(isinstance(part, Segment) for part in split(list(model))):
            self.note = f"{ONE_BY_ONE}, as it is not a row of layers that there are kernels for"
        elif self._precision != "fp32":
            self.note = f"{ONE_BY_ONE}, as the kernels compute in fp32, not in {self._precision}"
        elif model not in self._forwards:
            try:
                self._forwards[model] = NativeForward(model, next(model.parameters()).dtype)
            except NoKernels as problem:
                self.note = f"{ONE_BY_ONE}: native {problem.message}"
        return self._forwards.get(model, model)


class NativeForward:
    """A network's forward pass. In training its backward pass must come before the next forward pass.

    The backward pass adds to the parameters' `grad`; `torch.autograd.grad` does not find them. Inputs that the kernels
    are not made for go through the network itself.
    """

    def __init__(self, model: nn.Sequential, dtype: torch.dtype) -> None:
        self._model = model
        self._dtype = dtype
        self._kernels = load_kernels(dtype)
        self._parts = split(list(model))
        kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d
        self._modal = [module for module in model.modules() if isinstance(module, kinds)]
        self._plans: dict[tuple[int, ...], SegmentPlan] = {}

    def __call__(self, images: Tensor) -> Tensor:
        if not self._is_covered(images):
            return cast("Tensor", self._model(images))
        x = images
        for index, part in enumerate(self._parts):
            x = self._segment(index, part, x) if isinstance(part, Segment) else part(x)
        return x

    def _is_covered(self, images: Tensor) -> bool:
        training = self._model.training
        return (
            (images.dtype, images.device.type) == (self._dtype, "cpu")
            and all(module.training == training for module in self._modal)
            # A batch norm in training has no variance of a single image; torch raises the error.
            and (len(images) > 1 if training else not torch.is_grad_enabled())
        )

    def _segment(self, index: int, segment: Segment, x: Tensor) -> Tensor:
        x = x if x.dim() == 4 else x[:, :, None, None]
        shape = x.shape[1], x.shape[2], x.shape[3]
        if (index, *shape) not in self._plans:
            self._plans[index, *shape] = SegmentPlan(segment, shape, self._dtype, self._kernels)
        plan = self._plans[index, *shape]
        parameter = plan.find_tensors()
        if not self._model.training:
            return plan.forward(x, training=False)
        return cast("Tensor", SegmentFunction.apply(plan, x, parameter))
