"""Kernels that a wheel brings along, compiled for all processors of a level: a machine needs no C compiler for them.

`hatch_build.py` makes them when a wheel is built. They are files of the package, as its modules are, and as trusted.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from core.engines.native.compiler import FLAGS, NoKernels, compile_library, sealed, sources

FOLDER = Path(__file__).parent / "prebuilt"

_V3 = frozenset({"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})
_V4 = frozenset({"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"})
LEVELS: dict[str, dict[str, frozenset[str]]] = {
    "x86_64": {"x86-64-v4": _V3 | _V4, "x86-64-v3": _V3},
    "aarch64": {"armv8-a": frozenset({"asimd"})},
}
"""Of each kind of machine the levels, the best first, as compilers call them in ``-march``, and the features, as Linux
calls them, that a processor of the level has beside what all of its kind have (x86-64 psABI, section 3.1.1)."""


class Prebuilt(NamedTuple):
    level: str
    path: Path


def level_of(machine: str, features: Iterable[str]) -> str:
    """The best level of a processor with these features; empty where it is below all."""
    has = set(features)
    return next((level for level, needed in LEVELS.get(machine, {}).items() if needed <= has), "")


def find_prebuilt(features: Iterable[str]) -> Prebuilt | None:
    """The library for this processor, which has these features, where the package has one of the code beside it."""
    level = level_of(platform.machine(), features)
    if not level or not FOLDER.is_dir():  # most packages have none, and need not read their code for its name
        return None
    path = FOLDER / _file_name(level)
    return Prebuilt(level, path) if path.is_file() else None


def build(machine: str, compiler: Sequence[str], folder: Path) -> dict[str, Path]:
    """Compile a library for each level of a kind of machine, and give them by their places within the package.

    Raises:
        NoKernels: when the compiler does not work.
    """
    made = {}
    for level in LEVELS[machine]:
        (own := folder / level).mkdir()
        library = compile_library(compiler, (*FLAGS, f"-march={level}"), own)
        library.write_bytes(sealed(library.read_bytes()))
        made[f"core/engines/native/{FOLDER.name}/{_file_name(level)}"] = library
    return made


def oldest_libc(libraries: Iterable[Path]) -> tuple[int, int]:
    """The first version of glibc that has all that these libraries call, read from the names of their symbols.

    Raises:
        NoKernels: when they call another C library.
    """
    names = [name for path in libraries for name in re.findall(rb"GLIBC_(\d+)\.(\d+)", path.read_bytes())]
    if not names:
        raise NoKernels("needs a compiler for Linux with glibc")
    return max((int(major), int(minor)) for major, minor in names)


def _file_name(level: str) -> str:
    """It names the code, so that a library is never taken for that of other code."""
    code = sha256("\0".join(sources()).encode()).hexdigest()
    return f"{level}-{code[:16]}.so"
