"""Chooses the engine of a run."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.advice import Action, Advice, Tip
from core.config import EngineChoice, Precision, TrainConfig
from core.engines.engine import EagerEngine, Engine
from core.errors import InvalidValue
from core.models.spec import find, is_user_module
from core.models.summary import summarize
from core.task import MNIST_TASK, ImageTask

if TYPE_CHECKING:
    import torch

GRAPH_FROM = 100
"""A run of fewer steps records no graphs. For each size of batch, recording runs three steps, two of them listed
operation by operation, and the same of the evaluation."""


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """An engine's name, the reason for it, and what the run's record should note about it, if anything."""

    name: EngineChoice
    reason: str
    note: str = ""


def choose_engine(
    config: TrainConfig, device: torch.device, steps: int, copies: int = 1, task: ImageTask = MNIST_TASK
) -> ChosenEngine:
    """The engine for a run of so many steps. ``auto`` takes the one that finishes first, preparation included.

    The rule for ``auto`` comes from measurements: on a CPU the kernels of `core.engines.native` are two to four times
    as fast as torch's where they run all but the cheapest layers (`core.engines.native.gain`), and compiled steps are
    not faster than eager ones. This may compile the kernels, which takes some seconds, once on a machine.

    Args:
        copies: how many networks are trained as one.
        task: that of the config's data set.

    Raises:
        InvalidValue: when the config names an engine that cannot work here.
    """
    if config.engine != "auto":
        if reason := _obstacle(config.engine, device):
            hint = Advice(Tip(Action.SET, "engine", "auto"), ", which takes the fastest")
            raise InvalidValue("engine", config.engine, reason, hint=hint)
        return ChosenEngine(config.engine, "asked for")
    if device.type == "cpu":
        if reason := _native_obstacle(config, copies, task):
            return ChosenEngine("eager", f"native {reason}")
        if reason := _obstacle("native", device):
            slower = "trained by torch's own kernels, which are slower"
            return ChosenEngine("eager", f"native {reason}", note=f"{slower}: native {reason}")
        return ChosenEngine("native", "the fastest on CPUs in the benchmark")
    if device.type != "cuda":
        return ChosenEngine("eager", f"the only one that works on {device.type.upper()}")
    if is_user_module(config.arch):
        return ChosenEngine("eager", "a module of your own may do something else in a later step, which a graph cannot")
    if steps < GRAPH_FROM:
        return ChosenEngine("eager", f"{steps} steps do not repay recording a graph")
    return ChosenEngine("graph", "a recorded step does not wait for Python")


def make_engine(
    choice: ChosenEngine, batch_size: int, device: torch.device, copies: int = 1, precision: Precision = "fp32"
) -> Engine:
    """The chosen engine, for runs of this batch size and precision; `copies` of them are trained as one."""
    match choice.name:
        case "graph":
            from core.engines.graph.engine import GraphEngine

            return GraphEngine(device)
        case "compile":
            from core.engines.compiled import CompiledEngine

            return CompiledEngine(batch_size, copies)
        case "native":
            from core.engines.native.engine import NativeEngine

            return NativeEngine(precision)
        case _:
            return EagerEngine(choice.note)


def available_engines(device: torch.device) -> list[EngineChoice]:
    """The engines that work on this device, by the names that a config gives them."""
    names: tuple[EngineChoice, ...] = ("eager", "native", "compile", "graph")
    return [name for name in names if not _obstacle(name, device)]


def _obstacle(name: EngineChoice, device: torch.device) -> str:
    """The reason why an engine cannot work on a device; empty when it can."""
    if name == "graph" and device.type != "cuda":
        return f"needs a CUDA device, not {device}"
    if name == "native":
        if device.type != "cpu":
            return f"needs a CPU, not {device}"
        from core.engines.native.library import kernels_obstacle

        return kernels_obstacle()
    if name == "compile":
        if device.type not in ("cpu", "cuda"):
            return f"needs a CPU or a CUDA device, not {device}"
        # torch.compile looks for it in the same way.
        compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
        if shutil.which(compiler) is None:
            return f"needs a C++ compiler, and there is no {compiler}"
    return ""


def _native_obstacle(config: TrainConfig, copies: int, task: ImageTask) -> str:
    """The reason why `auto` does not take the kernels for a run; empty when it does."""
    if is_user_module(config.arch):
        return "has kernels for the layers of specs, not for a module of your own"
    if config.precision != "fp32":
        return f"computes in fp32, not in {config.precision}"
    if copies > 1:
        return "trains one network at a time"
    import torch

    from core.engines.native.gain import kernels_gain_nothing
    from core.models.build import build_model

    with torch.device("meta"):  # layers without memory, and without random numbers for their weights
        return kernels_gain_nothing(build_model(summarize(find(config.arch, task), task)))
