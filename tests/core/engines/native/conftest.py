"""The kernels as each compiler of this machine makes them."""

from __future__ import annotations

import os
import random
import shutil

import pytest
import torch

from core.engines.native.library import kernels_obstacle

BUILDS = {
    "gcc": ("gcc", ""),
    "clang": ("clang", ""),
    "gcc for AVX2": ("gcc", "-march=haswell"),
    "clang for AVX2": ("clang", "-march=haswell"),
}
"""Of each build the compiler and options that come after the engine's own."""
DRAWN = ("gcc", random.Random(os.environ["TEST_SEED"]).choice([build for build in BUILDS if build != "gcc"]))
"""Those of a run of the tests; compiling takes longer than testing. `-m slow` takes the others."""


def build_command(compiler: str, options: str) -> str:
    """What CC is to be for these; skips the test where there is no such compiler, or the code could not run."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    if options and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("the processor has no AVX2")
    return f"""sh -c '{compiler} "$@" {options}' cc"""


@pytest.fixture(params=[pytest.param(build, marks=() if build in DRAWN else pytest.mark.slow) for build in BUILDS])
def each_build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", build_command(*BUILDS[request.param]))
    assert kernels_obstacle() == ""
