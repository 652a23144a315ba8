"""Device use: which of the machine's GPUs is the run's."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from tui.live.device_use import DeviceUse


class _ThreeGpus:
    """As much of NVIDIA's library as is asked for, on a machine with three GPUs that are 10, 11 and 12 % busy."""

    class NVMLError(Exception):
        pass

    UUIDS = ("GPU-aaaa-0", "GPU-bbbb-1", "GPU-bbcc-2")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  # the library's names
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        if index not in range(3):
            raise self.NVMLError
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return self.UUIDS[handle]

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> object:  # noqa: N802
        return SimpleNamespace(gpu=10 + handle)

    def nvmlDeviceGetMemoryInfo(self, _handle: int) -> object:  # noqa: N802
        return SimpleNamespace(used=2**30, total=2**32)

    def nvmlDeviceGetPowerUsage(self, _handle: int) -> int:  # noqa: N802
        return 70_000


@pytest.mark.parametrize(
    ("visible", "device", "said"),
    [
        (None, "cuda:1 (NVIDIA H200)", "GPU 11%, 1.0/4.0 GB, 70 W"),
        (None, "cuda", "GPU 10%"),
        ("2", "cuda:0 (NVIDIA H200)", "GPU 12%"),
        ("2, 0", "cuda:1", "GPU 10%"),
        ("GPU-bbbb-1", "cuda:0", "GPU 11%"),
        ("GPU-bbc,GPU-aaaa-0", "cuda:0", "GPU 12%"),
        ("GPU-dddd", "cuda:0", "CPU "),
        ("0", "cuda:1", "CPU "),
        ("", "cuda:0", "CPU "),
        ("7", "cuda:0", "CPU "),
        ("1", "cpu (1 thread)", "CPU "),
    ],
)
def test_the_gpu_is_the_one_that_cuda_means(monkeypatch, visible, device, said):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(DeviceUse, "_library", lambda _: _ThreeGpus())
    assert DeviceUse().line(device).startswith(said)


def test_the_processes_that_train_seeds_are_counted():
    alone = psutil.Process().memory_info().rss / 2**30
    hold = "memory = b'x' * (200 << 20); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        said = DeviceUse().line("cpu (1 thread)")
        child.communicate(b"\n")
    assert float(said.split(", ")[1].split()[0]) > alone + 0.15
