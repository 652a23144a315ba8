"""The kernels of `kernels.c`, compiled for this machine when they are first needed and kept in the user's cache.

They use the OpenMP runtime that torch has loaded, and so its threads: two runtimes would wait for each other, spinning.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import platformdirs
import torch

from core.errors import LabError, one_line
from core.files import replacing

SOURCE = Path(__file__).parent / "kernels.c"
TYPES = {torch.float32: "float", torch.float64: "double"}
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-fopenmp", "-ffp-contract=fast")
COMPILERS = ("cc", "gcc", "clang")
SECONDS = 120
"""After which a compiler is given up on; it takes a few."""


class NoKernels(LabError):
    """The kernels cannot be had on this machine."""


def find_compiler() -> list[str]:
    """The C compiler as a command: what the environment variable CC says, else the first of the usual names.

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
    """The kernels for tensors of that type, compiled where they are not in the cache yet, which takes some seconds.

    Raises:
        NoKernels: when there is no compiler, or it or what it makes does not work.
    """
    found = _load(tuple(find_compiler()), TYPES[dtype])
    if isinstance(found, NoKernels):
        raise found
    return found


def why_no_kernels() -> str:
    """Why there are no kernels for float32 here, or nothing."""
    try:
        load_kernels(torch.float32)
    except NoKernels as problem:
        return problem.message
    return ""


@lru_cache
def _load(compiler: tuple[str, ...], real: str) -> ctypes.CDLL | NoKernels:
    """Once for a process: what has failed is not tried again."""
    machine = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
    flags = (*FLAGS, machine, f"-DREAL={real}")
    try:
        parts = (SOURCE.read_text(), *compiler, *flags, _output([*compiler, "--version"]), _processor())
        name = sha256("\0".join(parts).encode()).hexdigest()[:32]
        path = platformdirs.user_cache_path("mnist-tui", appauthor=False) / "kernels" / f"{name}.so"
        if not _is_whole(path):
            _compile(compiler, flags, path)
        return ctypes.CDLL(str(path))
    except NoKernels as problem:
        return problem
    except OSError as error:
        return NoKernels(f"its kernels cannot be compiled or loaded: {one_line(error)}")


def _compile(compiler: tuple[str, ...], flags: tuple[str, ...], path: Path) -> None:
    """Whoever else compiles the same at the same time makes the same file; the last one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, replacing(path) as part:
        compiled = Path(folder) / "kernels.o"
        _output([*compiler, *flags, "-c", str(SOURCE), "-o", str(compiled)])
        # Without -fopenmp, so that its functions are found in the runtime that is there already.
        _output([*compiler, "-shared", str(compiled), "-o", str(part)])
        ctypes.CDLL(str(part))  # one that cannot be loaded is not kept
        with part.open("ab") as file:
            file.write(sha256(part.read_bytes()).digest())


def _is_whole(path: Path) -> bool:
    """Whether a library is there and ends in the sum of the rest, which the loader passes over.

    The system does not refuse a damaged one: the process that loads it dies.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return sha256(content[:-32]).digest() == content[-32:]


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C is for this program, and no failure of the compiler
        )
    except subprocess.TimeoutExpired as error:
        raise NoKernels(f"needs a C compiler that works: {command[0]} did not finish in {SECONDS} s") from error
    if done.returncode != 0:
        said = one_line(done.stderr) or f"exit status {done.returncode}"
        raise NoKernels(f"needs a C compiler that works, and {command[0]} failed: {said}")
    return done.stdout


def _processor() -> str:
    """What the compiler's `native` depends on: the processor's model and abilities, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(line for line in lines if line.startswith(("model", "flags", "Features", "CPU part")))
