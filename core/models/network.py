"""The layer table and the module of a config's network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.config import TrainConfig
from core.errors import InvalidValue
from core.models.spec import find, is_user_module
from core.models.summary import Summary, summarize

if TYPE_CHECKING:
    from torch import nn


def absolute_arch(arch: str) -> str:
    """An architecture that means the same in any folder: with the absolute path of a user's own module."""
    if not is_user_module(arch):
        return arch
    path, _, class_name = arch.rpartition(":")
    return f"{Path(path).expanduser().absolute()}:{class_name}"


def check_module_file(arch: str) -> None:
    """Raise `InvalidValue` when the file of a user's own module is not there; it is not read."""
    if not Path(arch.rpartition(":")[0]).expanduser().is_file():
        hint = "write FILE.py:CLASS, the path as seen from this folder"
        raise InvalidValue("arch", arch, "no such file", hint=hint)


def summarize_config(config: TrainConfig) -> Summary | None:
    """The layer table of a config's network, within its budget, without importing torch.

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
    summary = summarize(find(config.arch).with_dropout(config.dropout))
    config.check_parameter_budget(summary.total_params)
    return summary


def make_network(config: TrainConfig) -> tuple[Summary, nn.Module]:
    """The network of a config, its initial weights fixed by the seed, with its layer table.

    Raises:
        InvalidValue: for a spec or a user's module that cannot be built.
        OverBudget: for one with too many parameters.
    """
    import torch

    from core.models.build import build_model
    from core.models.usermodule import load_user_module, summarize_module

    summary = summarize_config(config)
    torch.manual_seed(config.seed)
    if summary is not None:
        return summary, build_model(summary)
    model = load_user_module(config.arch)
    summary = summarize_module(model, config.arch)
    config.check_parameter_budget(summary.total_params)
    return summary, model
