"""Compiles the kernels in C for this machine when they are first needed, and keeps the library in the user's cache.

They have threads of their own (`kernels/team.h`), beside those of torch.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import platform
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from core.engines.native.structures import layout_difference
from core.errors import LabError, one_line
from core.storage.files import replacing
from core.storage.trust import is_trusted, make_private_folder, private_temporary_folder, user_cache

FOLDER = Path(__file__).parent / "kernels"
SOURCE = FOLDER / "passes.c"
"""The file that is compiled; it includes all others of the folder."""

TYPES: dict[torch.dtype, tuple[str, ...]] = {torch.float32: (), torch.float64: ("-DDOUBLE",)}
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-pthread", "-ffp-contract=fast")
COMPILERS = ("cc", "gcc", "clang")
SECONDS = 300
"""A compiler that takes longer is given up on. A few are usual, and two minutes where many programs share a core."""
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
    "read_images": (None, (_POINTER, _POINTER, _POINTER, *_SHAPE)),
    "write_images": (None, (_POINTER, _POINTER, _POINTER, _POINTER, *_SHAPE, _POINTER, _POINTER)),
    "forward": (None, (_POINTER, _INTEGER, _POINTER, _INTEGER)),
    "backward": (None, (_POINTER, _INTEGER, _POINTER, _POINTER, _POINTER, _INTEGER, _POINTER, _POINTER, _INTEGER)),
}
"""The types of the result and the arguments of each function of `passes.c`."""

_log = logging.getLogger(__name__)


class NoKernels(LabError):
    """This machine cannot compile or load the kernels."""


def find_compiler() -> list[str]:
    """The command of the C compiler: that of the environment variable CC, or else the first of the usual names.

    Raises:
        NoKernels: when there is none.
    """
    try:
        words = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        raise NoKernels(f"needs a C compiler, and CC is not a command: {one_line(error)}") from error
    names = words[:1] or COMPILERS
    for name in names:
        if path := shutil.which(name):
            return [path, *words[1:]]
    raise NoKernels(f"needs a C compiler, and there is no {' or '.join(names)}")


def load_kernels(dtype: torch.dtype) -> ctypes.CDLL:
    """The library for tensors of this type, float32 or float64. Compiling it, if it is not cached, takes some seconds.

    Raises:
        NoKernels: when there is no compiler, or the compiler or its library does not work.
    """
    found = _load(tuple(find_compiler()), TYPES[dtype])
    if isinstance(found, NoKernels):
        raise found
    return found


def kernels_obstacle() -> str:
    """The reason why this machine has no kernels for float32; empty when it has."""
    try:
        load_kernels(torch.float32)
    except NoKernels as problem:
        return problem.message
    return ""


@lru_cache
def _load(compiler: tuple[str, ...], options: tuple[str, ...]) -> ctypes.CDLL | NoKernels:
    """The library or what went wrong, once in a process: a failure is not tried again."""
    machine = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
    flags = (*FLAGS, machine, *options)
    try:
        version = _output([*compiler, "--version"])
        name = sha256("\0".join((*_sources(), *compiler, *flags, version, _processor())).encode()).hexdigest()[:32]
        path = user_cache() / "kernels" / f"{name}.so"
        trusted = is_trusted(path, "the kernels are compiled for this process alone")
        library = _kept(path) if trusted else _compile(compiler, flags, None)
        if library is None:
            with _alone_in(path.parent):
                library = _kept(path) or _compile(compiler, flags, path)  # kept, by the process that was waited for
        if difference := layout_difference(library):
            return NoKernels(f"its kernels do not fit this program: {difference}")
        for function, (result, arguments) in _SIGNATURES.items():
            getattr(library, function).restype = result
            getattr(library, function).argtypes = arguments
        return library
    except NoKernels as problem:
        return problem
    except OSError as error:
        return NoKernels(f"its kernels cannot be compiled or loaded: {one_line(error)}")


def _sources() -> list[str]:
    """Names and content of all files that are compiled as one."""
    return [text for path in sorted(FOLDER.glob("*.[ch]")) for text in (path.name, path.read_text())]


def _compile(compiler: tuple[str, ...], flags: tuple[str, ...], path: Path | None) -> ctypes.CDLL:
    """Compile the library and keep it at `path`, or where there is none or that fails, load it for this process only.

    Processes that compile at the same time, where there are no locks, make the same file; the last one stays.
    """
    _log.info("compiling the kernels of the native engine for this machine, which is done once")
    with tempfile.TemporaryDirectory(dir=private_temporary_folder()) as folder:
        compiled, made = Path(folder) / "kernels.o", Path(folder) / "kernels.so"
        _output([*compiler, *flags, "-c", str(SOURCE), "-o", str(compiled)])
        _output([*compiler, "-shared", "-pthread", str(compiled), "-lm", "-o", str(made)])
        if path is None:
            return ctypes.CDLL(str(made))
        content = made.read_bytes()
        try:
            make_private_folder(path.parent)
            with replacing(path) as part:
                part.write_bytes(content + sha256(content).digest())
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
    """The library at `path`, if it is whole and can be loaded.

    The system does not refuse a damaged library, but the process that loads it dies. So the file ends in the SHA-256 of
    the rest, which the loader ignores.
    """
    try:
        content = path.read_bytes()
        return ctypes.CDLL(str(path)) if sha256(content[:-32]).digest() == content[-32:] else None
    except OSError:
        return None


def _output(command: list[str]) -> str:
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl+C is for this program, and no failure of the compiler
    ) as process:
        try:
            said, errors = process.communicate(timeout=SECONDS)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the processes that do a compiler's work
            if isinstance(error, subprocess.TimeoutExpired):
                problem = f"needs a C compiler that works: {command[0]} did not finish in {SECONDS} s"
                raise NoKernels(problem) from error
            raise
    if process.returncode != 0:
        problem = one_line(errors) or f"exit status {process.returncode}"
        raise NoKernels(f"needs a C compiler that works, and {command[0]} failed: {problem}")
    return said


def _processor() -> str:
    """The processor's model and instruction sets, where the system tells: the compiler's `native` depends on them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(line for line in lines if line.startswith(("model", "flags", "Features", "CPU part")))
