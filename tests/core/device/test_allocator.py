"""Freed memory is kept where the C library is glibc, and nothing breaks where it is another."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.device import allocator

STEADY_STATE = """
import resource, sys
from core.device.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def touch(size=6 << 20):
    blocks = [bytearray(size) for _ in range(3)]
for _ in range(5):
    touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    answer = subprocess.run([sys.executable, "-c", STEADY_STATE, mode], capture_output=True, text=True, check=True)
    return int(answer.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no glibc")
def test_memory_that_was_freed_is_taken_again_without_page_faults():
    assert page_faults("keep") < page_faults("leave") / 10


@pytest.mark.parametrize(
    ("most", "asked"),
    [
        (1 << 31, [(-3, 1 << 30), (-1, 1 << 30), (-8, 1)]),
        (32 << 20, [(-3, 1 << 30), (-3, 32 << 20), (-1, 1 << 30), (-8, 1)]),
        (512 << 10, [(-3, 1 << 30), (-3, 32 << 20)]),
    ],
    ids=["2.35", "before 2.35", "before 2.35, 32 bits"],
)
def test_where_glibc_keeps_no_large_blocks_nothing_else_is_asked_of_it(monkeypatch, most, asked):
    class Libc:
        def mallopt(self, option: int, value: int) -> int:
            calls.append((option, value))
            return int(option != -3 or value <= most)

    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: Libc())
    allocator.keep_freed_memory()
    assert calls == asked


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    allocator.keep_freed_memory()
