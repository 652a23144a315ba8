"""How the kernels in C come to be: compiled once, kept, and missing in words."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import platform
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
import torch
from waiting import wait_until

from core.config import TrainConfig
from core.engines.choose import choose_engine, make_engine
from core.engines.native import compiler as making
from core.engines.native import library as native
from core.engines.native import structures
from core.engines.native.compiler import NoKernels, find_compiler
from core.engines.native.library import kernels_obstacle, load_kernels
from core.errors import InvalidValue

CPU = torch.device("cpu")
LOAD = "import torch; from core.engines.native.library import load_kernels; print(load_kernels(torch.float32).lanes())"


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A cache with nothing in it, and a process that has not tried yet, and does not optimise, which takes seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "FLAGS", tuple("-O0" if flag == "-O3" else flag for flag in native.FLAGS))
    native._compiled.cache_clear()
    yield tmp_path / "mnist-tui" / "kernels"
    native._compiled.cache_clear()


def compiler(folder: Path, script: str) -> str:
    """An executable to be named as CC."""
    path = folder / "some-cc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_compiler_that_does_not_finish_is_given_up_on_with_all_of_its_processes(monkeypatch, fresh, tmp_path):
    script = f"cd {tmp_path}; sleep 600 & echo $! > new; mv new child; wait"
    monkeypatch.setenv("CC", compiler(tmp_path, script))
    monkeypatch.setattr(making, "SECONDS", 5)
    assert "some-cc did not finish in 5 s" in kernels_obstacle()
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_the_environment_names_the_compiler_with_its_options(monkeypatch, tmp_path):
    path = compiler(tmp_path, "exit 0")
    monkeypatch.setenv("CC", f"{path} -pipe -O1")
    assert find_compiler() == [path, "-pipe", "-O1"]


def test_without_a_compiler_the_usual_names_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(NoKernels, match="needs a C compiler, and there is no cc or gcc or clang"):
        find_compiler()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'cannot\nwrite' >&2; exit 1", "cannot write"),
        ("exit 3", "exit status 3"),
        ("exit 0", "cannot be compiled or loaded"),  # makes nothing
        ('for last; do :; done; [ "$1" = --version ] || echo nonsense > "$last"', "cannot be compiled or loaded"),
    ],
)
def test_with_a_compiler_that_does_not_work_auto_is_eager_and_native_is_refused(
    monkeypatch, fresh, tmp_path, script, words
):
    monkeypatch.setenv("CC", compiler(tmp_path, script))
    choice = choose_engine(TrainConfig(), CPU, 1000)
    assert choice.name == "eager"
    assert words in choice.reason
    assert choice.reason in make_engine(choice, 64, CPU).note
    with pytest.raises(InvalidValue, match="engine = native: ") as refusal:
        choose_engine(TrainConfig.checked({"engine": "native"}), CPU, 1000)
    assert words in refusal.value.message
    assert refusal.value.hint
    assert not list(fresh.glob("**/*.so"))


def test_where_nothing_can_be_kept_they_are_compiled_for_the_process(kernels, monkeypatch, fresh, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kernels_obstacle() == ""
    assert load_kernels(torch.float32).lanes() > 1


def test_nor_is_a_folder_that_nothing_can_be_run_from_an_obstacle(kernels, monkeypatch, fresh):
    load, refused = ctypes.CDLL, []

    def load_elsewhere(path):
        if path.startswith(str(fresh)):
            refused.append(path)
            raise OSError("failed to map segment from shared object")
        return load(path)

    monkeypatch.setattr(ctypes, "CDLL", load_elsewhere)
    assert load_kernels(torch.float32).lanes() > 1
    assert refused
    assert not list(fresh.iterdir())
    native._compiled.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", load)
    load_kernels(torch.float32)
    monkeypatch.setattr(ctypes, "CDLL", load_elsewhere)
    native._compiled.cache_clear()
    assert load_kernels(torch.float32).lanes() > 1, "nor is one that was kept while things could be run from there"


def test_what_takes_long_is_said_when_it_is_done(kernels, fresh, caplog):
    caplog.set_level(logging.INFO, "core")
    load_kernels(torch.float32)
    assert [record.message for record in caplog.records] == [
        "compiling the kernels of the native engine for this machine, which is done once"
    ]
    native._compiled.cache_clear()
    load_kernels(torch.float32)
    assert len(caplog.records) == 1


def test_they_are_compiled_once_for_each_type(kernels, fresh, monkeypatch):
    assert load_kernels(torch.float32).lanes() == 2 * load_kernels(torch.float64).lanes()
    kept = sorted(fresh.iterdir())
    assert [path.suffix for path in kept] == [".so", ".so"]
    native._compiled.cache_clear()
    monkeypatch.setattr(native, "_compile", lambda *_: pytest.fail("compiled again"))
    load_kernels(torch.float32)
    assert sorted(fresh.iterdir()) == kept


@pytest.mark.sampled(1)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_damaged_file_in_the_cache_is_made_anew(kernels, cache_home, fresh, share):
    fresh.mkdir(parents=True)
    for path in (cache_home / "mnist-tui" / "kernels").iterdir():
        whole = path.read_bytes()
        (fresh / path.name).write_bytes(whole[: int(share * len(whole))])
    damaged = {path: path.stat().st_size for path in fresh.iterdir()}
    command = [sys.executable, "-c", LOAD]  # a process of its own: one that has the library would not load it again
    assert subprocess.run(command, check=True, capture_output=True).stdout.strip()
    assert damaged.keys() == set(fresh.iterdir())
    assert any(path.stat().st_size > size for path, size in damaged.items())


PLANTED = r"""
#include <stdlib.h>
__attribute__((constructor)) static void run(void) { if (system("touch \"$MARK\"")) abort(); }
"""


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_library_that_another_user_could_have_put_in_the_cache_is_not_loaded(
    kernels, cache_home, fresh, tmp_path, mode
):
    """With its own sum at its end, and under the right name, which anybody can work out. The same file is loaded, and
    its code run, where nobody else could have put it."""
    (tmp_path / "planted.c").write_text(PLANTED)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "planted", tmp_path / "planted.c"], check=True)
    content = (tmp_path / "planted").read_bytes()
    fresh.mkdir(parents=True)
    for path in (cache_home / "mnist-tui" / "kernels").iterdir():
        (fresh / path.name).write_bytes(content + sha256(content).digest())
    fresh.chmod(mode)
    mark = tmp_path / "mark"
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=os.environ | {"MARK": str(mark)}, capture_output=True, text=True, check=False
    )
    if mode == 0o700:
        assert mark.exists()
    else:
        assert not mark.exists()
        assert int(done.stdout) > 1
        assert (
            f"{fresh} can be changed by other users, so the kernels are compiled for this process alone" in done.stderr
        )


def test_what_is_no_command_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("CC", 'gcc "')
    with pytest.raises(NoKernels, match="CC is not a command"):
        find_compiler()


def test_of_two_processes_that_start_together_one_compiles_and_the_other_waits_for_it(
    kernels, monkeypatch, fresh, tmp_path
):
    wait = f"echo one >> {tmp_path}/compiled; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    script = f'case "$*" in *" -c "*) {wait};; esac; exec cc "$@" -O0'
    monkeypatch.setenv("CC", compiler(tmp_path, script))
    said = [tmp_path / "said-0", tmp_path / "said-1"]
    command = [sys.executable, "-c", f"import logging; logging.basicConfig(level=logging.INFO); {LOAD}"]

    def start(path: Path) -> subprocess.Popen[str]:
        with path.open("w") as file:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)

    def compiled() -> int:
        return (tmp_path / "compiled").read_text().count("one") if (tmp_path / "compiled").exists() else 0

    first = start(said[0])
    wait_until(lambda: compiled() == 1)
    second = start(said[1])
    wait_until(lambda: compiled() == 2 or "waiting for another process" in said[1].read_text())
    (tmp_path / "go").touch()
    lanes = {process.communicate(timeout=120)[0] for process in (first, second)}
    assert len(lanes) == 1
    assert [first.returncode, second.returncode] == [0, 0]
    assert compiled() == 1
    assert len(list(fresh.iterdir())) == 1


def test_who_has_waited_long_enough_for_another_process_compiles(kernels, monkeypatch, fresh):
    monkeypatch.setattr(native, "PATIENCE", 0.2)
    fresh.mkdir(parents=True, mode=0o700)
    handle = os.open(fresh, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert load_kernels(torch.float32).lanes() > 1
    finally:
        os.close(handle)
    assert len(list(fresh.iterdir())) == 1


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_there_is_one_openmp_in_the_process(monkeypatch, compiler):
    """Asked of a process of its own, as other packages may have brought theirs into this one."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    monkeypatch.setenv("CC", compiler)
    maps = "; print(*open('/proc/self/maps').read().split(), sep='\\n')"
    if not Path("/proc/self/maps").exists():
        pytest.skip("the system does not tell what is loaded")
    done = subprocess.run([sys.executable, "-c", LOAD + maps], capture_output=True, text=True, check=True)
    loaded = {line for line in done.stdout.splitlines() if Path(line).name.startswith(("libgomp", "libomp", "libiomp"))}
    assert len(loaded) == 1


@pytest.mark.sampled(3)
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names instruction sets of x86")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("machine", ["x86-64", "haswell", "skylake-avx512"])
@pytest.mark.parametrize("dtype", native.TYPES)
def test_compilers_have_nothing_to_warn_of(tmp_path, compiler, machine, dtype):
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    warnings = ("-Wall", "-Wextra", "-Werror", f"-march={machine}")
    command = [compiler, *making.FLAGS, *native.TYPES[dtype], *warnings, "-c", making.SOURCE, "-o", tmp_path / "all.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def copied(monkeypatch, tmp_path):
    """A copy of the C code, to change."""
    folder = shutil.copytree(making.FOLDER, tmp_path / "copy")
    monkeypatch.setattr(making, "FOLDER", folder)
    monkeypatch.setattr(making, "SOURCE", folder / "passes.c")
    return folder


@pytest.mark.parametrize("name", [path.name for path in sorted(making.FOLDER.glob("*.[ch]"))])
def test_a_change_of_any_file_is_compiled(kernels, fresh, copied, monkeypatch, name):
    asked_for = []

    def refuse(compiler: tuple[str, ...], flags: tuple[str, ...], path: Path) -> ctypes.CDLL:
        asked_for.append(path)
        raise OSError("not now")

    monkeypatch.setattr(native, "_compile", refuse)
    assert kernels_obstacle()
    (copied / name).write_text((copied / name).read_text() + "/* more */\n")
    native._compiled.cache_clear()
    assert kernels_obstacle()
    assert len(set(asked_for)) == 2


class Shifted(ctypes.Structure):
    """`Maps` with its fields the other way round: as large, and of the same names."""

    _fields_ = (("size", ctypes.c_int64), ("vectors", ctypes.c_void_p))


class Shorter(ctypes.Structure):
    _fields_ = (("vectors", ctypes.c_void_p), ("size", ctypes.c_int32))


class Longer(ctypes.Structure):
    _fields_ = (*structures.MapsStructure._fields_, ("more", ctypes.c_int64))


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        (Shifted, "Maps.vectors is 8 bytes at 0 in C and "),
        (Shorter, "Maps.size is 8 bytes at 8 in C and 4 bytes at 8 in Python"),
        (Longer, "Maps"),
    ],
)
def test_structs_that_python_lays_out_otherwise_are_found_when_the_kernels_are_loaded(
    kernels, monkeypatch, structure, words
):
    assert structures.layout_difference(load_kernels(torch.float32)) == ""
    monkeypatch.setitem(structures._MIRRORED, "Maps", structure)
    native._compiled.cache_clear()
    assert kernels_obstacle().startswith("its kernels do not fit this program: ")
    assert words in kernels_obstacle()
    native._compiled.cache_clear()
