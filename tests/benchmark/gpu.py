"""All tests that need a GPU, and the benchmark on it: run this on a machine that has one.

    python tests/benchmark/gpu.py [--out docs/results/bench-gpu.json] [--quick]

MNIST is taken from MNIST_TUI_DATA or downloaded. Prints what it does and writes one JSON file: machine, versions, how
the tests went, milliseconds a step for the example and each engine and precision, the seconds that a run of 20 epochs
with evaluation takes, 64 seeds as one network, by themselves and as the command with all its files, and the time to the
target accuracy. Exits 1 when a test failed. What might be faster is tried by `gpu_alternatives.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SEEDS = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "bench-gpu.json")
    parser.add_argument("--quick", action="store_true", help="one round of ten steps, and no whole runs")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    import torch

    if not torch.cuda.is_available():
        print("there is no CUDA device", file=sys.stderr)
        return 2
    report: dict[str, Any] = {"tests": run_tests()}
    print(report["tests"]["summary"], flush=True)
    report |= measure(rounds=1 if options.quick else 5, steps=10 if options.quick else 200, whole=not options.quick)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {options.out}")
    return 1 if report["tests"]["exit_code"] else 0


def run_tests() -> dict[str, Any]:
    """Every test marked gpu, wherever it is."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, sep="\n", flush=True)
    lines = done.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"exit_code": done.returncode, "summary": lines[-1] if lines else "", "failed": failed}


def measure(*, rounds: int, steps: int, whole: bool) -> dict[str, Any]:
    import torch

    from core.config import TrainConfig
    from core.data.loader import Loader
    from core.device.device import describe_device
    from experiments.bench.loops import compare_loops, time_to_target
    from experiments.bench.seeds import time_seeds
    from experiments.locations import Locations
    from experiments.runs.environment import describe_machine

    device = torch.device("cuda:0")
    locations = Locations.resolve()
    dataset = Loader(locations.data, locations.cache).load("mnist")
    base = TrainConfig.checked({"dataset": "mnist", "device": "cuda:0"})
    timings, runs = [], []
    for arch in ("conv9", "conv5"):
        for precision in ("fp32", "tf32", "bf16"):
            print(f"timing {arch}, {precision}", flush=True)
            config = base.changed(arch=arch, precision=precision)
            timings += compare_loops(config, dataset, rounds=rounds, steps=steps, engines=("eager", "graph"))
    for engine in ("graph", "eager") if whole else ():
        print(f"20 epochs of conv9, {engine}", flush=True)
        runs.append({"arch": "conv9", "engine": engine, **time_run(base.changed(engine=engine), dataset)})
    print("seeds of conv9 as one network", flush=True)
    seeds = time_seeds(base, dataset, SEEDS) if whole else time_seeds(base.changed(epochs=1), dataset, 4)
    return {
        "environment": describe_machine(describe_device(device)),
        "rounds": rounds,
        "steps": steps,
        "timings": [asdict(timing) for timing in timings],
        "runs": runs,
        "seeds": [asdict(one) | {"seeds_per_minute": one.seeds_per_minute} for one in seeds],
        "command": time_command("run", "--seeds", f"0-{SEEDS - 1}", "--dataset", "mnist") if whole else None,
        "time_to_target": asdict(time_to_target(base, dataset)) if whole else None,
    }


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
