"""The part of a sweep that runs on a Ray node: it trains runs in a folder of its own and sends on what they write.

The node need not share a disk with the driver: a run comes as an `Order`, with the checkpoint to go on from, and goes
back as `Parcel`s of events and files.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.config import TrainConfig
from core.errors import LabError, Stopped
from core.events import CheckpointSaved, EndEvent, RunStarted, TrainEvent
from core.models.own.files import OwnFiles
from experiments.execution.runner import Runner
from experiments.execution.worker import THREADS, forget_runs
from experiments.locations import Locations
from experiments.runs.environment import describe_environment
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta, Run
from experiments.runs.own_code import own_arch
from experiments.runs.source import write_source

RAYS_OWN = ("command_line", "working_folder")
"""What is said of the process that Ray has started, and not of the one that the user has."""


@dataclass(frozen=True, slots=True)
class Order:
    """A run to train. `files` are those of its folder that it goes on from; `data` is the driver's data root, used
    where the node has it too; `code` is that of a user's own module, whose files the node need not have."""

    run_id: str
    config: Mapping[str, Any]
    files: Mapping[str, bytes]
    data: Path
    code: OwnFiles | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """New events of a run, oldest first, the files that these tell of, and with its start what it is made with.
    `error` ends a run that could not be started."""

    events: tuple[TrainEvent, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class RayWorker:
    """Trains one run after the other, in one process of a node. `stop` may be called meanwhile, from another thread;
    Ray does not promise in which order the two begin."""

    def __init__(self) -> None:
        import torch  # takes seconds, which no trial shall wait for

        torch.set_num_threads(THREADS)
        self._reasons: dict[str, str] = {}

    def stop(self, run_id: str, reason: str) -> None:
        """Ask a run to stop, under way or about to begin."""
        self._reasons[run_id] = reason

    def train(self, order: Order) -> Iterator[Parcel]:
        """Train a run to whatever end."""
        home = Path(tempfile.mkdtemp(prefix="mnist-tui-"))
        try:
            yield from self._train(order, home)
        finally:
            self._reasons.pop(order.run_id, None)
            shutil.rmtree(home, ignore_errors=True)
            forget_runs()

    def _train(self, order: Order, home: Path) -> Iterator[Parcel]:
        data = order.data if order.data.is_dir() else None
        runner = Runner(Locations.resolve(home, data), lambda: self._reasons.get(order.run_id, ""))
        run = runner.store.run(order.run_id)
        run.folder.mkdir(parents=True)
        config = TrainConfig.checked({**order.config, "budget": False})
        run.write(config.model_copy(update={"budget": order.config["budget"]}), Meta(), describe_environment("ray"))
        if order.code is not None:
            write_source(run.folder, order.code)
        for name, content in order.files.items():
            (run.folder / name).write_bytes(content)
        outbox = Outbox(run)
        error = ""
        try:
            for _ in runner.resume(run, arch=own_arch(run)):  # who gave the order has named the code
                if parcel := outbox.collect():
                    yield parcel
        except Stopped:
            pass  # before its first step, as its log says
        except LabError as problem:
            error = problem.message
        yield replace(outbox.collect() or Parcel(), error=error)


class Outbox:
    """Collects the new events and files of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._reader = EventReader(run.log)
        self._sent = self._stamps()

    def collect(self) -> Parcel | None:
        """The new events, and the files that have changed with them where they say that a file is whole."""
        events = tuple(entry.event for entry in self._reader.poll())
        if not events:
            return None
        files: dict[str, bytes] = {}
        environment: dict[str, Any] = {}
        if any(isinstance(event, RunStarted) for event in events):
            made_with = self._run.environment()
            environment = {key: value for key, value in made_with.items() if key not in RAYS_OWN}
        if any(isinstance(event, CheckpointSaved | EndEvent) for event in events):
            stamps = self._stamps()
            changed = [name for name, stamp in stamps.items() if self._sent.get(name) != stamp]
            files = {name: (self._run.folder / name).read_bytes() for name in changed}
            self._sent = stamps
        return Parcel(events, files, environment)

    def _stamps(self) -> dict[str, tuple[int, int]]:
        """The stamp of each weights or checkpoint file by name; it changes when the file does."""
        found = [path for path in self._run.folder.glob("*.safetensors") if not path.stem.endswith("-previous")]
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}
