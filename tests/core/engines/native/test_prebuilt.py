"""Kernels that a wheel brings along, for machines without a compiler."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from core.engines.native import compiler, library, prebuilt
from core.engines.native.compiler import NoKernels
from core.engines.native.library import kernels_origin, load_kernels

ROOT = Path(__file__).parents[4]
MACHINE = platform.machine()
V4 = prebuilt.LEVELS["x86_64"]["x86-64-v4"]
V3 = prebuilt.LEVELS["x86_64"]["x86-64-v3"]
TRAIN = ("--limit-train", "600", "--limit-test", "100", "--epochs", "1", "--dataset", "mnist-5k", "--json")


def build_wheel(folder: Path, machine: str, command: str, **options: object) -> subprocess.CompletedProcess[str]:
    """By a compiler that does not optimise, which takes seconds."""
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        env=os.environ | {"MNIST_TUI_KERNELS": machine, "CC": f"""sh -c '{command} "$@" -O0' cc"""},
        cwd=ROOT,
        text=True,
        **options,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    if MACHINE not in prebuilt.LEVELS or shutil.which("cc") is None or sys.platform != "linux":
        pytest.skip("no wheel with kernels can be built here")
    folder = tmp_path_factory.mktemp("wheel")
    build_wheel(folder, MACHINE, "cc", check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture
def site(wheel, tmp_path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def program(site, tmp_path, monkeypatch):
    """Runs the program of the wheel on a machine that has no compiler, and an empty cache; gives what it prints."""
    (tmp_path / "bin").mkdir()
    for name in ("CC", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(site))

    def run(*words: str) -> str:
        command = [sys.executable, "-P", "-m", "tui", "--home", str(tmp_path / "home"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    return run


def test_a_wheel_for_one_kind_of_machine_says_so_and_has_a_library_for_each_level(wheel):
    major, minor, *_ = wheel.name.partition("manylinux_")[2].split("_")
    assert wheel.name.endswith(f"-py3-none-manylinux_{major}_{minor}_{MACHINE}.whl")
    assert (2, 0) <= (int(major), int(minor)) <= tuple(map(int, platform.libc_ver()[1].split(".")))
    with zipfile.ZipFile(wheel) as archive:
        names = [Path(name).name for name in archive.namelist() if name.startswith("core/engines/native/prebuilt/")]
        assert (
            "Root-Is-Purelib: false"
            in archive.read(next(n for n in archive.namelist() if n.endswith("/WHEEL"))).decode()
        )
    assert sorted(name.rpartition("-")[0] for name in names) == sorted(prebuilt.LEVELS[MACHINE])


def test_without_a_compiler_runs_train_by_the_library_of_the_wheel_and_say_so(program, tmp_path):
    level = prebuilt.level_of(MACHINE, features())
    if not level:
        pytest.skip("there is no wheel for this processor")
    words = f"came with the program, for {level}"
    (found,) = (each for each in json.loads(program("doctor", "--json")) if each["check"] == "kernels")
    assert (found["state"], found["detail"]) == ("good", words)
    events = [json.loads(line) for line in program("run", *TRAIN).splitlines()]
    assert (events[0]["engine"], events[0]["kernels"]) == ("native", words)
    assert not (tmp_path / "cache" / "mnist-tui" / "kernels").exists()
    assert f"its kernels {words}" in program("show", "latest")
    assert json.loads(program("show", "latest", "--json"))["kernels"] == words


def features() -> list[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("flags", "Features")):
            return line.partition(":")[2].split()
    return []


@pytest.mark.parametrize(
    ("machine", "has", "level"),
    [
        ("x86_64", V4 | {"sse2", "amx_tile"}, "x86-64-v4"),
        ("x86_64", V4 - {"avx512vl"}, "x86-64-v3"),  # Knights Landing
        ("x86_64", V3, "x86-64-v3"),
        ("x86_64", V3 - {"fma"}, ""),
        ("aarch64", {"fp", "asimd", "sve"}, "armv8-a"),
        ("aarch64", set(), ""),
        ("riscv64", {"v"}, ""),
    ],
)
def test_a_processor_is_of_the_best_level_whose_features_it_has(machine, has, level):
    assert prebuilt.level_of(machine, has) == level


@pytest.fixture
def beside(wheel, site, monkeypatch):
    """The libraries of the wheel beside the code of this process."""
    folder = site / "core" / "engines" / "native" / "prebuilt"
    monkeypatch.setattr(prebuilt, "FOLDER", folder)
    monkeypatch.delenv("CC", raising=False)
    library._prebuilt.cache_clear()
    yield folder
    library._prebuilt.cache_clear()


def test_who_names_a_compiler_has_the_kernels_from_it(kernels, beside, monkeypatch):
    assert kernels_origin(torch.float32).startswith("came with the program")
    assert kernels_origin(torch.float64).startswith("compiled for this processor by")
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(NoKernels, match="no-such-compiler"):
        load_kernels(torch.float32)


@pytest.mark.parametrize("harm", ["cut", "of other code"])
def test_a_library_that_is_damaged_or_of_other_code_is_not_loaded(kernels, beside, monkeypatch, harm):
    if harm == "cut":
        for path in beside.iterdir():
            path.write_bytes(path.read_bytes()[:-100])
    else:
        monkeypatch.setattr(prebuilt, "sources", lambda: [*compiler.sources(), "more"])
    assert kernels_origin(torch.float32).startswith("compiled for this processor by")


def test_a_kind_of_machine_that_there_is_no_wheel_for_is_refused_in_a_line(tmp_path):
    done = build_wheel(tmp_path, "sparc", "cc", capture_output=True)
    assert done.returncode
    assert "MNIST_TUI_KERNELS = sparc: must be x86_64 or aarch64" in done.stderr


def test_without_a_compiler_no_wheel_is_made_and_a_line_says_why(tmp_path):
    done = build_wheel(tmp_path, "x86_64", "no-such-compiler", capture_output=True)
    assert done.returncode
    assert "a wheel with kernels needs a C compiler that works, and " in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_wheel_for_aarch64_can_be_made_elsewhere(tmp_path):
    if shutil.which("aarch64-linux-gnu-gcc") is None:
        pytest.skip("there is no compiler for it")
    build_wheel(tmp_path, "aarch64", "aarch64-linux-gnu-gcc", check=True, capture_output=True)
    (made,) = tmp_path.glob("*_aarch64.whl")
    with zipfile.ZipFile(made) as archive:
        (name,) = (name for name in archive.namelist() if "/prebuilt/" in name)
        assert archive.read(name)[18:20] == b"\xb7\x00"  # e_machine of an ELF file: EM_AARCH64
