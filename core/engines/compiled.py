"""Runs steps with forward and backward passes compiled by torch.compile."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from core.engines.engine import DeviceStep, EagerEngine, Forward, Unchanged
from core.errors import one_line
from core.storage.trust import is_trusted, make_private_folder, private_temporary_folder, user_cache

_CACHES = {"TORCHINDUCTOR_CACHE_DIR": "compiled", "TRITON_CACHE_DIR": "triton"}
"""Environment variables that name the folders of code that torch compiles, and the names of such folders of ours."""


class CompiledEngine(EagerEngine):
    """Compiles the network for batches of one size; smaller ones, at the end of an epoch, run uncompiled.

    Args:
        batch_size: images of a step for each network.
        copies: how many networks are trained as one.
    """

    name = "compile"

    def __init__(self, batch_size: int, copies: int = 1) -> None:
        super().__init__()
        self._size = batch_size
        self._images = batch_size * copies
        self._gave_up = False

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
        _keep_code_from_others()
        with Unchanged(step):
            try:
                step(self._size)
            except Exception as error:  # noqa: BLE001  # the run will call the step and show the error
                self._gave_up = True
                self.note = f"the network is not compiled: {type(error).__name__}: {one_line(error)}"


def _keep_code_from_others() -> None:
    """Let what torch compiles be kept where nobody else can put code.

    What torch finds in the folder is run, and by default that is one in /tmp whose name anybody can work out.
    """
    for variable, name in _CACHES.items():
        folder = Path(os.environ.get(variable) or user_cache() / name)
        with suppress(OSError):  # then there is nothing to be found in it
            make_private_folder(folder)
        if not is_trusted(folder, "what torch compiles is kept for this process alone"):
            folder = private_temporary_folder() / name
        os.environ[variable] = str(folder)
