"""Steps whose forward and backward passes torch.compile has turned into machine code."""

from __future__ import annotations

import torch
from torch import Tensor

from core.engines.engine import DeviceStep, Forward, Unchanged
from core.errors import one_line


class CompiledEngine:
    """Compiles the network for batches of one size; those of any other size, at the end of an epoch, run uncompiled.

    Args:
        copies: networks that are trained as one, each of which has a batch of that size in every step.
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
        """Compile. A network that cannot be compiled is left as it is; so is one that fails, to fail in its place."""
        if self._size not in step.sizes():
            return
        with Unchanged(step):
            try:
                step(self._size)
            except Exception as error:  # noqa: BLE001  # whatever is wrong with the step, calling it will show
                self._gave_up = True
                self.note = f"the network is not compiled: {type(error).__name__}: {one_line(error)}"

    def run(self, step: DeviceStep, size: int) -> None:
        step(size)
