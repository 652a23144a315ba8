"""What a sweep costs beside the training itself, by executor: run by hand.

    python tests/benchmark/sweeps.py [--trials 8]

For each trial but the first, in which workers start: the time from handing it to the executor until its end is known,
less the time that the run itself took from its first step to its end.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from experiments.execution.executor import Executor
from experiments.execution.local_executor import LocalExecutor
from experiments.execution.ray_executor import RayExecutor
from experiments.execution.runner import Runner
from experiments.execution.worker import Slot
from experiments.locations import Locations
from experiments.runs.folder import Meta
from experiments.studies.plan import make_plan

OPTIONS = {"dataset": "mnist-5k", "epochs": "3", "val_split": "400", "device": "cpu", "lr": "0.01,0.05"}


def overheads(executor: Executor, runner: Runner, trials: int) -> list[float]:
    """Seconds a trial, one trial at a time."""
    config = make_plan(("--preset", "seed-conv5"), OPTIONS, objective="val", budget=None).base
    found = []
    for seed in range(trials):
        run = runner.create(config.changed(seed=seed), Meta())
        started = time.perf_counter()
        executor.start(run)
        while not (ended := executor.wait(1.0)):
            pass
        assert not ended[0].worker_died
        assert not ended[0].error
        found.append(time.perf_counter() - started - run.view().seconds)
    executor.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=8)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        locations = Locations.resolve(Path(folder))
        runner = Runner(locations)
        for name, make in (
            ("local", lambda: LocalExecutor(locations, [Slot(0)])),
            ("ray", lambda: RayExecutor(locations, device="cpu", jobs=1)),
        ):
            first, *rest = overheads(make(), runner, trials)
            low, high = min(rest), max(rest)
            print(f"{name}: {median(rest):.2f} s a trial ({low:.2f} to {high:.2f}, n = {len(rest)}), first {first:.2f}")


if __name__ == "__main__":
    main()
