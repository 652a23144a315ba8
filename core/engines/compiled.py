"""Runs steps with forward and backward passes compiled by torch.compile."""

from __future__ import annotations

import torch
from torch import Tensor

from core.engines.engine import DeviceStep, Forward, Unchanged
from core.errors import one_line


class CompiledEngine:
    """Compiles the network for batches of one size; smaller ones, at the end of an epoch, run uncompiled.

    Args:
        batch_size: images of a step for each network.
        copies: how many networks are trained as one.
    """

    name = "compile"

    def __init__(self, batch_size: int, copies: int = 1) -> None:
        self._size = batch_size
        self._images = batch_size * copies
        self._gave_up = False
        self.note = ""

    def forward(self, model: Forward) -> Forward:
        compiled = torch.compile(model, dynamic=False)

        def forward(images: Tensor) -> Tensor:
            whole = torch.is_grad_enabled() and len(images) == self._images  # scoring does not repay compiling
            return compiled(images) if whole and not self._gave_up else model(images)

        return forward

    def prepare(self, step: DeviceStep) -> None:
        """Compile. A network that cannot be compiled runs as it is; the run will show the error of one that fails."""
        if self._size not in step.sizes():
            return
        with Unchanged(step):
            try:
                step(self._size)
            except Exception as error:  # noqa: BLE001  # the run will call the step and show the error
                self._gave_up = True
                self.note = f"the network is not compiled: {type(error).__name__}: {one_line(error)}"

    def run(self, step: DeviceStep, size: int) -> None:
        step(size)
