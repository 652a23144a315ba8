"""Starting this program again, as another process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from core.config import TrainConfig
from experiments.detach import start_detached
from experiments.locations import Locations
from experiments.run import Meta, Run
from experiments.runner import Runner


@contextmanager
def runs_to_hand_over(runner: Runner) -> Iterator[Callable[[TrainConfig, Meta], Run]]:
    """Yields what makes a run's folder, to be called for each run; when the block fails none of them is left behind."""
    made: list[Run] = []

    def make(config: TrainConfig, meta: Meta) -> Run:
        made.append(runner.create(config, meta))
        return made[-1]

    try:
        yield make
    except BaseException:
        for run in made:
            run.release()
            runner.store.remove(run)
        raise


def resume_all_detached(reference: str, runs: Sequence[Run], locations: Locations, *options: str) -> int:
    """Let a process that outlives this one go on with runs, one after the other; returns its id.

    `reference`, the id of a run or a group, stands for all of them.
    """
    folders = ("--home", str(locations.home), "--data-dir", str(locations.data))
    return start_detached(runs, (sys.executable, "-m", "tui", *folders, "resume", reference, "--quiet", *options))
