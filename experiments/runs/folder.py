"""One run's folder, which is the run's truth.

config.json                  every field of its config
meta.json                    name, tags, note, group, parent, trackers: what people change afterwards
owner.json                   the process that trains it, while one does; the file's time is its heartbeat
parent.json, env.json        what it was begun from, see provenance.py; versions, device, git revision, command line
events.jsonl                 what happened, only ever added to
checkpoint.safetensors       the state to go on from, and checkpoint-previous.safetensors the one before
best.safetensors             weights of the best epoch, final.safetensors those of the last
source.json, source/         the code of a user's own module, see source.py
teacher.safetensors          the network that it learns from, see teacher.py
predictions.safetensors      the class that a finished run gave to each test image, see predictions.py
manifest.json                what came with it, of a run that came in a bundle, see provenance.py
stop                         there while somebody wants the run to stop
reserve                      space for the end of a run whose disk is full, see reserve.py
output.log                   what a detached process wrote beside the log
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from core.advice import Action, Advice, Tip
from core.errors import RunError, StorageError, is_full, reason_of
from core.events import CheckpointSaved, RunStarted
from core.storage.files import open_to_write
from experiments.runs.eventlog import Entry, EventReader, EventWriter
from experiments.runs.json_files import read_json, write_json
from experiments.runs.labels import alone_in, note_in, tags_in, words_in
from experiments.runs.owner import OwnedFolder, Owner
from experiments.runs.reserve import kept_end, set_aside
from experiments.runs.row import RunRow, Status, make_row, status_of
from experiments.runs.view import RunView, fold, reduce

if TYPE_CHECKING:
    from torch import Tensor

    from core.config import TrainConfig
    from core.models.own.files import OwnFiles
    from core.training.record import RunRecord
    from core.training.trainer import Trainer
    from experiments.runs.predictions import Predictions

_WEIGHTS = tuple(f"{name}.safetensors" for name in ("checkpoint", "best", "final", "predictions"))
REPLACED = ("config.json", "meta.json", "env.json", "owner.json", *_WEIGHTS)
"""The files of a run that are replaced as a whole."""


@dataclass(frozen=True, slots=True)
class Meta:
    """The part of a run that may change after it was begun; `parent` is the run whose values it was begun with."""

    name: str = ""
    tags: tuple[str, ...] = ()
    group_id: str | None = None
    trackers: tuple[str, ...] = ()
    note: str = ""
    parent: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What is damaged or missing is as if nobody had said it."""
        name, group_id, parent = (values.get(key) for key in ("name", "group_id", "parent"))
        return cls(
            name if isinstance(name, str) else "",
            tags_in(values.get("tags")),
            group_id if isinstance(group_id, str) else None,
            words_in(values.get("trackers")),
            note_in(values.get("note")),
            parent if isinstance(parent, str) else "",
        )

    def to_json(self) -> dict[str, Any]:
        always = ("name", "tags", "group_id")
        return {field: value for field, value in asdict(self).items() if field in always or value}


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A run that shall be there: its config, what people call it, and the code of its own module, where that shall not
    be what lies on the disk."""

    config: TrainConfig
    meta: Meta = Meta()
    files: OwnFiles | None = None


@dataclass(frozen=True, slots=True)
class Run(OwnedFolder):
    """One run's folder, owned by the process that trains it. The lock is its log's."""

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def log(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def lock_file(self) -> Path:
        return self.log

    @property
    def best_weights(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def final_weights(self) -> Path:
        return self.folder / "final.safetensors"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.safetensors"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    @property
    def output(self) -> Path:
        return self.folder / "output.log"

    def open_log(self) -> EventWriter:
        """The log, for the one process that trains the run.

        Raises:
            InvalidValue: while another process has it open.
        """
        return EventWriter(self.log, self.id)

    def view(self) -> RunView:
        view = fold(EventReader(self.log).skim())
        end = kept_end(self.reserve) if view.end is None else None
        return view if end is None else reduce(view, end)

    def meta(self) -> Meta:
        """Damaged or missing, it is as if nobody had named the run."""
        return Meta.from_json(read_json(self.folder / "meta.json"))

    def change_meta(self, **changes: str | tuple[str, ...] | None) -> None:
        """Change fields of `Meta`; None leaves what is there.

        Raises:
            StorageError: when the folder cannot be written; nothing has changed then.
        """
        given: dict[str, Any] = {field: value for field, value in changes.items() if value is not None}
        try:
            with alone_in(self.folder):
                write_json(self.folder / "meta.json", replace(self.meta(), **given).to_json())
        except OSError as error:
            raise self.unwritable(error) from error

    def config(self) -> dict[str, Any]:
        return read_json(self.folder / "config.json")

    def environment(self) -> dict[str, Any]:
        return read_json(self.folder / "env.json")

    def order_of_sums(self) -> dict[str, Any]:
        """What the order of sums depended on when the run began, as an engine's `restore` takes it."""
        found = self.environment()
        return found | {"threads": count if type(count := found.get("threads")) is int and count > 0 else 0}

    def begin(self, log: EventWriter, started: RunStarted) -> Entry:
        """Write down that training begins, by a config that may be another than before. The log is the first to know:
        a crash in between leaves the new config with a start, or none of both.

        Raises:
            StorageError: when it cannot be written.
        """
        entry = log.append(started)
        try:
            if self.config() != started.config:
                write_json(self.folder / "config.json", started.config)
        except OSError as error:
            raise self.unwritable(error) from error
        return entry

    def set_environment(self, environment: Mapping[str, Any]) -> None:
        """Say what the run is made with.

        Raises:
            StorageError: when it cannot be written.
        """
        try:
            write_json(self.folder / "env.json", environment)
        except OSError as error:
            raise self.unwritable(error) from error

    def row(self, view: RunView | None = None) -> RunRow:
        """The run in one line, from its files; of a log that cannot be read nothing is known.

        Args:
            view: what the log says, where that is known already.
        """
        try:
            view = view or self.view()
        except RunError:
            view = RunView()
        return make_row(self.id, view, self.config(), self.meta())

    def status(self) -> Status:
        return status_of(self.row().ended, is_alive=self.is_alive())

    def write(self, config: TrainConfig, meta: Meta, environment: Mapping[str, Any]) -> None:
        """Fill the folder of a new run, owned by this process.

        Raises:
            OSError: when it cannot be written.
        """
        write_json(self.folder / "config.json", config.model_dump())
        write_json(self.folder / "meta.json", meta.to_json())
        write_json(self.folder / "env.json", environment)
        set_aside(self.reserve)
        write_json(self.owner_file, Owner.this_process().to_json())

    def take_over(self) -> None:
        """Make this process the one that trains the run.

        Raises:
            StorageError: when the folder cannot be written.
        """
        try:
            if not self.is_owned_here():  # else the wish to stop came after the run was handed over
                self.forget_stop()
            set_aside(self.reserve)
            self.hand_over(Owner.this_process())
        except OSError as error:
            raise self.unwritable(error) from error

    def ask_to_stop(self) -> None:
        """Leave word for the process that trains the run, whoever and wherever it is.

        Raises:
            StorageError: when the folder cannot be written.
        """
        try:
            os.close(open_to_write(self._stop_file))
        except OSError as error:
            raise self.unwritable(error) from error

    def forget_stop(self) -> None:
        """Take back what `ask_to_stop` said, before a new life of the run begins.

        Raises:
            StorageError: when the folder cannot be written.
        """
        try:
            self._stop_file.unlink(missing_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error

    def wants_stop(self) -> bool:
        return self._stop_file.is_file()

    @property
    def reserve(self) -> Path:
        return self.folder / "reserve"

    def release_reserve(self) -> None:
        with suppress(OSError):
            self.reserve.unlink(missing_ok=True)

    def release(self) -> None:
        """Say that nobody trains the run any more."""
        if kept_end(self.reserve) is None:  # else the log does not have it
            self.release_reserve()
        self.disown()

    def save_checkpoint(self, trainer: RunRecord) -> CheckpointSaved:
        """Keep the trainer's state, and the one before it.

        Raises:
            StorageError: when it cannot be written; the old ones are still there.
        """
        from core.storage.checkpoint import save_checkpoint

        checkpoint = trainer.checkpoint()
        try:
            save_checkpoint(checkpoint, self.checkpoint)
        except OSError as error:
            raise self.unwritable(error, self.checkpoint) from error
        return CheckpointSaved(
            epoch=checkpoint.state["epoch"], step=checkpoint.state["step"], file=self.checkpoint.name
        )

    def load_checkpoint_into(self, trainer: Trainer) -> None:
        """Bring a fresh trainer to where the last whole checkpoint is; to the start where there is none.

        Raises:
            RunError: when there are checkpoints but none fits.
        """
        from core.storage.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(self.checkpoint)
        if checkpoint is not None:
            trainer.restore(checkpoint)

    def save_weights(self, path: Path, weights: Mapping[str, Tensor], trainer: RunRecord, *, epoch: int) -> None:
        """Write weights as safetensors that say which network they belong to.

        Raises:
            StorageError: when they cannot be written.
        """
        from core.storage.tensors import write_tensors

        metadata = {"arch": trainer.config.arch, "spec": trainer.summary.spec, "epoch": str(epoch)}
        try:
            write_tensors(path, weights, metadata)
        except OSError as error:
            raise self.unwritable(error, path) from error

    def save_predictions(self, trainer: RunRecord) -> None:
        """Keep the classes that a trainer which has finished gave to the test images.

        Raises:
            StorageError: when they cannot be written.
        """
        from experiments.runs.predictions import write_predictions

        try:
            write_predictions(self.predictions, trainer.predictions, trainer.config.dataset, trainer.task.classes)
        except OSError as error:
            raise self.unwritable(error, self.predictions) from error

    def load_predictions(self) -> Predictions | None:
        """The classes given to the test images when the run last finished; None where none were kept.

        Raises:
            RunError: when the file is damaged.
        """
        from experiments.runs.predictions import read_predictions

        return read_predictions(self.predictions)

    @property
    def _stop_file(self) -> Path:
        return self.folder / "stop"

    def unwritable(self, error: OSError, path: Path | None = None) -> StorageError:
        hint = Advice("check the run's folder")
        if is_full(error):
            hint = Advice("free some space in the home folder, then go on with ", Tip(Action.RESUME, self.id))
        return StorageError(f"{path or self.folder}: cannot be written: {reason_of(error)}", hint=hint)
