"""A file of somebody becomes an `nn.Module`. The only place where a file from outside is run as code."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from core.errors import InvalidValue, one_line
from core.models.own.blame import RUN_ALL, blaming, left_out_in_words
from core.models.own.files import OwnFiles, OwnReader
from core.models.own.importing import Workspace
from core.models.own.isolation import isolated
from core.models.own.listing import call_in_words, what_is_there
from core.models.own.program import Program
from core.models.own.seeding import OnCpu, only_our_seeds
from core.models.own.source import absolute
from core.models.reference import HOW_TO_NAME, Reference, parse_reference

_NOTHING = object()


@dataclass(frozen=True, slots=True)
class OwnModule:
    """A network out of a file. `module` is as its author made it, in float32 and on the CPU; forward has not run."""

    reference: Reference
    module: nn.Module
    workspace: Workspace

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's files that have been loaded, the named one first. Forward may load more."""
        return tuple(self.workspace.files)

    @property
    def source(self) -> OwnFiles:
        """What was in these files."""
        return self.workspace.reader.source(self.workspace.path)


def load_own_module(arch: str, *, seed: int, whole_file: bool = False, files: OwnFiles | None = None) -> OwnModule:
    """Load what is named in a file, its initial weights fixed by the seed; forward is not run.

    The process is afterwards as before (`isolated`), but for torch's global random state: that is the one that the seed
    and the draws of the weights lead to.

    Args:
        arch: ``FILE.py:CLASS`` and the other forms of `parse_reference`.
        whole_file: run all of the file, not only what the network needs of it.
        files: the code of the module, in place of what lies on the disk; no other file of the user's is imported.

    Raises:
        InvalidValue: naming the file or class and what went wrong in it.
    """
    reference = parse_reference(arch)
    path = absolute(reference.path if files is None else files.path)
    reader = OwnReader(files)
    if not reader.is_file(path):
        raise InvalidValue("arch", arch, "no such file", hint=HOW_TO_NAME)
    with blaming(arch, [path]):
        workspace = Workspace(path, reader, whole=whole_file)
    with isolated(), only_our_seeds() as seed_with, torch.inference_mode(False), torch.enable_grad(), OnCpu():
        sys.argv = [str(path)]
        seed_with(seed)
        maker = _Maker(arch, reference, workspace, lambda: seed_with(seed))
        module = maker.made()
        _as_float32(arch, module)
    return OwnModule(reference, module, workspace)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the network that a reference names."""

    arch: str
    reference: Reference
    workspace: Workspace
    seed: Callable[[], None]

    def made(self) -> nn.Module:
        head, *rest = self.reference.name.split(".")
        with blaming(self.arch, self.workspace.files):
            program = self.workspace.load(before={head: self.seed})
        if not head:
            raise self._refused(program, "no network is named")
        with blaming(self.arch, self.workspace.files):
            program.require([head])
            if head in program.failures:
                raise program.failures[head]
            value = program.namespace.get(head, _NOTHING)
            if head in program.left_out and value is _NOTHING:
                raise InvalidValue("arch", self.arch, left_out_in_words(program, head), hint=RUN_ALL)
            for name in rest:
                value = getattr(value, name, _NOTHING)
        if value is _NOTHING:
            raise self._refused(program, f"there is no {self.reference.name} in {self._file}")
        return self._network(program, value)

    @property
    def _file(self) -> str:
        return self.workspace.path.name

    def _network(self, program: Program, value: Any) -> nn.Module:
        name, arguments = self.reference.name, self.reference.arguments
        if isinstance(value, nn.Module):
            if arguments is not None:
                raise InvalidValue("arch", self.arch, f"{name} is a network already", hint=f"write {self._file}:{name}")
            return value
        is_class = isinstance(value, type) and issubclass(value, nn.Module)
        if not callable(value) or (isinstance(value, type) and not is_class):
            raise self._refused(program, f"{name} is not an nn.Module class of {self._file}")
        if arguments is None and not is_class:
            call = call_in_words(name, value)
            raise InvalidValue("arch", self.arch, f"{name} is a function", hint=f"write {self._file}:{call}")
        positional, keywords = arguments or ((), {})
        self._check_arguments(value, positional, keywords)
        self.seed()
        with blaming(self.arch, self.workspace.files), torch.inference_mode(False), torch.enable_grad():
            made = value(*positional, **keywords)
        if not isinstance(made, nn.Module):
            raise self._refused(program, f"{name}() returned {type(made).__name__}, not an nn.Module")
        return made

    def _check_arguments(self, value: Any, positional: tuple[object, ...], keywords: dict[str, object]) -> None:
        try:
            signature = inspect.signature(value)
        except (ValueError, TypeError):
            return
        try:
            signature.bind(*positional, **keywords)
        except TypeError as error:
            name = self.reference.name
            several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
            parameters = [each for each in signature.parameters.values() if each.kind not in several]
            example = ", ".join(f"{each.name}=..." for each in parameters if each.default is each.empty)
            hint = f"it is {call_in_words(name, value)}: write {self._file}:{name}({example})"
            raise InvalidValue("arch", self.arch, f"{name}: {one_line(error)}", hint=hint) from None

    def _refused(self, program: Program, reason: str) -> InvalidValue:
        return InvalidValue("arch", self.arch, reason, hint=what_is_there(program, self.reference.name, self.seed))


def _as_float32(arch: str, module: nn.Module) -> None:
    """Make a module's numbers float32, whole numbers and truth values left as they are.

    Raises:
        InvalidValue: for complex numbers, and for what cannot be trained.
    """
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if isinstance(tensor, UninitializedBuffer | UninitializedParameter):
            continue  # of a lazy layer, which has no values yet
        kinds = {
            "complex": tensor.is_complex(),
            "on the device meta, with no values": tensor.is_meta,
            "made in inference mode": tensor.is_inference(),
        }
        for kind in (kind for kind, holds in kinds.items() if holds):
            raise InvalidValue("arch", arch, f"{name} is {kind}", hint="networks here are real, in float32")
        if tensor.is_floating_point():
            tensor.data = tensor.data.float()
