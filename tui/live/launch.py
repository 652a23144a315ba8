"""Starting this program again, as another process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from core.config import TrainConfig
from experiments.execution.detach import start_detached
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Meta, Run
from experiments.studies.folder import StudyFolder
from experiments.studies.process import start_sweep_detached


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
    return start_detached(runs, _command(locations, "resume", reference, "--quiet", *options))


def sweep_detached(name: str, locations: Locations, *options: str) -> int:
    """Let a process that outlives this one drive a study, as `mnist-tui sweep` does; returns its id.

    Raises:
        InvalidValue: while another process drives the study.
        StorageError: when the process cannot be started.
    """
    study = StudyFolder.of(locations.home, name)
    return start_sweep_detached(study, _command(locations, "sweep", "--study", name, *options))


def _command(locations: Locations, *words: str) -> tuple[str, ...]:
    folders = ("--home", str(locations.home), "--data-dir", str(locations.data))
    return (sys.executable, "-m", "tui", *folders, *words)
