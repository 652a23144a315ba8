"""The run store: one folder a run under ``<home>/runs``, and how to find one again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.advice import Action, Advice, Tip
from core.dataset_names import is_called
from core.errors import InvalidValue, RunError, StorageError, reason_of
from core.storage.files import is_left, make_draft, open_regular, remove, remove_leftovers, sync
from core.storage.trust import make_private_folder
from experiments.runs.folder import REPLACED, Meta, Run
from experiments.runs.index import Index
from experiments.runs.naming import DRAFT, RECORD, RUN_ID, name_all, new_id, recorded_drafts, run_entries
from experiments.runs.owner import take_lock
from experiments.runs.provenance import write_parent
from experiments.runs.row import RunRow, Status, status_of
from experiments.runs.seeds import name_of_seed
from experiments.runs.source import write_source

if TYPE_CHECKING:
    from core.config import TrainConfig
    from core.models.own.files import OwnFiles
    from experiments.runs.teacher import TeacherCopy

GRAVE, PROBE = ".deleted-", ".writable-"
"""Beginnings of the names of what is there for a moment: a run that is deleted, a test for space."""
SWEPT_RUNS = 100
"""The newest runs, in which temporary files of killed processes are looked for."""
_swept: set[Path] = set()
"""The homes that this process has tidied up."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """What the folder of a new run is filled with; `files` are the code of its own module."""

    config: TrainConfig
    meta: Meta
    environment: dict[str, Any]
    files: OwnFiles | None = None
    teacher: TeacherCopy | None = None


class Store:
    """All runs of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._runs = home / "runs"
        self._index = Index(home / "index.sqlite")

    def check_writable(self) -> None:
        """Raise `StorageError` when no run could be kept here. A home that is not there yet is not made."""
        self._remove_leftovers()
        try:
            folder = next(folder for folder in (self._runs, *self._runs.parents) if folder.exists())
            with tempfile.NamedTemporaryFile(prefix=PROBE, dir=folder) as probe:
                probe.write(b"\0" * 4096)
                probe.flush()
                os.fsync(probe.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def create(
        self,
        config: TrainConfig,
        meta: Meta,
        environment: dict[str, Any],
        files: OwnFiles | None = None,
        teacher: TeacherCopy | None = None,
    ) -> Run:
        """Make the folder of a new run, owned by this process. `files` are the code of its own module.

        Raises:
            StorageError: when it cannot be written; nothing is left behind then.
        """
        return self.create_all([NewRun(config, meta, environment, files, teacher)])[0]

    def create_all(self, new: Iterable[NewRun]) -> list[Run]:
        """Make the folders of new runs, owned by this process: of all, or of none, whenever it is killed.

        Raises:
            StorageError: when they cannot be written; nothing is left behind then.
        """
        drafts: list[Path] = []
        try:
            make_private_folder(self.home)
            self._runs.mkdir(exist_ok=True)
            for one in new:
                drafts.append(make_draft(DRAFT, self._runs))
                self._fill(Run(drafts[-1]), one)
            return [Run(folder) for folder in name_all(drafts)]
        except BaseException as error:
            for draft in drafts:
                shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error, OSError):
                raise self._unwritable(error) from error
            raise

    def add(self, folder: Path) -> Run:
        """Add a copy of the folder of a finished run, named for its id, from elsewhere. Nobody owns it.

        Raises:
            StorageError: when it cannot be written, or there is a run of that id; nothing is left behind then.
        """
        draft: Path | None = None
        try:
            make_private_folder(self.home)
            self._runs.mkdir(exist_ok=True)
            draft = make_draft(DRAFT, self._runs)
            shutil.copytree(folder, draft, dirs_exist_ok=True, copy_function=shutil.copyfile)
            for path in (*draft.rglob("*"), draft):
                sync(path)
            draft.rename(run := self.run(folder.name).folder)
            sync(self._runs)
            return Run(run)
        except BaseException as error:
            if draft is not None:
                shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error, OSError):
                raise self._unwritable(error) from error
            raise

    def _fill(self, draft: Run, new: NewRun) -> None:
        draft.write(new.config, new.meta, new.environment)
        if new.files is not None:
            write_source(draft.folder, new.files)
        if new.teacher is not None:
            new.teacher.write(draft.folder)
        if RUN_ID.fullmatch(new.meta.parent):
            write_parent(draft.folder, self.run(new.meta.parent))

    def runs(self) -> list[Run]:
        """Every run, the newest first."""
        return [self.run(run_id) for run_id in self._ids()]

    def _ids(self) -> list[str]:
        return sorted((entry.name for entry in run_entries(self._runs)), reverse=True)

    def owned(self) -> list[Run]:
        """The runs that a process works on, or was at work on when it was killed, the newest first."""
        return [self.run(run_id) for run_id in self._ids() if os.path.lexists(f"{self._runs}/{run_id}/owner.json")]

    def stamps(self) -> dict[str, int]:
        """The time, in nanoseconds, at which a file of each run was last made, replaced or deleted, the newest run
        first. That a log has grown does not show in it."""
        found: dict[str, int] = {}
        for entry in run_entries(self._runs):
            with suppress(OSError):  # deleted meanwhile
                found[entry.name] = entry.stat().st_mtime_ns
        return {run_id: found[run_id] for run_id in sorted(found, reverse=True)}

    def run(self, run_id: str) -> Run:
        """The run of an id, whether it exists or not.

        Raises:
            ValueError: for what is not an id, so that nothing from outside becomes a path.
        """
        if not RUN_ID.fullmatch(run_id):
            raise ValueError(f"not a run id: {run_id!r}")
        return Run(self._runs / run_id)

    def _is_there(self, run_id: str) -> bool:
        """Whether a text is the id of a run of this home."""
        return RUN_ID.fullmatch(run_id) is not None and self.run(run_id).folder.is_dir()

    def rows(self) -> list[tuple[RunRow, Status]]:
        """Every run in one line, with its status, the newest first; quick, through the index."""
        rows = self._index.rows(self._runs, self.stamps(), self.run)
        return [(row, status_of(row.ended, is_alive=is_alive)) for row, is_alive in rows]

    def find(self, reference: str) -> Run:
        """A run by id, name, unique prefix of an id, or ``latest``.

        Raises:
            RunError: when there is none.
            InvalidValue: when there are several.
        """
        if self._is_there(reference):
            return self.run(reference)
        ids = self._ids()
        if reference == "latest" and ids:
            return self.run(ids[0])
        rows = [row for row, _ in self.rows()]
        found = [row.run_id for row in rows if reference and row.name == reference]
        found = found or [run_id for run_id in ids if reference and run_id.startswith(reference)]
        if not found and (members := [row.run_id for row in rows if row.group_id == reference]):
            hint = f"name one of them: {members[-1]}"
            raise InvalidValue("run", reference, f"is a group of {len(members)} runs", hint=hint)
        if not found:
            listed = Advice(Tip(Action.LIST_RUNS), " lists them")
            none_yet = Advice("there are no runs yet: ", Tip(Action.TRAIN))
            raise RunError(f"no such run: {reference!r}", hint=listed if ids else none_yet)
        if len(found) > 1:
            some = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
            raise InvalidValue("run", reference, f"matches {len(found)} runs: {some}", hint="give more of the id")
        return self.run(found[0])

    def find_all(self, reference: str) -> list[Run]:
        """The runs of the group that `find_group_id` finds, by seed, else the one run that `find` finds.

        Raises:
            RunError, InvalidValue: as they do.
        """
        group_id = self.find_group_id(reference)
        if group_id is None:
            return [self.find(reference)]
        rows = [row for row, _ in self.rows() if row.group_id == group_id]
        rows.sort(key=lambda row: (row.seed is None, row.seed, row.run_id))
        return [self.run(row.run_id) for row in rows]

    def find_group_id(self, reference: str) -> str | None:
        """The id of a group by id, by the name that `run --seeds` was given, or by unique prefix of an id; None when
        there is no such group, or when a run has that id or name.

        Raises:
            InvalidValue: when there are several.
        """
        if not reference or self._is_there(reference):
            return None
        rows = [row for row, _ in self.rows()]
        if any(row.name == reference for row in rows):
            return None
        grouped = [(row.group_id, row) for row in rows if row.group_id]
        for matches in (
            {group_id for group_id, _ in grouped if group_id == reference},
            {group_id for group_id, row in grouped if row.name == name_of_seed(reference, row.seed)},
            {group_id for group_id, _ in grouped if reference.startswith("g") and group_id.startswith(reference)},
        ):
            if len(matches) > 1:
                some = ", ".join(sorted(matches)[:4])
                raise InvalidValue(
                    "group", reference, f"matches {len(matches)} groups: {some}", hint="name one by its id"
                )
            if matches:
                return matches.pop()
        return None

    def new_group_id(self) -> str:
        """An id for runs that belong together. Longer than a run's, since no folder tells that one is taken."""
        return f"g{new_id(digits=8)}"

    def remove(self, run: Run) -> None:
        """Delete a run's folder; out of the list at once, then file by file. Nobody can begin to train it meanwhile.

        Raises:
            InvalidValue: while the run is live.
            StorageError: when it cannot be deleted.
        """
        live = InvalidValue("run", run.id, "is running", hint="stop it first")
        if run.is_alive():
            raise live
        grave = run.folder.with_name(f"{GRAVE}{run.id}")
        try:
            with ExitStack() as stack:
                with suppress(OSError):  # nobody trains a run whose log is missing or is no file
                    if not take_lock(stack.enter_context(open_regular(run.log)).fileno()):
                        raise live
                run.folder.rename(grave)
                remove(grave)
        except OSError as error:
            raise StorageError(
                f"{run.folder}: cannot be deleted: {reason_of(error)}", hint="check permissions"
            ) from error

    def _remove_leftovers(self) -> None:
        """Delete what killed processes have left here, once in the life of this one: folders half made or half deleted,
        and temporary files of the newest runs."""
        if self.home in _swept:
            return
        _swept.add(self.home)
        remove_leftovers(self.home, ["state.json"])
        newest = self.runs()[:SWEPT_RUNS]
        kept = recorded_drafts(self._runs)  # of a process that was stopped as it named them
        with suppress(OSError):
            for entry in os.scandir(self._runs):
                if not entry.name.startswith((DRAFT, GRAVE, PROBE, f".{RECORD}")) or entry.name in kept:
                    continue
                if is_left(path := Path(entry.path)):
                    with suppress(OSError):
                        remove(path)
        for run in newest:
            remove_leftovers(run.folder, REPLACED)

    def _unwritable(self, error: OSError) -> StorageError:
        hint = Advice(Tip(Action.START_WITH, "home", "another folder"), ", or free some space")
        return StorageError(f"home = {self.home}: cannot be written: {error.strerror}", hint=hint)


def filtered(
    rows: Iterable[tuple[RunRow, Status]], *, tag: str | None, status: Status | None, dataset: str | None
) -> list[tuple[RunRow, Status]]:
    """The rows that have all that is asked for."""
    return [
        (row, state)
        for row, state in rows
        if (tag is None or tag in row.tags)
        and (status is None or state is status)
        and (dataset is None or is_called(row.dataset, dataset))
    ]
