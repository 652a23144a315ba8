"""Steps whose convolutions, norms and poolings run in C kernels, which are made for narrow layers on a CPU."""

from __future__ import annotations

import ctypes
from typing import cast

import torch
from torch import Tensor, nn

from core.engine import Forward, Step, Unchanged
from core.fused import Fused, Plan
from core.native import TYPES, NoKernels, load_kernels
from core.segments import Segment, split

NOTHING_COVERED = "the network runs one operation at a time, as it is not a row of layers that there are kernels for"


class NativeEngine:
    """Runs the layers that there are kernels for in these (`core.segments`), and any others as they are."""

    name = "native"

    def __init__(self) -> None:
        self.note = ""
        self._prepared = False

    def forward(self, model: Forward) -> Forward:
        # Of a class of its own, it may do something else than to call its layers in turn.
        if type(model) is not nn.Sequential or not any(isinstance(part, Segment) for part in split(list(model))):
            self.note = NOTHING_COVERED
            return model
        return NativeForward(model, self)

    def prepare(self, step: Step) -> None:
        """Have the kernels and their memory, by a first step."""
        if self._prepared or self.note:
            return
        self._prepared = True
        with Unchanged(step):
            step(max(step.sizes()))

    def run(self, step: Step, size: int) -> None:
        step(size)


class NativeForward:
    """A network's forward pass, in training followed by its backward pass before it is called again."""

    def __init__(self, model: nn.Sequential, engine: NativeEngine) -> None:
        self._model = model
        self._engine = engine
        self._parts = split(list(model))
        self._plans: dict[int, Plan] = {}
        self._kernels: ctypes.CDLL | None = None

    def __call__(self, images: Tensor) -> Tensor:
        # Of a single image torch may have to say that a norm finds no deviation.
        if self._engine.note or not self._model.training or len(images) == 1 or not self._has_kernels(images):
            return cast("Tensor", self._model(images))
        x = images
        for index, part in enumerate(self._parts):
            x = self._segment(index, part, x) if isinstance(part, Segment) else part(x)
        return x

    def _segment(self, index: int, segment: Segment, x: Tensor) -> Tensor:
        x = x if x.dim() == 4 else x[:, :, None, None]
        if index not in self._plans:
            assert self._kernels is not None
            self._plans[index] = Plan(segment, (x.shape[1], x.shape[2], x.shape[3]), x.dtype, self._kernels)
        plan = self._plans[index]
        return cast("Tensor", Fused.apply(plan, x, *plan.parameters))

    def _has_kernels(self, images: Tensor) -> bool:
        if self._kernels is not None:
            return True
        if torch.is_autocast_enabled(images.device.type) or images.device.type != "cpu" or images.dtype not in TYPES:
            self._engine.note = "the kernels compute in fp32 on a CPU; here the network runs one operation at a time"
            return False
        try:
            self._kernels = load_kernels(images.dtype)
        except NoKernels as problem:
            self._engine.note = f"the network runs one operation at a time: {problem.message}"
        return self._kernels is not None
