"""The load of the machine: of the GPU where NVIDIA's library knows one, else of this process and those it started."""

from __future__ import annotations

import importlib
import math
import os
import time
from collections import deque
from contextlib import suppress
from typing import Any

import psutil

MOST_LOADS = 600
"""Readings that are kept, of a second each."""


class DeviceUse:
    """The load of a device in words. A run's log names the device."""

    def __init__(self) -> None:
        self._processes = {os.getpid(): psutil.Process()}
        """This process and those that it has started, by their ids: seeds may be trained in processes of their own."""
        self._processes[os.getpid()].cpu_percent()  # the first reading is only the start of the interval
        self._gpu: Any = None
        self._looked_for_gpu = False
        self._recent, self._read_at = "", -math.inf
        self.loads: deque[float] = deque(maxlen=MOST_LOADS)
        """The load at each reading, in percent of the GPU or of a core."""

    def recent_line(self, device: str) -> str:
        """The same as `line`, read once a second at most: cheap enough for each time the screen is painted."""
        now = time.monotonic()
        if now - self._read_at >= 1:
            self._recent, self._read_at = self.line(device), now
        return self._recent

    def line(self, device: str) -> str:
        if device.startswith("cuda") and (gpu := self._gpu_line(device)):
            return gpu
        cpu, memory = self._cpu_and_memory()
        self.loads.append(cpu)
        return f"CPU {cpu:.0f}% of {psutil.cpu_count() or 1} cores, {_gb(memory)} GB"

    def _cpu_and_memory(self) -> tuple[float, int]:
        """Percent of a core, since the last call, and bytes, of this process and those that it has started."""
        own = self._processes[os.getpid()]
        there = (own, *own.children(recursive=True))
        known = self._processes = {process.pid: self._processes.get(process.pid, process) for process in there}
        cpu, memory = 0.0, 0
        for process in known.values():
            with suppress(psutil.Error):  # it has just ended
                cpu += process.cpu_percent()
                memory += process.memory_info().rss
        return cpu, memory

    def _gpu_line(self, device: str) -> str:
        library = self._library()
        if library is None:
            return ""
        digits = "".join(character for character in device.split(" ")[0] if character.isdigit())
        try:
            handle = _handle(library, int(digits or 0))
            busy = library.nvmlDeviceGetUtilizationRates(handle).gpu
            memory = library.nvmlDeviceGetMemoryInfo(handle)
            watts = library.nvmlDeviceGetPowerUsage(handle) / 1000
        except (library.NVMLError, LookupError):
            return ""
        self.loads.append(busy)
        return f"GPU {busy}%, {_gb(memory.used)}/{_gb(memory.total)} GB, {watts:.0f} W"

    def _library(self) -> Any:
        """nvidia-ml-py, started; None where it or the driver is missing."""
        if not self._looked_for_gpu:
            self._looked_for_gpu = True
            try:
                library = importlib.import_module("pynvml")
                library.nvmlInit()
            except ImportError:
                return None
            except Exception:  # noqa: BLE001  # the library has its own errors and passes on those of the driver
                return None
            self._gpu = library
        return self._gpu


def _handle(library: Any, index: int) -> Any:
    """NVML's handle of the GPU that CUDA knows under this index.

    NVML counts all GPUs of the machine, CUDA those that CUDA_VISIBLE_DEVICES leaves, by number or UUID, up to the first
    that there is not. (Without CUDA_DEVICE_ORDER=PCI_BUS_ID it also sorts them by speed, where they are not alike.)

    Raises:
        LookupError: when there is no such GPU.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return library.nvmlDeviceGetHandleByIndex(index)
    name = visible.split(",")[index].strip()
    if name.isdigit():
        return library.nvmlDeviceGetHandleByIndex(int(name))
    if name.startswith("MIG-"):
        return library.nvmlDeviceGetHandleByUUID(name)
    for number in range(library.nvmlDeviceGetCount()):
        handle = library.nvmlDeviceGetHandleByIndex(number)
        if name and _text(library.nvmlDeviceGetUUID(handle)).startswith(name):
            return handle
    raise LookupError(name)


def _text(words: str | bytes) -> str:
    """A text of the library as `str`; old versions give bytes."""
    return words.decode() if isinstance(words, bytes) else words


def _gb(count: float) -> str:
    return f"{count / 2**30:.1f}"
