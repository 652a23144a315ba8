"""Builds wheels that bring compiled kernels along: ``MNIST_TUI_KERNELS=x86_64 python -m hatchling build -t wheel``.

Without that variable a wheel is for any machine and compiles the kernels where it is used. `CC` names the compiler, one
for another machine too. `core/engines/native/prebuilt.py` says which processors are served.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "MNIST_TUI_KERNELS"


class KernelsHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        machine = os.environ.get(VARIABLE, "")
        if not machine or version == "editable":
            return
        sys.path.insert(0, self.root)
        from core.engines.native import compiler, prebuilt

        if machine not in prebuilt.LEVELS:
            raise SystemExit(f"{VARIABLE} = {machine}: must be {' or '.join(prebuilt.LEVELS)}")
        self._folder = TemporaryDirectory()
        try:
            libraries = prebuilt.build(machine, compiler.find_compiler(), Path(self._folder.name))
            major, minor = prebuilt.oldest_libc(libraries.values())
        except compiler.NoKernels as problem:
            raise SystemExit(f"a wheel with kernels {problem.message}") from None
        build_data["tag"] = f"py3-none-manylinux_{major}_{minor}_{machine}"
        build_data["pure_python"] = False
        build_data["force_include"] |= {str(path): place for place, path in libraries.items()}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_folder"):
            self._folder.cleanup()
