"""A user's own `nn.Module`, named as ``FILE.py:CLASS``. The only place where a file from outside is run as code."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from core.errors import InvalidValue, one_line
from core.models.build import check_output, count_parameters
from core.models.summary import UNLISTED_KINDS, Layer, Shape, Summary, label_rows


def load_user_module(arch: str) -> nn.Module:
    """Import the file, make the class without arguments, and check that it maps images to 10 logits.

    Draws the initial weights from torch's global random state.

    Raises:
        InvalidValue: naming the file or class and what went wrong in it.
    """
    filename, _, class_name = arch.rpartition(":")
    path = Path(filename).expanduser()
    if not path.is_file():
        raise InvalidValue("arch", arch, "no such file", hint="write FILE.py:CLASS, the path as seen from this folder")
    with _blaming_user_code(arch, f"{path.name} raised at import"):
        namespace = _import(path)
    cls = getattr(namespace, class_name, None)
    if not _is_module_class(cls):
        own = {name: value for name, value in vars(namespace).items() if _is_module_class(value)}
        found = sorted(name for name, value in own.items() if value.__module__ == namespace.__name__)
        hint = f"nn.Module classes in {path.name}: {', '.join(found) or 'none'}"
        wrong = f"{class_name} is not an nn.Module class of {path.name}" if class_name else "no class is named"
        raise InvalidValue("arch", arch, wrong, hint=hint)
    with _blaming_user_code(arch, f"{class_name}() raised"):
        model = cls()
    with _blaming_user_code(arch, f"{class_name}'s forward raised"), torch.random.fork_rng(devices=[]):
        # A copy, so that a forward pass that changes the module's state leaves the one to be trained as it was made.
        problem = check_output(deepcopy(model))
    if any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
        problem = f"{class_name} has lazy layers, whose parameters nobody can count"
    if problem:
        raise InvalidValue("arch", arch, problem, hint="forward takes (N, 1, 28, 28) and returns logits (N, 10)")
    if not count_parameters(model, trainable_only=True):
        raise InvalidValue("arch", arch, f"{class_name} has no trainable parameters", hint="there is nothing to train")
    return model


def summarize_module(model: nn.Module, name: str) -> Summary:
    """The layer table of any module, by torchinfo.

    torchinfo changes the random state and, in train mode, batch-norm statistics, so it gets a copy in evaluation mode.
    The receptive field of free-form code is not known. MACs are as torchinfo counts them, with biases and batch norms.
    """
    from torchinfo import summary as torchinfo_summary

    with torch.random.fork_rng(devices=[]):
        info = torchinfo_summary(
            deepcopy(model), input_size=(2, 1, 28, 28), device="cpu", mode="eval", verbose=0, col_names=()
        )
    layers = [
        Layer(
            kind=row.class_name,
            output_shape=_shape(row.output_size),
            receptive_field=None,
            params=0 if row.is_recursive else max(row.num_params, 0),  # a layer used again has no more of them
            macs=row.macs // 2,  # for the batch of two
        )
        for row in info.summary_list
        if row.is_leaf_layer and row.class_name not in UNLISTED_KINDS
    ]
    return Summary(
        name=name,
        spec=name,
        total_params=count_parameters(model),
        trainable_params=count_parameters(model, trainable_only=True),
        macs=sum(layer.macs for layer in layers),
        receptive_field=None,
        layers=label_rows(layers),
    )


def _is_module_class(value: object) -> TypeGuard[type[nn.Module]]:
    return isinstance(value, type) and issubclass(value, nn.Module)


def _shape(size: list[int]) -> Shape:
    """torchinfo's output size, batch first, as (channels, height, width) with ones for what is missing."""
    sides = [*size[1:4], 1, 1, 1][:3]
    return (sides[0], sides[1], sides[2])


def _import(path: Path) -> ModuleType:
    name = f"user_module_{sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a .py file always has a loader"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that the file's own dataclasses and pickles find it
    spec.loader.exec_module(module)
    return module


@contextmanager
def _blaming_user_code(arch: str, doing: str) -> Iterator[None]:
    """Turn whatever the user's code raises, leaving by SystemExit too, into one line that names it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        reason = f"{doing}: {type(error).__name__}: {one_line(error) or 'no message'}"
        raise InvalidValue("arch", arch, reason, hint="run the file with python to see where") from error
