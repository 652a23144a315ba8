"""The kernels under AddressSanitizer and UndefinedBehaviorSanitizer, which stop at the first fault."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[3] / "support"
OPTIONS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
CHECK = """
import sys

import torch

from core.engines.native import plan
from random_modules import check_any_spec, check_random_modules
from random_networks import check_random_network

plan.HUGE = sys.maxsize  # so that all memory is malloc's, which has guarded zones around it
for seed in range(int(sys.argv[1])):
    torch.set_num_threads(1 + seed % 4)
    check_random_network(seed)
    check_random_modules(seed)
    check_any_spec(seed)
"""
SHORT = """
from core.engines.native import plan

plan.group_size, whole = lambda shape: whole(shape) - 1, plan.group_size
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> dict[str, str]:
    """The environment of a process that compiles the kernels with sanitizers."""
    try:
        done = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no gcc")
    runtime = Path(done.stdout.strip())
    if not runtime.is_file():
        pytest.skip("gcc has no sanitizers here")
    return os.environ | {
        "CC": f"""sh -c 'gcc "$@" {OPTIONS}' cc""",
        "LD_PRELOAD": str(runtime.resolve()),  # Python is not linked with it
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps memory to its end
        "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])]),
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
    }


def run(code: str, count: int, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, str(count)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_sanitizers_find_nothing_in_300_random_networks(kernels, sanitized):
    done = run(CHECK, 300, sanitized)
    assert done.returncode == 0, done.stderr[-4000:]


def test_maps_that_are_too_small_are_found(kernels, sanitized):
    done = run(SHORT + CHECK, 20, sanitized)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
