"""What a step on a GPU takes in ways that the trainer does not use, beside the one that it does.

    python tests/benchmark/gpu_alternatives.py [--arch conv9] [--copies 64] [--out FOLDER] [--device cuda:0]

Memory layouts, cuDNN's own search for algorithms and arithmetic, for one network and for many copies as one; copies as
parallel branches of one graph; the network compiled inside the graph. Each is one line with milliseconds a step and, in
FOLDER, a file with its kernels, the longest first. MNIST is taken from MNIST_TUI_DATA or downloaded. On a CPU, where
nothing is recorded, it shows only that the script works.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402  # the folder above comes first
from torch import Tensor, nn  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from core.config import TrainConfig  # noqa: E402
from core.data.loader import Dataset, Loader  # noqa: E402
from core.engines.engine import EagerEngine, Engine  # noqa: E402
from core.engines.graph.engine import GraphEngine  # noqa: E402
from core.grouped.network import GroupedNetwork  # noqa: E402
from core.grouped.step import GroupedStep  # noqa: E402
from core.models.network import make_network  # noqa: E402
from core.training.evaluate import Pixels  # noqa: E402
from core.training.sampling import draw_epoch  # noqa: E402
from core.training.step import TrainStep  # noqa: E402
from experiments.bench.peak import wait_for  # noqa: E402
from experiments.locations import Locations  # noqa: E402

BRANCHES = 16
"""Networks side by side in one graph."""


class Alternatives:
    """Times the steps of a config on a device, whole batches only."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device, out: Path, steps: int) -> None:
        self._config = config
        self._device = device
        self._out = out
        self._steps = steps
        self._images, self._labels = dataset.train_images.to(device), dataset.train_labels.to(device)
        self._pixels = Pixels(dataset.mean, dataset.std)

    def one(self, precision: str, *, planes: bool, compiled: bool = False) -> None:
        """One network; with `planes` each channel of an image lies by itself (NCHW), else channels_last."""
        step = self._step(self._config.changed(precision=precision), planes=planes, compiled=compiled)
        began = time.perf_counter()
        engine = self._engine()
        engine.prepare(step)
        ready = time.perf_counter() - began
        name = f"one {precision} {_layout(planes)}{' compiled' if compiled else ''}{_search()}"
        self._tell(name, lambda: engine.run(step, self._config.batch_size), step, f"{ready:.1f} s to get ready")

    def grouped(self, copies: int, precision: str, *, planes: bool) -> None:
        """So many copies as one network, called and not recorded, as their kernels take longer than Python."""
        step = self._step(self._config.changed(precision=precision), planes=planes, copies=copies)
        name = f"{copies} grouped {precision} {_layout(planes)}{_search()}"
        self._tell(name, lambda: step(self._config.batch_size), step)

    def branches(self, copies: int, precision: str) -> None:
        """So many networks, each on a stream of its own, in one graph."""
        steps = [self._step(self._config.changed(precision=precision, seed=seed)) for seed in range(copies)]
        together = _Branches(steps, self._device)
        engine = self._engine()
        engine.prepare(together)
        self._tell(
            f"{copies} branches {precision}",
            lambda: engine.run(together, self._config.batch_size),
            together,
            engine.note,
        )

    def _engine(self) -> Engine:
        return GraphEngine(self._device) if self._device.type == "cuda" else EagerEngine()

    def _step(self, config: TrainConfig, *, planes: bool = False, copies: int = 1, compiled: bool = False) -> TrainStep:
        networks = [make_network(config.changed(seed=seed)) for seed in range(copies)]
        shared = (config, self._images, self._labels, self._pixels, None)
        step: TrainStep
        rates = [config.lr] * -(-len(self._labels) // config.batch_size)
        draw = draw_epoch(config, len(self._labels), 1)
        model: nn.Module
        if copies == 1:
            model = networks[0][1].to(self._device)
            step = TrainStep(model, *shared, _laid_out(model, planes, compiled))
        else:
            model = GroupedNetwork(networks[0][0], [network for _, network in networks]).to(self._device)
            step = GroupedStep(model, *shared, None if planes else _channels_last(model))
        model.train()
        step.start_epoch([draw] * copies, [rates] * copies, 0)
        return step

    def _tell(self, name: str, run: Callable[[], None], step: TrainStep | _Branches, note: str = "") -> None:
        run()
        seconds = []
        for _ in range(3):
            step.rewind()
            wait_for(self._device)
            began = time.perf_counter()
            for _ in range(self._steps):
                run()
            wait_for(self._device)
            seconds.append((time.perf_counter() - began) / self._steps)
        step.rewind()
        kernels, busy = self._kernels(name, run)
        words = f"{1e3 * median(seconds):9.3f} ms, {kernels:.0f} kernels of {1e3 * busy:.3f} ms"
        print(f"{name:40} {words}{f', {note}' if note else ''}", flush=True)

    def _kernels(self, name: str, run: Callable[[], None]) -> tuple[float, float]:
        """How many kernels a step has and the seconds that they take, listed in a file."""
        if self._device.type != "cuda":
            return 0, 0.0
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            run()
            wait_for(self._device)
        rows = sorted(profiled.key_averages(), key=lambda row: -row.self_device_time_total)
        lines = [f"{row.self_device_time_total:10.1f} us {row.count:4} x {row.key[:160]}" for row in rows]
        (self._out / f"{name.replace(' ', '-')}.txt").write_text("\n".join(lines) + "\n")
        return sum(row.count for row in rows), 1e-6 * sum(row.self_device_time_total for row in rows)


class _Branches:
    """Steps of several networks, which do not wait for one another, as one step."""

    def __init__(self, steps: list[TrainStep], device: torch.device) -> None:
        self._steps = steps
        self._streams = [torch.cuda.Stream(device) for _ in steps] if device.type == "cuda" else []

    def __call__(self, size: int) -> None:
        if not self._streams:
            for step in self._steps:
                step(size)
            return
        current = torch.cuda.current_stream()
        for step, stream in zip(self._steps, self._streams, strict=True):
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                step(size)
        for stream in self._streams:
            current.wait_stream(stream)

    def sizes(self) -> list[int]:
        return self._steps[0].sizes()[:1]

    def rewind(self) -> None:
        for step in self._steps:
            step.rewind()

    def changed(self) -> list[Tensor]:
        return [tensor for step in self._steps for tensor in step.changed()]


def _laid_out(model: nn.Module, planes: bool, compiled: bool) -> Callable[[Tensor], Tensor]:
    """The forward pass of a network in one layout; of one channel, images in the other have other strides alone."""
    model.to(memory_format=torch.contiguous_format if planes else torch.channels_last)
    forward = torch.compile(model, dynamic=False) if compiled else model
    return (lambda images: forward(images.reshape(-1, 28, 28)[:, None])) if planes else forward


def _channels_last(model: GroupedNetwork) -> Callable[[Tensor], Tensor]:
    """The activations alone: the optimizer takes each copy's weights as one row."""

    def forward(images: Tensor) -> Tensor:
        columns = images.reshape(-1, model.copies, *images.shape[2:]).to(memory_format=torch.channels_last)
        logits: Tensor = nn.Sequential.forward(model, columns)
        return logits.reshape(len(images), -1)

    return forward


def _layout(planes: bool) -> str:
    return "NCHW" if planes else "NHWC"


def _search() -> str:
    return " search" if torch.backends.cudnn.benchmark else ""


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be done is one line, and no reason to leave the rest undone."""
    try:
        yield
    except RuntimeError as error:
        print(f"  not possible: {str(error).splitlines()[0]}", flush=True)
    torch.cuda.empty_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arch", default="conv9")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--copies", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--out", type=Path, default=Path("gpu-alternatives"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    locations = Locations.resolve()
    dataset = Loader(locations.data, locations.cache).load("mnist")
    shared = {"arch": options.arch, "batch_size": options.batch_size, "device": options.device, "budget": False}
    config = TrainConfig.checked({"dataset": "mnist", **shared})
    device = torch.device(options.device)
    precisions = ("fp32", "tf32", "bf16") if device.type == "cuda" else ("fp32", "bf16")
    found = Alternatives(config, dataset, device, options.out, options.steps)
    few = Alternatives(config, dataset, device, options.out, max(1, options.steps // 10))
    for search, precision, planes in product((False, True), precisions, (False, True)):
        torch.backends.cudnn.benchmark = search
        with _told():
            found.one(precision, planes=planes)
        with _told():
            few.grouped(options.copies, precision, planes=planes)
    torch.backends.cudnn.benchmark = False
    for precision in precisions:
        with _told():
            few.branches(min(BRANCHES, options.copies), precision)
    for precision, planes in product(precisions, (False, True)):
        with _told():
            found.one(precision, planes=planes, compiled=True)


if __name__ == "__main__":
    main()
