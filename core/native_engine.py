"""Steps whose convolutions, norms and poolings run in C kernels, which are made for narrow layers on a CPU."""

from __future__ import annotations

import ctypes
from typing import cast

import torch
from torch import Tensor, nn

from core.config import Precision
from core.engine import Forward, Step
from core.fused import Fused, Plan
from core.native import NoKernels, load_kernels
from core.segments import Segment, split

ONE_BY_ONE = "the network runs one operation at a time"


class NativeEngine:
    """Runs the layers that there are kernels for in these (`core.segments`), and any others as they are.

    Args:
        precision: of the step; there are no kernels for any but fp32, and for float64.
    """

    name = "native"

    def __init__(self, precision: Precision = "fp32") -> None:
        self._precision = precision
        self._forwards: dict[Forward, NativeForward] = {}  # so that training and scoring share a network's memory
        self.note = ""

    def forward(self, model: Forward) -> Forward:
        # A class of its own may do something else than to call its layers in turn.
        if type(model) is not nn.Sequential or not any(isinstance(part, Segment) for part in split(list(model))):
            self.note = f"{ONE_BY_ONE}, as it is not a row of layers that there are kernels for"
        elif self._precision != "fp32":
            self.note = f"{ONE_BY_ONE}, as the kernels compute in fp32, not in {self._precision}"
        elif model not in self._forwards:
            try:
                self._forwards[model] = NativeForward(model, load_kernels(next(model.parameters()).dtype))
            except NoKernels as problem:
                self.note = f"{ONE_BY_ONE}: native {problem.message}"
        return self._forwards.get(model, model)

    def prepare(self, step: Step) -> None:
        pass

    def run(self, step: Step, size: int) -> None:
        step(size)


class NativeForward:
    """A network's forward pass; one in training is followed by its backward pass before the next."""

    def __init__(self, model: nn.Sequential, kernels: ctypes.CDLL) -> None:
        self._model = model
        self._kernels = kernels
        self._parts = split(list(model))
        self._plans: dict[int, Plan] = {}

    def __call__(self, images: Tensor) -> Tensor:
        # Of a single image torch may have to say that a norm finds no deviation.
        covered = len(images) > 1 if self._model.training else not torch.is_grad_enabled()
        if not covered:
            return cast("Tensor", self._model(images))
        x = images
        for index, part in enumerate(self._parts):
            x = self._segment(index, part, x) if isinstance(part, Segment) else part(x)
        return x

    def _segment(self, index: int, segment: Segment, x: Tensor) -> Tensor:
        x = x if x.dim() == 4 else x[:, :, None, None]
        if index not in self._plans:
            self._plans[index] = Plan(segment, (x.shape[1], x.shape[2], x.shape[3]), x.dtype, self._kernels)
        plan = self._plans[index]
        if not self._model.training:
            return plan.forward(x, training=False)
        return cast("Tensor", Fused.apply(plan, x, *plan.parameters))
