"""Starting this program again, as another process."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from experiments.detach import start_detached
from experiments.locations import Locations
from experiments.run import Run


def resume_all_detached(reference: str, runs: Sequence[Run], locations: Locations, *options: str) -> int:
    """Let a process that outlives this one go on with runs, one after the other; returns its id.

    `reference`, the id of a run or a group, stands for all of them.
    """
    folders = ("--home", str(locations.home), "--data-dir", str(locations.data))
    return start_detached(runs, (sys.executable, "-m", "tui", *folders, "resume", reference, "--quiet", *options))
