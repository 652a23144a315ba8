"""A file of somebody becomes an `nn.Module`. The only place where a file from outside is run as code."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

import torch
from torch import nn

from core.errors import InvalidValue
from core.models.own.blame import blaming
from core.models.own.files import OwnFiles, OwnReader
from core.models.reference import HOW_TO_NAME, Reference, parse_reference


@dataclass(frozen=True, slots=True)
class OwnModule:
    """A network out of a file. `module` is as its author made it, `files` are those of the user's that were loaded, and
    `source` what was in them."""

    reference: Reference
    module: nn.Module
    files: tuple[Path, ...]
    source: OwnFiles


def load_own_module(
    arch: str,
    *,
    seed: int,
    whole_file: bool = False,  # noqa: ARG001
    files: OwnFiles | None = None,
) -> OwnModule:
    """Load what is named in a file, its initial weights fixed by the seed; forward is not run.

    torch's global random state is afterwards the one that the seed and the draws of the weights lead to.

    Args:
        arch: ``FILE.py:CLASS`` and the other forms of `parse_reference`.
        whole_file: run all of the file, not only what the network needs of it.
        files: the code of the module, in place of what lies on the disk; no other file of the user's is imported.

    Raises:
        InvalidValue: naming the file or class and what went wrong in it.
    """
    reference = parse_reference(arch)
    path = reference.path if files is None else files.path
    reader = OwnReader(files)
    if not reader.is_file(path):
        raise InvalidValue("arch", arch, "no such file", hint=HOW_TO_NAME)
    with blaming(arch, [path], f"{path.name} raised at import"):
        namespace = _import(path, reader)
    cls = getattr(namespace, reference.name, None)
    if not _is_module_class(cls):
        own = {name: value for name, value in vars(namespace).items() if _is_module_class(value)}
        found = sorted(name for name, value in own.items() if value.__module__ == namespace.__name__)
        hint = f"nn.Module classes in {path.name}: {', '.join(found) or 'none'}"
        name = reference.name
        wrong = f"{name} is not an nn.Module class of {path.name}" if name else "no class is named"
        raise InvalidValue("arch", arch, wrong, hint=hint)
    positional, keywords = reference.arguments or ((), {})
    torch.manual_seed(seed)
    with blaming(arch, [path], f"{reference.name}() raised"):
        model = cls(*positional, **keywords)
    return OwnModule(reference, model, (path.resolve(),), reader.source(path.absolute()))


def _is_module_class(value: object) -> TypeGuard[type[nn.Module]]:
    return isinstance(value, type) and issubclass(value, nn.Module)


def _import(path: Path, reader: OwnReader) -> ModuleType:
    name = f"user_module_{sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a .py file always has a loader"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that the file's own dataclasses and pickles find it
    exec(compile(reader.read(path), str(path), "exec"), vars(module))
    return module
