"""Starting this program again, as another process."""

from __future__ import annotations

import sys

from experiments.detach import start_detached
from experiments.locations import Locations
from experiments.run import Run


def resume_detached(run: Run, locations: Locations, *options: str) -> int:
    """Let a process that outlives this one go on with a run; returns its id."""
    folders = ("--home", str(locations.home), "--data-dir", str(locations.data))
    return start_detached(run, (sys.executable, "-m", "tui", *folders, "resume", run.id, "--quiet", *options))
