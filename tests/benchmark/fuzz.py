"""Gives every reader of files damaged ones for so many seconds each: ``python tests/benchmark/fuzz.py 300``.

Words choose readers, a second number is the seed. What is not read and not refused in one line, or takes more than
`PATIENCE`, is kept in the folder that is printed. Exits 1 where there is any.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fuzzed_readers import NAMES, Reader, attempt, make_readers

from core.config import TrainConfig
from core.storage.trust import user_cache
from experiments.execution.runner import Runner
from experiments.locations import Locations

PATIENCE = 30
"""Seconds for one file."""
SMALL = {"arch": "c4 p2 c8 gap fc10", "dataset": "mnist-5k", "epochs": 2, "batch_size": 128, "device": "cpu"}


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    seconds, seed = [*numbers, *(5, 0)[len(numbers) :]]
    chosen = [word for word in sys.argv[1:] if not word.isdecimal()] or list(NAMES)
    signal.signal(signal.SIGALRM, _too_long)
    kept = Path(tempfile.mkdtemp(prefix="fuzz-"))
    with tempfile.TemporaryDirectory() as folder:
        locations = Locations(Path(folder) / "home", Path(folder) / "data", user_cache())
        runner = Runner(locations)
        config = TrainConfig.checked(SMALL | {"limit_train": 256, "limit_test": 200})
        finished = runner.store.run(list(runner.run(config))[-1].run_id)
        readers = make_readers(finished, locations, Path(folder))
        found = [wrong for name in chosen for wrong in fuzz(name, readers[name], seconds, seed, kept)]
    print(f"{len(found)} found, kept in {kept}" if found else "nothing found")
    return 1 if found else 0


def fuzz(name: str, reader: Reader, seconds: float, seed: int, kept: Path) -> list[str]:
    end, cases, found, slowest = time.monotonic() + seconds, 0, [], 0.0
    while time.monotonic() < end and len(found) < 10:
        cases, began = cases + 1, time.process_time()
        signal.alarm(PATIENCE)
        try:
            wrong = attempt(reader, random.Random(f"{seed} {name} {cases}"))
        except Exception:  # noqa: BLE001  # which is what is looked for
            wrong = traceback.format_exc()
        signal.alarm(0)
        slowest = max(slowest, time.process_time() - began)
        if wrong:
            found.append(wrong)
            (kept / f"{name} {cases}").write_bytes(reader.path.read_bytes())
            print(f"{name}, case {cases} of seed {seed}: {wrong}", flush=True)
    reader.path.write_bytes(reader.good)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{name}: {cases} files in {seconds} s, the slowest {slowest:.2f} s; peak memory so far {peak} MB", flush=True
    )
    return found


def _too_long(*_: object) -> None:
    raise TimeoutError(f"not read in {PATIENCE} s")


if __name__ == "__main__":
    sys.exit(main())
