"""The threads of the kernels under ThreadSanitizer: `tests/support/team_loops.c` runs loops of all kinds on them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.engines.native.compiler import FOLDER

LOOPS = Path(__file__).parents[3] / "support" / "team_loops.c"
OPTIONS = (
    "-std=gnu11",
    "-O1",
    "-g",
    "-DDOUBLE",
    "-pthread",
    "-fsanitize=thread",
    "-Wall",
    "-Wextra",
    "-Wno-unused-function",
    "-Werror",
)


def build(compiler: str, headers: Path, into: Path) -> Path:
    """A program of these loops; skips the test where the compiler has no sanitizer."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    command = [compiler, *OPTIONS, "-I", headers, LOOPS, "-o", into / "loops", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "tsan" in done.stderr:
        pytest.skip(f"{compiler} has no thread sanitizer here")
    assert done.returncode == 0, done.stderr
    return into / "loops"


def run(program: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1 die_after_fork=0"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=300, check=False)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the sanitizer does not run on this system")
    return done


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_each_part_of_a_loop_is_done_once_and_nothing_races(tmp_path, compiler):
    done = run(build(compiler, FOLDER, tmp_path))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "7 helpers\n")


def test_a_race_would_be_found(tmp_path):
    headers = shutil.copytree(FOLDER, tmp_path / "headers")
    code = (headers / "team.h").read_text()
    racing = code.replace("__atomic_fetch_add(&loop->next, 1, __ATOMIC_RELAXED)", "(loop->next++)")
    assert racing != code
    (headers / "team.h").write_text(racing)
    done = run(build("gcc", headers, tmp_path))
    assert done.returncode != 0
    assert "data race" in done.stderr
