"""Every command that changes something, killed wherever it changes a file: ``python tests/benchmark/faults.py``.

Each has happened or not, nothing else is lost, and the command works when it is called again. Words choose operations,
a number takes every so manyth call only: ``faults.py rm bundle 5``. Exits 1 where something was lost.
"""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from command_faults import OPERATIONS, Homes, attempt

from core.storage.trust import user_cache


def main() -> int:
    words = sys.argv[1:]
    every = next((int(word) for word in words if word.isdecimal()), 1)
    chosen = [word for word in words if not word.isdecimal()] or list(OPERATIONS)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        homes = Homes(Path(folder), user_cache())
        for name in chosen:
            began, kills, at = time.monotonic(), 0, 1
            while True:
                try:
                    killed, calls = attempt(homes, OPERATIONS[name], at)
                except Exception:  # noqa: BLE001  # the other kills shall be tried
                    failures += 1
                    print(f"{name}, killed at call {at}:", traceback.format_exc(), flush=True)
                    killed = failures < 50
                if not killed:
                    break
                kills, at = kills + 1, at + every
            print(f"{name}: {kills} kills of {calls} calls, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{failures} left something wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
