"""The C compiler, and what it makes of the kernels. Wheels are built by this, too, so it imports no torch."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from core.errors import LabError, one_line

FOLDER = Path(__file__).parent / "kernels"
SOURCE = FOLDER / "passes.c"
"""The file that is compiled; it includes all others of the folder."""

FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-pthread", "-ffp-contract=fast")
COMPILERS = ("cc", "gcc", "clang")
SECONDS = 300
"""A compiler that takes longer is given up on. A few are usual, and two minutes where many programs share a core."""
SUM_BYTES = 32


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


def sources() -> list[str]:
    """Names and content of all files that are compiled as one."""
    return [text for path in sorted(FOLDER.glob("*.[ch]")) for text in (path.name, path.read_text())]


def compile_library(compiler: Sequence[str], flags: Sequence[str], folder: Path) -> Path:
    """Compile the kernels into a new file of the folder.

    Raises:
        NoKernels: when the compiler does not work.
    """
    compiled, made = folder / "kernels.o", folder / "kernels.so"
    output_of([*compiler, *flags, "-c", str(SOURCE), "-o", str(compiled)])
    output_of([*compiler, "-shared", "-pthread", str(compiled), "-lm", "-o", str(made)])
    return made


def sealed(library: bytes) -> bytes:
    """A library with its SHA-256 at its end, which the system's loader ignores.

    The system does not refuse a damaged library, but the process that loads it dies.
    """
    return library + sha256(library).digest()


def is_whole(content: bytes) -> bool:
    """Whether this is what `sealed` gave."""
    return sha256(content[:-SUM_BYTES]).digest() == content[-SUM_BYTES:]


def output_of(command: Sequence[str]) -> str:
    """What a command of the compiler prints.

    Raises:
        NoKernels: when it fails, or does not finish.
    """
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
