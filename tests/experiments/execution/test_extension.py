"""A run that is extended is the old one until it is the new one, wherever its process is killed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from core.errors import InvalidValue
from core.events import EpochFinished
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.row import Status
from experiments.runs.store import Store
from experiments.verification.verify import verify

FILE_EVENTS = frozenset({"open", "os.rename", "os.remove", "os.truncate", "os.utime", "tempfile.mkstemp"})


class Snapshots:
    """A copy of a folder as it is before each operation on a file in it: what a kill at that moment leaves."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._to = Path()
        self._busy = False
        self.count = 0
        sys.addaudithook(self._take)

    def start(self, folder: Path, to: Path) -> None:
        self._folder, self._to = folder, to

    def stop(self) -> None:
        self._folder = None

    def _take(self, event: str, args: tuple[object, ...]) -> None:
        if self._busy or self._folder is None or event not in FILE_EVENTS:
            return
        if any(str(self._folder) in str(argument) for argument in args):
            self._busy = True
            shutil.copytree(self._folder, self._to / f"{self.count}" / "runs" / self._folder.name)
            self._busy, self.count = False, self.count + 1


@pytest.fixture(scope="module")
def snapshots() -> Snapshots:
    return Snapshots()  # a hook cannot be taken away again


def test_an_extension_is_one_step_or_none(snapshots, finished: Run, locations, tmp_path):
    snapshots.start(finished.folder, tmp_path / "killed")
    try:
        for entry in Runner(locations).resume(finished, epochs=3):
            if isinstance(entry.event, EpochFinished):
                snapshots.stop()
    finally:
        snapshots.stop()
    wanted = finished.view().end.weights_sha256
    found = []
    for number in range(snapshots.count):
        home = tmp_path / "killed" / str(number)
        run = Store(home).run(finished.id)
        there = Locations(home, locations.data, locations.cache)
        run.disown()  # its process is gone
        assert verify(run, there).agrees
        found.append(run.status())
        if run.status() is Status.FINISHED:
            with pytest.raises(InvalidValue, match="is finished"):
                next(Runner(there).resume(run))
            list(Runner(there).resume(run, epochs=3))
        else:
            list(Runner(there).resume(run))
        assert run.view().end.weights_sha256 == wanted
        assert verify(run, there).agrees
    assert set(found) == {Status.FINISHED, Status.CRASHED}
