"""All tests that need a GPU, and the benchmark on it: run this on a machine that has one.

    python tests/benchmark/gpu.py [--out docs/results/bench-gpu.json] [--quick] [--minutes 8] [--wheels DIR]

MNIST is taken from MNIST_TUI_DATA or downloaded. Prints what it does and writes one JSON file, anew after each part:
machine, versions, milliseconds a step for the example and each engine and precision, the seconds that a run of 20
epochs with evaluation takes, 64 seeds as one network, by themselves and as the command with all its files, the time to
the target accuracy, and how the tests went. No part is begun after so many minutes; `skipped` has those. Exits 1 when a
test failed, and 2 with a line for each thing that is missing before anything slow is done. Packages that the machine
lacks come from a folder of wheels that `carry.py` makes. What might be faster is tried by `gpu_alternatives.py`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SEEDS = 64
IMPORTED = ("torch", "torchvision", "numpy", "pydantic", "safetensors", "platformdirs", "typer", "psutil", "pytest")
"""Packages without which nothing here works."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "bench-gpu.json")
    parser.add_argument("--quick", action="store_true", help="one round of ten steps, and no whole runs")
    parser.add_argument("--minutes", type=float, default=8.0, help="begin no part after so many")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels for what is not installed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.wheels is not None:
            unpack(options.wheels, Path(folder))
        sys.path[:0] = [str(ROOT), folder]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH", ""))))
        if problems := missing():
            print(*problems, sep="\n", file=sys.stderr)
            return 2
        return measure(options.out, quick=options.quick, seconds=60 * options.minutes)


def unpack(wheels: Path, into: Path) -> None:
    """Install the wheels of a folder, without looking for anything else."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(into)]
    subprocess.run([*command, *map(str, sorted(wheels.glob("*.whl")))], check=True)


def missing() -> list[str]:
    """What stands in the way here, a line each."""
    lacking = [name for name in IMPORTED if importlib.util.find_spec(name) is None]
    problems = [
        f"there is no {name}: give its wheel with --wheels (carry.py makes a folder of them)" for name in lacking
    ]
    if "torch" not in lacking:
        import torch

        if not torch.cuda.is_available():
            problems.append("there is no CUDA device")
    if not lacking:
        from experiments.locations import Locations

        data = Locations.resolve().data
        if not (data / "MNIST").is_dir():
            problems.append(f"there is no MNIST in {data}: name its folder with MNIST_TUI_DATA")
    return problems


def run_tests() -> dict[str, Any]:
    """Every test marked gpu, wherever it is."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, sep="\n", flush=True)
    lines = done.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"exit_code": done.returncode, "summary": lines[-1] if lines else "", "failed": failed}


def measure(out: Path, *, quick: bool, seconds: float) -> int:
    """Do all parts there is time for, the most telling first; the report is on the disk after each."""
    from core.device.device import describe_device, pick_device
    from experiments.runs.environment import describe_machine

    rounds, steps = (1, 10) if quick else (5, 200)
    report: dict[str, Any] = {"environment": describe_machine(describe_device(pick_device("cuda:0")))}
    report |= {"rounds": rounds, "steps": steps, "timings": [], "runs": [], "seeds": [], "skipped": []}
    deadline = time.monotonic() + seconds
    for name, key, part in parts(rounds, steps, quick=quick):
        if time.monotonic() > deadline:
            report["skipped"].append(name)
            print(f"skipped: {name}", flush=True)
            continue
        print(name, flush=True)
        found = part()
        report[key] = report[key] + found if isinstance(found, list) else found
        print(json.dumps(found), flush=True)
        out.write_text(json.dumps(report, indent=1) + "\n")
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {out}")
    return 1 if report.get("tests", {}).get("exit_code") else 0


def parts(rounds: int, steps: int, *, quick: bool) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """What there is to do: in words, where it goes in the report, and a function that does it."""
    from core.config import TrainConfig
    from core.data.loader import Loader
    from experiments.bench.loops import compare_loops, time_to_target
    from experiments.bench.seeds import time_seeds
    from experiments.locations import Locations

    locations = Locations.resolve()
    dataset = Loader(locations.data, locations.cache).load("mnist")
    base = TrainConfig.checked({"dataset": "mnist", "device": "cuda:0"})

    def timed(config: Any) -> list[dict[str, Any]]:
        found = compare_loops(config, dataset, rounds=rounds, steps=steps, engines=("eager", "graph"))
        return [asdict(timing) for timing in found]

    def seeds() -> list[dict[str, Any]]:
        found = time_seeds(base.changed(epochs=1), dataset, 4) if quick else time_seeds(base, dataset, SEEDS)
        return [asdict(one) | {"seeds_per_minute": one.seeds_per_minute} for one in found]

    def run(engine: str) -> list[dict[str, Any]]:
        return [{"arch": "conv9", "engine": engine, **time_run(base.changed(engine=engine), dataset)}]

    for arch in ("conv9", "conv5"):
        yield f"timing {arch}, fp32", "timings", partial(timed, base.changed(arch=arch))
    if not quick:
        yield "20 epochs of conv9, graph", "runs", partial(run, "graph")
    yield "the tests that need a GPU", "tests", run_tests
    yield "seeds of conv9 as one network", "seeds", seeds
    if not quick:
        command = ("run", "--seeds", f"0-{SEEDS - 1}", "--dataset", "mnist")
        yield "the same as a command", "command", partial(time_command, *command)
        yield "conv9 up to its target", "time_to_target", lambda: asdict(time_to_target(base, dataset))
        yield "20 epochs of conv9, eager", "runs", partial(run, "eager")
    for arch in ("conv9", "conv5"):
        for precision in ("tf32", "bf16"):
            yield f"timing {arch}, {precision}", "timings", partial(timed, base.changed(arch=arch, precision=precision))


def time_run(config: Any, dataset: Any) -> dict[str, Any]:
    """A whole run with evaluation after each epoch: what came before its first step, and the rest."""
    from core.device.device import pick_device
    from core.models.network import make_network
    from core.training.trainer import Trainer

    trainer = Trainer(config, dataset, *make_network(config), pick_device(config.device))
    start = time.perf_counter()
    events = trainer.run()
    started = next(events)
    ready = time.perf_counter()
    *_, last = events
    return {
        "ready_seconds": ready - start,
        "seconds": time.perf_counter() - ready,
        "note": started.note,
        "best_test_accuracy": getattr(last, "best_test_accuracy", None),
        "data_megabytes": resident_megabytes(dataset),
    }


def time_command(*words: str) -> dict[str, Any]:
    """A whole command in a home of its own, from the start of Python to its end, and the last that it said."""
    with tempfile.TemporaryDirectory() as home:
        start = time.perf_counter()
        command = [sys.executable, "-m", "tui", "--home", home, *words, "--quiet"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return {"words": words, "seconds": seconds, "exit_code": done.returncode, "said": said[-8:]}


def resident_megabytes(dataset: Any) -> float:
    parts = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    return sum(part.numel() * part.element_size() for part in parts) / 1e6


if __name__ == "__main__":
    sys.exit(main())
