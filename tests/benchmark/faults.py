"""Every command that changes something, killed wherever it changes a file: ``python tests/benchmark/faults.py``.

Each has happened or not, nothing else is lost, and the command works when it is called again. Words choose operations,
and --kills so many calls of each only, evenly spread: ``faults.py rm bundle --kills 20``. Exits 1 where something was
lost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from command_faults import Homes, attempt
from faulted_commands import OPERATIONS

from core.storage.trust import user_cache


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("operations", nargs="*", default=list(OPERATIONS), metavar="OPERATION")
    parser.add_argument("--kills", type=int)
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        homes = Homes(Path(folder), user_cache())
        for name in options.operations:
            began, kills = time.monotonic(), 0
            _, calls = attempt(homes, OPERATIONS[name], 0)
            for at in spread(calls, options.kills or calls):
                try:
                    killed, _ = attempt(homes, OPERATIONS[name], at)
                    kills += killed  # a call may be missing now and then, as one by the clock
                except Exception:  # noqa: BLE001  # the other kills shall be tried
                    failures += 1
                    print(f"{name}, killed at call {at}:", traceback.format_exc(), flush=True)
                print(f"{name}: {kills} kills of {calls} calls", end="\r", file=sys.stderr, flush=True)
            print(f"{name}: {kills} kills of {calls} calls, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{failures} left something wrong")
    return 1 if failures else 0


def spread(calls: int, kills: int) -> list[int]:
    """So many calls, or all where there are no more, from the first to the last."""
    return sorted({1 + round(at * (calls - 1) / max(kills - 1, 1)) for at in range(min(kills, calls))})


if __name__ == "__main__":
    sys.exit(main())
