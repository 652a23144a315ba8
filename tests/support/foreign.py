"""The kernels as another processor runs them: compiled for it, each call in a process of an emulator.

All memory that a call may use is put into a file, which the process has at the same addresses.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import subprocess
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.engines.native.compiler import FLAGS, FOLDER
from core.engines.native.library import TYPES

SOURCE = Path(__file__).with_name("run_kernels.c")
FUNCTIONS = (
    *("lanes", "groups_per_strip", "scratch_vectors", "partial_sums_size"),
    *("draw_kept", "read_images", "write_images", "forward", "backward"),
)
ASKS = 4
"""So many of the functions look at structures alone; the others at tensors."""
ARGUMENTS = 9
TAKEN = 2
"""Exit status where the emulator has something else at an address."""

Range = tuple[int, int]
"""An address and a number of bytes."""


class ForeignKernels:
    """Has the functions of the library that `load_kernels` gives.

    Args:
        compiler: the command of a compiler for the other processor.
        emulator: the command that runs what it makes.
    """

    def __init__(self, compiler: Sequence[str], emulator: Sequence[str], folder: Path, dtype: torch.dtype) -> None:
        program = folder / f"kernels-{dtype}".replace("torch.", "")
        options = (*(flag for flag in FLAGS if flag != "-O3"), "-O1", "-static", *TYPES[dtype], f"-I{FOLDER}")
        subprocess.run([*compiler, *options, str(SOURCE), "-o", str(program), "-lm"], check=True)
        self._command = [*emulator, str(program)]
        self._file = folder / "memory"

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise AttributeError(name)
        return lambda *arguments: self._call(FUNCTIONS.index(name), arguments)

    def helper_ids(self, *_: object) -> int:
        return 0

    def waited_for_cores(self) -> int:
        return 0

    def _call(self, function: int, arguments: Sequence[Any]) -> int:
        values, ranges = [], []
        for argument in arguments:
            pointed = getattr(argument, "_obj", argument)  # `byref` has what it points at
            if isinstance(pointed, ctypes.Structure | ctypes.Array):
                values.append(ctypes.addressof(pointed))
                ranges.append((values[-1], ctypes.sizeof(pointed)))
            else:
                values.append(int(pointed or 0))
        tensors = [] if function < ASKS else sorted(set(_memory_of_tensors()))
        pages = list(_pages([*ranges, *tensors]))
        values += [0] * (ARGUMENTS - len(values))
        head, place = array("q", [function, *values, len(pages)]), mmap.PAGESIZE
        place *= -(-(len(head) + 3 * len(pages)) * head.itemsize // place)
        places = {}
        for start, size in pages:
            places[start] = place
            head.extend((start, size, place))
            place += size
        content = bytearray(place)
        content[: len(head) * head.itemsize] = head.tobytes()
        for start, size in pages:
            content[places[start] : places[start] + size] = ctypes.string_at(start, size)
        self._file.write_bytes(content)
        result = self._run()
        found = self._file.read_bytes()
        for start, size in tensors:
            first = max(page for page in places if page <= start)
            at = places[first] + start - first
            ctypes.memmove(start, found[at : at + size], size)
        return result

    def _run(self) -> int:
        for _ in range(20):  # the system puts the emulator itself at another address each time
            done = subprocess.run([*self._command, str(self._file)], capture_output=True, text=True, check=False)
            if done.returncode != TAKEN:
                break
        assert done.returncode == 0, done.stderr
        return int(done.stdout)


def _memory_of_tensors() -> Iterator[Range]:
    for each in gc.get_objects():
        if type(each) in (Tensor, torch.nn.Parameter) and each.device.type == "cpu" and each.layout == torch.strided:
            storage = each.untyped_storage()
            if storage.nbytes():
                yield storage.data_ptr(), storage.nbytes()


def _pages(ranges: Sequence[Range]) -> Iterator[Range]:
    """The pages of memory that have these ranges, in order, those that touch as one."""
    start = end = 0
    for first, size in sorted(ranges):
        low, high = first // mmap.PAGESIZE * mmap.PAGESIZE, -(-(first + size) // mmap.PAGESIZE) * mmap.PAGESIZE
        if low > end:
            if end:
                yield start, end - start
            start = low
        end = max(end, high)
    if end:
        yield start, end - start
