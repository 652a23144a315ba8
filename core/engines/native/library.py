"""Loads the kernels in C: those that came with the program, or else compiled for this machine when they are first
needed and kept in the user's cache.

They have threads of their own (`kernels/team.h`), beside those of torch.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from core.engines.native import compiler, prebuilt
from core.engines.native.compiler import FLAGS, NoKernels
from core.engines.native.structures import layout_difference
from core.errors import one_line
from core.storage.files import replacing
from core.storage.trust import is_trusted, make_private_folder, private_temporary_folder, user_cache

TYPES: dict[torch.dtype, tuple[str, ...]] = {torch.float32: (), torch.float64: ("-DDOUBLE",)}
PATIENCE = 120.0
"""Seconds to wait for another process that compiles; then it is done here too."""

_INTEGER, _POINTER = ctypes.c_int64, ctypes.c_void_p
_SHAPE = (_INTEGER,) * 3
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "helper_ids": (_INTEGER, (_POINTER, _INTEGER)),
    "waited_for_cores": (_INTEGER, ()),
    "lanes": (ctypes.c_int, ()),
    "groups_per_strip": (_INTEGER, (_POINTER,)),
    "scratch_vectors": (_INTEGER, (_POINTER, _INTEGER)),
    "partial_sums_size": (_INTEGER, (_POINTER, _INTEGER, _INTEGER)),
    "draw_kept": (None, (_POINTER, _POINTER, _INTEGER, _INTEGER)),
    "read_images": (None, (_POINTER, _POINTER, _POINTER, *_SHAPE)),
    "write_images": (None, (_POINTER, _POINTER, _POINTER, _POINTER, *_SHAPE, _POINTER, _POINTER)),
    "forward": (None, (_POINTER, _INTEGER, _POINTER, _INTEGER)),
    "backward": (None, (_POINTER, _INTEGER, _POINTER, _POINTER, _POINTER, _INTEGER, _POINTER, _POINTER, _INTEGER)),
}
"""The types of the result and the arguments of each function that is called."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Loaded:
    library: ctypes.CDLL
    origin: str


def load_kernels(dtype: torch.dtype) -> ctypes.CDLL:
    """The library for tensors of this type, float32 or float64. Compiling it, if there is none yet, takes some seconds.

    Raises:
        NoKernels: when there is no compiler, or the compiler or its library does not work.
    """
    return _loaded(dtype).library


def kernels_origin(dtype: torch.dtype) -> str:
    """Where that library comes from, in words.

    Raises:
        NoKernels: as `load_kernels`.
    """
    return _loaded(dtype).origin


def kernels_obstacle() -> str:
    """The reason why this machine has no kernels for float32; empty when it has."""
    try:
        load_kernels(torch.float32)
    except NoKernels as problem:
        return problem.message
    return ""


def _loaded(dtype: torch.dtype) -> _Loaded:
    """What came with the program, but for a user who names a compiler and so wants the kernels from that."""
    found: _Loaded | NoKernels | None = None
    if dtype == torch.float32 and not os.environ.get("CC"):
        found = _prebuilt()
    found = found or _compiled(tuple(compiler.find_compiler()), TYPES[dtype])
    if isinstance(found, NoKernels):
        raise found
    return found


@lru_cache
def _prebuilt() -> _Loaded | None:
    """The library that came with the program, where there is one for this processor that can be loaded."""
    features = re.findall(r"^(?:flags|Features)\s*:(.*)", _processor(), re.MULTILINE)
    found = prebuilt.find_prebuilt(" ".join(features).split())
    if not found or not (library := _kept(found.path)):
        return None
    try:
        return _Loaded(_ready(library), f"came with the program, for {found.level}")
    except NoKernels:
        return None


@lru_cache
def _compiled(command: tuple[str, ...], options: tuple[str, ...]) -> _Loaded | NoKernels:
    """The library as the compiler makes it for this machine, from the cache where it is there; or what went wrong,
    once in a process: a failure is not tried again."""
    machine = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
    flags = (*FLAGS, machine, *options)
    try:
        version = compiler.output_of([*command, "--version"])
        parts = (*compiler.sources(), *command, *flags, version, _processor())
        name = sha256("\0".join(parts).encode()).hexdigest()[:32]
        path = user_cache() / "kernels" / f"{name}.so"
        trusted = is_trusted(path, "the kernels are compiled for this process alone")
        library = _kept(path) if trusted else _compile(command, flags, None)
        if library is None:
            with _alone_in(path.parent):
                library = _kept(path) or _compile(command, flags, path)  # kept, by the process that was waited for
        named = one_line(version.partition("\n")[0]) or command[0]
        return _Loaded(_ready(library), f"compiled for this processor by {named}")
    except NoKernels as problem:
        return problem
    except OSError as error:
        return NoKernels(f"its kernels cannot be compiled or loaded: {one_line(error)}")


def _ready(library: ctypes.CDLL) -> ctypes.CDLL:
    """A library with the types of its functions.

    Raises:
        NoKernels: when its structs are not those of this program.
    """
    if difference := layout_difference(library):
        raise NoKernels(f"its kernels do not fit this program: {difference}")
    for function, (result, arguments) in _SIGNATURES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


def _compile(command: tuple[str, ...], flags: tuple[str, ...], path: Path | None) -> ctypes.CDLL:
    """Compile the library and keep it at `path`, or where there is none or that fails, load it for this process only.

    Processes that compile at the same time, where there are no locks, make the same file; the last one stays.
    """
    _log.info("compiling the kernels of the native engine for this machine, which is done once")
    with tempfile.TemporaryDirectory(dir=private_temporary_folder()) as folder:
        made = compiler.compile_library(command, flags, Path(folder))
        if path is None:
            return ctypes.CDLL(str(made))
        content = made.read_bytes()
        try:
            make_private_folder(path.parent)
            with replacing(path) as part:
                part.write_bytes(compiler.sealed(content))
                ctypes.CDLL(str(part))  # one that cannot be loaded is not kept
            return ctypes.CDLL(str(path))
        except OSError:  # nothing can be written there, or nothing run from there
            return ctypes.CDLL(str(made))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for another process that compiles into a folder, no longer than `PATIENCE`, and let others wait meanwhile.
    Where there are no locks it is done without."""
    handle, deadline, is_told = None, time.monotonic() + PATIENCE, False
    with suppress(OSError):
        make_private_folder(folder)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        while time.monotonic() < deadline:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not is_told:
                    _log.info("waiting for another process, which compiles the kernels of the native engine")
                    is_told = True
                time.sleep(0.05)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _kept(path: Path) -> ctypes.CDLL | None:
    """The library at `path`, if it is whole and can be loaded."""
    try:
        return ctypes.CDLL(str(path)) if compiler.is_whole(path.read_bytes()) else None
    except OSError:
        return None


def _processor() -> str:
    """The processor's model and instruction sets, where the system tells: the compiler's `native` depends on them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(line for line in lines if line.startswith(("model", "flags", "Features", "CPU part")))
