"""The run store: one folder a run under ``<home>/runs``, and how to find one again.

A run's truth is its folder:

    config.json       every field of its config
    meta.json         name, tags and group: what people change afterwards
    owner.json        the process that trains it
    env.json          versions, device, git revision, command line
    events.jsonl      what happened, only ever added to
    best.safetensors  weights of the best epoch, final.safetensors those of the last
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.config import TrainConfig
from core.errors import InvalidValue, RunError, StorageError
from core.files import replacing
from experiments.eventlog import EventReader, EventWriter
from experiments.index import Index
from experiments.owner import Owner
from experiments.row import RunRow, Status, make_row
from experiments.view import RunView, fold

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
RESERVE = 4096
"""Bytes set aside in each run's folder, given up when the disk is full so that the end can still be written down."""
MAX_JSON = 1 << 20


@dataclass(frozen=True, slots=True)
class Meta:
    """What people call a run."""

    name: str = ""
    tags: tuple[str, ...] = ()
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def log(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def best_weights(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def final_weights(self) -> Path:
        return self.folder / "final.safetensors"

    def open_log(self) -> EventWriter:
        return EventWriter(self.log, self.id)

    def view(self) -> RunView:
        return fold(EventReader(self.log).poll())

    def meta(self) -> Meta:
        """Damaged or missing, it is as if nobody had named the run."""
        values = _read_json(self.folder / "meta.json")
        name, tags, group_id = values.get("name"), values.get("tags"), values.get("group_id")
        return Meta(
            name if isinstance(name, str) else "",
            tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            group_id if isinstance(group_id, str) else None,
        )

    def config(self) -> dict[str, Any]:
        return _read_json(self.folder / "config.json")

    def environment(self) -> dict[str, Any]:
        return _read_json(self.folder / "env.json")

    def row(self) -> RunRow:
        """The run in one line, from its files."""
        meta = self.meta()
        return make_row(self.id, self.view(), self.config(), meta.name, meta.tags, meta.group_id)

    def status(self) -> Status:
        return self.row().status(self.is_alive)

    def is_alive(self) -> bool:
        """Whether the process that trains it is still there."""
        owner = Owner.from_json(_read_json(self.folder / "owner.json"))
        return owner is not None and owner.is_alive(heartbeat=self.log)

    def release_reserve(self) -> None:
        (self.folder / "reserve").unlink(missing_ok=True)


class Store:
    """All runs of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._runs = home / "runs"
        self._index = Index(home / "index.sqlite")

    def check_writable(self) -> None:
        """Raise `StorageError` when no run could be kept here."""
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            with replacing(self._runs / ".writable") as probe:
                probe.write_bytes(b"\0" * RESERVE)
            (self._runs / ".writable").unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def create(self, config: TrainConfig, meta: Meta, environment: dict[str, Any]) -> Run:
        """Make the folder of a new run, owned by this process.

        Raises:
            StorageError: when it cannot be written; nothing is left behind then.
        """
        run = self._new_folder()
        try:
            for name, content in (
                ("config.json", config.model_dump()),
                ("meta.json", asdict(meta)),
                ("owner.json", Owner.this_process().to_json()),
                ("env.json", environment),
            ):
                _write_json(run.folder / name, content)
            (run.folder / "reserve").write_bytes(b"\0" * RESERVE)
        except OSError as error:
            shutil.rmtree(run.folder, ignore_errors=True)
            raise self._unwritable(error) from error
        return run

    def runs(self) -> list[Run]:
        """Every run, the newest first."""
        try:
            names = [path.name for path in self._runs.iterdir() if _RUN_ID.fullmatch(path.name)]
        except OSError:
            return []
        return [self.run(name) for name in sorted(names, reverse=True)]

    def run(self, run_id: str) -> Run:
        """The run of an id, whether it exists or not.

        Raises:
            ValueError: for what is not an id, so that nothing from outside becomes a path.
        """
        if not _RUN_ID.fullmatch(run_id):
            raise ValueError(f"not a run id: {run_id!r}")
        return Run(self._runs / run_id)

    def rows(self) -> list[tuple[RunRow, Status]]:
        """Every run in one line, with its status, the newest first; quick, through the index."""
        runs = self.runs()
        rows = self._index.rows(runs)
        return [(row, row.status(run.is_alive)) for run, row in zip(runs, rows, strict=True)]

    def find(self, reference: str) -> Run:
        """A run by id, name, unique prefix of an id, or ``latest``.

        Raises:
            RunError: when there is none.
            InvalidValue: when there are several.
        """
        runs = self.runs()
        if reference == "latest" and runs:
            return runs[0]
        found = [run for run in runs if run.id == reference]
        found = found or [run for run in runs if reference and run.meta().name == reference]
        found = found or [run for run in runs if reference and run.id.startswith(reference)]
        if not found:
            hint = "mnist-tui runs lists them" if runs else "there are no runs yet: mnist-tui run"
            raise RunError(f"no such run: {reference!r}", hint=hint)
        if len(found) > 1:
            some = ", ".join(run.id for run in found[:4]) + (", ..." if len(found) > 4 else "")
            raise InvalidValue("run", reference, f"fits {len(found)} runs: {some}", hint="give more of the id")
        return found[0]

    def new_group_id(self) -> str:
        """An id for runs that belong together."""
        return f"g{_new_id()}"

    def remove(self, run: Run) -> None:
        """Delete a run's folder; out of the list at once, then file by file.

        Raises:
            InvalidValue: while the run is live.
            StorageError: when it cannot be deleted.
        """
        if run.status() is Status.RUNNING:
            raise InvalidValue("run", run.id, "is running", hint="stop it first")
        grave = run.folder.with_name(f".deleted-{run.id}")
        try:
            run.folder.rename(grave)
            shutil.rmtree(grave)
        except OSError as error:
            raise StorageError(
                f"{run.folder}: cannot be deleted: {error.strerror}", hint="check permissions"
            ) from error

    def _new_folder(self) -> Run:
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            while True:
                folder = self._runs / _new_id()
                with suppress(FileExistsError):
                    folder.mkdir()
                    return Run(folder)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(
            f"home = {self.home}: cannot be written: {error.strerror}",
            hint="choose another folder with --home or MNIST_TUI_HOME, or free some space",
        )


def filtered(
    rows: Iterable[tuple[RunRow, Status]], *, tag: str | None, status: Status | None, dataset: str | None
) -> list[tuple[RunRow, Status]]:
    """The rows that have all that is asked for."""
    return [
        (row, state)
        for row, state in rows
        if (tag is None or tag in row.tags)
        and (status is None or state is status)
        and (dataset is None or row.dataset == dataset)
    ]


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _write_json(path: Path, content: object) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file that anything may have happened to; empty where it is not one."""
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(MAX_JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
