"""Runs convolutions, norms and poolings in C kernels, which are made for narrow layers on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn

from core.config import Precision
from core.device.threads import one_torch_thread
from core.engines.engine import BY_BATCH, DeviceStep, EagerEngine, Forward
from core.engines.native.compiler import NoKernels
from core.engines.native.gain import kinds_left_to_torch
from core.engines.native.library import kernels_origin
from core.engines.native.rows import NativeRow, has_segments
from core.engines.native.segments import is_changed
from core.engines.native.team import Team

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
        self._team = Team()
        self._forwards: dict[Forward, NativeForward] = {}  # training and scoring share a network's memory
        self._splits_early = False  # as `core.engines.native.segments.split`

    def forward(self, model: Forward) -> Forward:
        # A subclass may do something else than to call its layers in turn.
        if type(model) is not nn.Sequential or is_changed(model) or not has_segments(model):
            self.note = f"{ONE_BY_ONE}, as it is not a row of layers that there are kernels for"
        elif self._precision != "fp32":
            self.note = f"{ONE_BY_ONE}, as the kernels compute in fp32, not in {self._precision}"
        elif model not in self._forwards:
            try:
                dtype = next(model.parameters()).dtype
                self._forwards[model] = NativeForward(model, dtype, self._team, early=self._splits_early)
                self.kernels = kernels_origin(dtype)
                if kinds := kinds_left_to_torch(model):
                    self.note = f"torch runs what there are no kernels for: {', '.join(kinds)}"
            except NoKernels as problem:
                self.note = f"{ONE_BY_ONE}: native {problem.message}"
        return self._forwards.get(model, model)

    @property
    def adds_by_batch(self) -> bool:
        """Whether no sum depends on how many threads there are."""
        return bool(self._forwards) and not self._team.cut

    @property
    def threads(self) -> int:
        return self._team.threads if self._forwards else super().threads

    @property
    def most_threads(self) -> int:
        return self._team.most() if self._forwards else super().most_threads

    def working(self) -> AbstractContextManager[None]:
        return one_torch_thread() if self.adds_by_batch else super().working()

    def run(self, step: DeviceStep, size: int) -> None:
        with self._team.at_work():
            step(size)

    def state(self, device: torch.device) -> dict[str, Any]:
        """`threads` is how many earlier versions cut batches for, and `sums` says that nothing depends on them;
        `segments` that they are not those of earlier versions."""
        if self.adds_by_batch:
            kept = ("sums",) if self._splits_early else BY_BATCH
            return {"threads": self.most_threads, **{name: BY_BATCH[name] for name in kept}}
        return super().state(device) | ({"threads": self._team.cut} if self._team.cut else {})

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        if state.get("threads") and state.get("segments") != BY_BATCH["segments"]:
            self._splits_early = True
            for forward in self._forwards.values():
                forward.split_early()
        if self._forwards and state.get("sums") == BY_BATCH["sums"]:
            return
        super().restore(state, device)
        self._team.cut = int(state.get("threads", 0))


class NativeForward:
    """A network's forward pass. In training its backward pass must come before the next forward pass.

    The backward pass adds to the parameters' `grad`; `torch.autograd.grad` does not find them. Inputs that the kernels
    are not made for go through the network itself. `early`: as `core.engines.native.segments.split`.
    """

    def __init__(self, model: nn.Sequential, dtype: torch.dtype, team: Team, *, early: bool = False) -> None:
        self._model = model
        self._dtype = dtype
        team.kernels(dtype)  # or there are none
        self._team = team
        self._row = NativeRow(model, team, early=early)
        kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d
        self._modal = [module for module in model.modules() if isinstance(module, kinds)]

    def __call__(self, images: Tensor) -> Tensor:
        if not self._is_covered(images):
            return cast("Tensor", self._model(images))
        return self._row(images, self._model.training)

    def split_early(self) -> None:
        """Compute as earlier versions did, for a run that one of them began."""
        self._row = NativeRow(self._model, self._team, early=True)

    def _is_covered(self, images: Tensor) -> bool:
        training = self._model.training
        return (
            (images.dtype, images.device.type) == (self._dtype, "cpu")
            and all(module.training == training for module in self._modal)
            # A batch norm in training has no variance of a single image; torch raises the error.
            and (len(images) > 1 if training else not torch.is_grad_enabled())
        )
