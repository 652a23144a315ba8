"""The layer table and the module of a config's network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import TrainConfig
from core.dataset_names import name_of
from core.errors import InvalidValue
from core.models.reference import HOW_TO_NAME, parse_reference, split_reference
from core.models.spec import REGISTRY, find, is_user_module, named_spec
from core.models.summary import Summary, summarize
from core.task import MNIST_TASK, ImageTask

if TYPE_CHECKING:
    from torch import nn

    from core.models.own.files import OwnFiles


def absolute_arch(arch: str) -> str:
    """An architecture that means the same in any folder: with the absolute path of a user's own module."""
    if not is_user_module(arch):
        return arch
    file, call = split_reference(arch)
    return f"{Path(file).expanduser().absolute()}:{call.strip()}"


def recorded_arch(arch: str, task: ImageTask) -> str:
    """An architecture as a run's record has it: it means the same in any folder, and a named network whose last layer
    is another for the classes of the task is written as the spec that it is then."""
    if arch in REGISTRY and task.classes != MNIST_TASK.classes:
        return named_spec(arch, task.classes)
    return absolute_arch(arch)


def check_module_file(arch: str) -> None:
    """Raise `InvalidValue` when the file of a user's own module is not there, or what is named in it is no name; the
    file is not read."""
    if not parse_reference(arch).path.is_file():
        raise InvalidValue("arch", arch, "no such file", hint=HOW_TO_NAME)
    try:
        absolute_arch(arch).encode()
    except UnicodeEncodeError as error:
        hint = "rename the folder, or copy the file into another one"
        raise InvalidValue("arch", arch, "is in a folder whose name is not UTF-8", hint=hint) from error


def summarize_config(config: TrainConfig, task: ImageTask = MNIST_TASK) -> Summary | None:
    """The layer table of a config's network for its data set's task, within its budget, without importing torch.

    None for a user's own module, which has to be run to know its layers.

    Raises:
        SpecError, OverBudget.
    """
    if is_user_module(config.arch):
        if config.dropout:
            raise InvalidValue(
                "dropout", config.dropout, "must be 0 for a module of your own", hint="put the dropout into its forward"
            )
        return None
    arch = find(config.arch, task).with_dropout(config.dropout)
    summary = summarize(arch, task, name_of(config.dataset))
    config.check_parameter_budget(summary.total_params)
    return summary


@dataclass(frozen=True, slots=True)
class Network:
    """A network and its layer table; `source` is the code of a user's own module as it was loaded, None for a spec."""

    summary: Summary
    module: nn.Module
    source: OwnFiles | None = None


def make_network(config: TrainConfig, task: ImageTask = MNIST_TASK) -> tuple[Summary, nn.Module]:
    """The layer table and the module of `build_network`."""
    network = build_network(config, task=task)
    return network.summary, network.module


def build_network(config: TrainConfig, files: OwnFiles | None = None, task: ImageTask = MNIST_TASK) -> Network:
    """The network of a config, its initial weights fixed by the seed, with its layer table.

    Args:
        task: that of the config's data set.
        files: the code of a user's own module, in place of what lies on the disk.

    Raises:
        InvalidValue: for a spec or a user's module that cannot be built.
        OverBudget: for one with too many parameters.
    """
    import torch

    from core.models.build import build_model

    summary = summarize_config(config, task)
    if summary is not None:
        torch.manual_seed(config.seed)
        return Network(summary, build_model(summary))
    from core.models.own.check import check_own_module
    from core.models.own.isolation import isolated
    from core.models.own.load import load_own_module
    from core.models.own.table import summarize_module

    own = load_own_module(config.arch, seed=config.seed, whole_file=config.run_whole_file, files=files)
    with isolated():
        check_own_module(own, task)
        summary = summarize_module(own.module, absolute_arch(config.arch), own.files, task)
    config.check_parameter_budget(summary.total_params)
    return Network(summary, own.module, own.source)
