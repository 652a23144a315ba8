"""What starting, remembering and surviving cost, measured on the real thing: ``python tests/benchmark/costs.py``.

Needs full MNIST in MNIST_TUI_DATA and a quiet machine. Prints one line a number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fault_worker

PROGRAM = [sys.executable, "-m", "tui"]
REPEATS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = {**os.environ, "MNIST_TUI_HOME": str(home / "home"), "XDG_CACHE_HOME": str(home / "cache")}
        run_command(["run", "--quiet", "--dataset", "mnist", "--epochs", "1", "--limit-train", "256"], environment)
        for command in (["--help"], ["archs"], ["archs", "show", "conv9"], ["runs"]):
            seconds = median(timed(command, environment) for _ in range(REPEATS))
            print(f"mnist-tui {' '.join(command)}: {seconds:.2f} s")
        bare_seconds, bare_memory = median_of(lambda: import_torch(environment))
        print(f"import torch: {bare_seconds:.2f} s, peak memory {bare_memory:.0f} MB")
        first_step, memory = median_of(lambda: run_one_epoch(environment))
        print(
            f"first training step: {first_step:.2f} s after the start, {first_step - bare_seconds:.2f} s more than that"
        )
        print(f"peak memory of a run on full MNIST: {memory:.0f} MB, {memory - bare_memory:.0f} MB more than that")
        print(f"one event in the log: {event_cost(home):.0f} us")
        longest = listing_while_eight_train(environment, home)
        print(f"mnist-tui runs while eight processes train, the longest: {longest:.2f} s")
        checkpoint, epoch = checkpoint_cost(environment, home)
        print(f"weights and checkpoint of an epoch: {1e3 * checkpoint:.1f} ms, {100 * checkpoint / epoch:.2f} % of it")


def timed(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    run_command(command, environment)
    return time.perf_counter() - started


def run_command(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(
        [*PROGRAM, *command], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def median_of(measure) -> tuple[float, float]:
    pairs = [measure() for _ in range(REPEATS)]
    return median(first for first, _ in pairs), median(second for _, second in pairs)


def import_torch(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of a process that only imports torch."""
    report = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    started = time.perf_counter()
    command = [sys.executable, "-c", f"import torch; {report}"]
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, float(answer.stdout)


def run_one_epoch(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds to the first step, and peak memory in MB, of an epoch on full MNIST."""
    command = [*PROGRAM, "run", "--json", "--dataset", "mnist", "--epochs", "1", "--device", "cpu"]
    started = time.perf_counter()
    first = None
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if first is None and json.loads(line)["event"] == "step_progress":
                first = time.perf_counter() - started
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return first, usage.ru_maxrss / 1024


def event_cost(home: Path) -> float:
    """Microseconds to write a progress event down."""
    from core.events import StepProgress
    from experiments.runs.eventlog import EventWriter

    event = StepProgress(epoch=3, step=106, steps_per_epoch=235, loss=0.0123, images_per_second=7057.3)
    count = 20_000
    with EventWriter(home / "events.jsonl", "20261123-000000-0000") as log:
        started = time.perf_counter()
        for _ in range(count):
            log.append(event)
        return 1e6 * (time.perf_counter() - started) / count


def listing_while_eight_train(environment: dict[str, str], home: Path) -> float:
    """The longest that ``mnist-tui runs`` took while eight processes trained in its home and logged every step."""
    from experiments.locations import Locations

    locations = Locations(home / "crowded", home / "data", home / "cache" / "mnist-tui" / "decoded")
    trainers = [fault_worker.start(locations) for _ in range(8)]
    times = []
    while any(trainer.is_alive() for trainer in trainers):
        times.append(timed(["--home", str(locations.home), "runs"], environment))
    return max(times)


def checkpoint_cost(environment: dict[str, str], home: Path) -> tuple[float, float]:
    """Seconds from a score in the log to the checkpoint after it, and of an epoch, medians over conv9 on full MNIST."""
    from core.events import CheckpointSaved, EpochFinished
    from experiments.runs.eventlog import EventReader
    from experiments.runs.store import Store

    run_command(["run", "--quiet", "--dataset", "mnist", "--epochs", "3", "--device", "cpu"], environment)
    scored, saved, epochs = None, [], []
    for entry in EventReader(Store(home / "home").find("latest").log).poll():
        at = datetime.fromisoformat(entry.time).timestamp()
        if isinstance(entry.event, EpochFinished):
            scored = at
            epochs.append(entry.event.seconds)
        elif isinstance(entry.event, CheckpointSaved) and scored is not None:
            saved.append(at - scored)
    return median(saved), median(epochs)


if __name__ == "__main__":
    main()
