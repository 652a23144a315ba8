"""Random runs that are stopped, killed and extended, against undisturbed ones: ``python tests/benchmark/resume.py``.

Each must end with the same weights, bit for bit, and the same log but for times: ``resume.py 200 1200`` does the cases
of these numbers, a case a line with -v. Exits 1 where one differs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait for a busy core shall not keep one busy
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from disturbed_runs import Cases, Kills

from core.storage.trust import user_cache


def main() -> int:
    first, last = (int(word) for word in [*[word for word in sys.argv[1:] if word.isdecimal()], "0", "1000"][:2])
    kinds: Counter[str] = Counter()
    different, began = [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        cases = Cases(Path(folder), user_cache(), Kills())
        for number in range(first, last):
            try:
                kind, found = cases.check(number)
            except Exception:  # noqa: BLE001  # the others shall be tried
                kind, found = "raised", [traceback.format_exc()]
            kinds[", ".join(word.split(" at ")[0] for word in kind.split(", "))] += 1
            if "-v" in sys.argv or found:
                print(f"{number}: {kind}", *found[:6], sep="\n    ", flush=True)
            if found:
                different.append(number)
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    print(f"{last - first} cases in {time.monotonic() - began:.0f} s, {len(different)} differ: {different}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
