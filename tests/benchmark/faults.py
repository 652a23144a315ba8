"""Fault injection at length, to be run by hand: ``python tests/benchmark/faults.py --kills 200``.

Runs are killed at random moments and at random file operations in turn, their logs torn, and resumed, until so many
kills have been survived. Every run must end with the weights of one that nothing happened to.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fault_worker

from core.events import RunFinished
from core.storage.checkpoint import load_checkpoint
from experiments.locations import Locations

KILLS_A_RUN = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        expected = final_hash(Locations(root / "undisturbed", root / "data", root / "cache"))
        kills = runs = 0
        started = time.monotonic()
        while kills < options.kills:
            runs += 1
            locations = Locations(root / f"home{runs}", root / "data", root / "cache")
            kills += kill_until_whole(locations, rng, min(KILLS_A_RUN, options.kills - kills))
            found = final_hash(locations)
            if found != expected:
                raise SystemExit(f"run {runs} ended with weights {found}, not {expected}")
            print(f"{kills} kills, {runs} runs, all with the same weights", flush=True)
        print(f"{kills} kills survived by {runs} runs in {time.monotonic() - started:.0f} s")


def kill_until_whole(locations: Locations, rng: random.Random, kills: int) -> int:
    """Train one run to its end, killing its process again and again; returns how often."""
    killed = 0
    while True:
        run = fault_worker.only_run(locations)
        if run is not None and isinstance(run.view().end, RunFinished):
            return killed
        at_operation = rng.randint(1, 40) if rng.random() < 0.5 and killed < kills else 0
        child = fault_worker.start(locations, run.id if run else "", kill_at=at_operation)
        if not at_operation and killed < kills:
            time.sleep(rng.uniform(0.05, 0.6))
            child.kill()
        child.join(120)
        killed += child.exitcode != 0
        run = fault_worker.only_run(locations)
        if run is not None:
            with run.log.open("ab") as log:
                log.write(b'{"event": "step_pro')
            load_checkpoint(run.checkpoint)


def final_hash(locations: Locations) -> str:
    run = fault_worker.only_run(locations)
    if run is None or not isinstance(run.view().end, RunFinished):
        run = fault_worker.train_to_the_end(locations)
    end = run.view().end
    assert isinstance(end, RunFinished)
    return end.weights_sha256


if __name__ == "__main__":
    main()
