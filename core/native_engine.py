"""Steps whose convolutions, norms and poolings run in C kernels made for narrow layers on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.engine import Forward, Step
from core.fused import Fused, Plan, Segment, split
from core.native import TYPES, NoKernels, load_kernels


class NativeEngine:
    """Runs the layers that there are kernels for in these (`core.fused`), and any others as they are."""

    name = "native"

    def __init__(self) -> None:
        self.note = ""

    def forward(self, model: Forward) -> Forward:
        if not isinstance(model, nn.Sequential) or not any(isinstance(part, Segment) for part in split(list(model))):
            self.note = "no part of the network has a kernel; it is trained one operation at a time"
            return model
        return NativeForward(model)

    def prepare(self, step: Step) -> None:
        pass

    def run(self, step: Step, size: int) -> None:
        step(size)


class NativeForward:
    """A network's forward pass in training mode, to be followed by its backward pass before it is called again."""

    def __init__(self, model: nn.Sequential) -> None:
        self._model = model
        self._parts = split(list(model))
        self._plans: dict[int, Plan] = {}

    def __call__(self, images: Tensor) -> Tensor:
        if not self._model.training or images.dtype not in TYPES or images.device.type != "cpu":
            return self._model(images)
        kernels = load_kernels(images.dtype)
        x = images
        for index, part in enumerate(self._parts):
            if isinstance(part, Segment):
                x = x if x.dim() == 4 else x[:, :, None, None]
                plan = self._plans.get(index)
                if plan is None:
                    shape = (x.shape[1], x.shape[2], x.shape[3])
                    plan = self._plans[index] = Plan(part, shape, x.dtype, kernels)
                x = Fused.apply(plan, x, *plan.parameters)
            else:
                x = part(x)
        return x
