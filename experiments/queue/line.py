"""The runs that wait in line for a machine that is busy: a file each under ``<home>/queue``.

The runs of an entry have their folders, with config, code and all, from the moment they are put in line. The entry says
which they are, where they stand, and who asked for them. Every change is made with the line locked, so that many
processes share it; nothing of it is in the memory of any.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any, Self

from core.advice import Advice
from core.errors import InvalidValue, RunError, StorageError
from core.storage.files import open_to_write
from core.storage.trust import make_private_folder
from experiments.runs.folder import Run
from experiments.runs.json_files import read_json, write_json
from experiments.runs.owner import OwnedFolder, take_lock
from experiments.runs.store import Store

LOCK_PATIENCE = 10.0
"""Seconds to wait for another process to make its change."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """Runs that begin together: one, or the seeds of a group.

    `place` orders the line, the lowest first. `starts` counts the processes that were started for it, `gpu` is the one
    that the last of them was given, as CUDA_VISIBLE_DEVICES names it.

    `before` are the runs that are to be gone on with, and the time of the last line that the log of each had when it
    was put in line: an end of that time is no end of its turn. `epochs`, `no_budget` and `arch` are how these go on.
    """

    id: str
    place: int
    runs: tuple[str, ...]
    by: str
    user: str
    host: str
    asked: str
    starts: int = 0
    gpu: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    epochs: int | None = None
    no_budget: bool = False
    arch: str | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self | None:
        """The entry of a file that anything may have happened to; None where it is none."""
        texts = {key: values.get(key) for key in ("id", "by", "user", "host", "asked", "gpu")}
        numbers = {key: values.get(key) for key in ("place", "starts")}
        runs, before = values.get("runs"), values.get("before", {})
        again = {key: values.get(key) for key in ("epochs", "no_budget", "arch")} | {"before": before}
        again["no_budget"] = again["no_budget"] is True
        is_sound = all(isinstance(text, str) for text in texts.values())
        is_sound = is_sound and all(type(number) is int for number in numbers.values())
        is_sound = is_sound and isinstance(before, dict) and all(isinstance(time, str) for time in before.values())
        is_sound = is_sound and type(again["epochs"]) in (int, NoneType) and type(again["arch"]) in (str, NoneType)
        if not is_sound or not isinstance(runs, list) or not all(isinstance(run, str) for run in runs):
            return None
        return cls(**texts, **numbers, **again, runs=tuple(runs))  # type: ignore[arg-type]  # checked above

    def has_gone_on(self, run_id: str, updated_at: str) -> bool:
        """Whether a run that was there before has begun its turn, by the time of the last line of its log."""
        return self.before.get(run_id) != updated_at


@dataclass(frozen=True, slots=True)
class Queue(OwnedFolder):
    """The line of a home. Its owner is the process that works it off."""

    @classmethod
    def of(cls, home: Path) -> Self:
        return cls(home / "queue")

    @property
    def output(self) -> Path:
        """What the process that works it off prints."""
        return self.folder / "output.log"

    def entries(self) -> list[QueueEntry]:
        """Those in line, the first first; what is damaged is passed over."""
        with suppress(OSError):
            found = [QueueEntry.from_json(read_json(path)) for path in self.folder.glob("q*.json")]
            return sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.place, entry.id))
        return []

    def runs(self, entry: QueueEntry) -> list[Run]:
        """The runs of an entry that are still there."""
        store = Store(self.folder.parent)
        with suppress(ValueError):  # an id that is none
            return [run for run in map(store.run, entry.runs) if run.folder.is_dir()]
        return []

    def add(self, runs: Sequence[Run], by: str, **again: Any) -> QueueEntry:
        """Put runs at the end of the line.

        Args:
            by: what asked for it, the interface or a command.
            again: of runs that are there already, the fields of the entry that say so.

        Raises:
            StorageError: when it cannot be written.
        """
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
        now = datetime.now(UTC)
        with self.changing():
            place = max((entry.place for entry in self.entries()), default=0) + 1
            entry = QueueEntry(
                id=f"q{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
                place=place,
                runs=tuple(run.id for run in runs),
                by=by,
                user=user,
                host=socket.gethostname(),
                asked=now.isoformat(timespec="seconds"),
                **again,
            )
            self.write(entry)
        return entry

    def move(self, entry_id: str, place: int) -> None:
        """Give an entry another place in line, counted from 1; one that is beyond the end is the end.

        Raises:
            RunError: when it is not in line any more.
            StorageError: when the line cannot be written.
        """
        with self.changing():
            entries = self.entries()
            moved = self._still(entries, entry_id)
            before = entries.index(moved)
            entries.remove(moved)
            after = min(max(place, 1) - 1, len(entries))
            entries.insert(after, moved)
            behind = entries[after if before < after else after + 1 :] if before != after else []
            highest = max(entry.place for entry in entries) + len(behind)
            for number, entry in enumerate(reversed(behind)):  # whenever this is cut short, the others keep their order
                self.write(replace(entry, place=highest - number))

    def drop(self, entry_id: str) -> list[str]:
        """Take an entry out of line, with those of its runs that have never begun; returns their ids.

        Raises:
            RunError: when it is not in line any more.
            InvalidValue: while it is trained.
            StorageError: when a file cannot be deleted.
        """
        store = Store(self.folder.parent)
        with self.changing():
            entry = self._still(self.entries(), entry_id)
            runs = self.runs(entry)
            if self.is_at_work(entry):
                raise InvalidValue("entry", entry_id, "is trained now", hint=Advice("stop its runs instead"))
            self.remove(entry)
            for run in runs:
                run.release()
            fresh = [run for run in runs if run.id not in entry.before and run.view().started is None]
            for run in fresh:
                store.remove(run)
        return [run.id for run in fresh]

    def is_at_work(self, entry: QueueEntry) -> bool:
        """Whether a process trains its runs, one that was started for it."""
        keeper = self.owner()
        return entry.starts > 0 and any(run.is_alive() and run.owner() != keeper for run in self.runs(entry))

    def write(self, entry: QueueEntry) -> None:
        """Keep an entry. For those who have the line locked.

        Raises:
            StorageError: when it cannot be written; it is as it was then.
        """
        try:
            write_json(self._file(entry), asdict(entry))
        except OSError as error:
            raise self.unwritable(error) from error

    def remove(self, entry: QueueEntry) -> None:
        """Forget an entry. For those who have the line locked."""
        try:
            self._file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Within the block no other process changes the line.

        Raises:
            StorageError: when it cannot be written, or another process does not let go of it.
        """
        try:
            make_private_folder(self.folder)
            handle = open_to_write(self.folder / "changing")
        except OSError as error:
            raise self.unwritable(error) from error
        try:
            deadline = time.monotonic() + LOCK_PATIENCE
            while not take_lock(handle):
                if time.monotonic() > deadline:
                    raise StorageError(f"{self.folder}: another process has locked it", hint="try again")
            yield
        finally:
            os.close(handle)

    def find(self, reference: str) -> QueueEntry:
        """The entry of a place in line, an entry's id, or a run or group that is in line.

        Raises:
            RunError: when there is none.
            InvalidValue: when a name or a beginning of an id fits several runs.
        """
        entries = self.entries()
        if reference.isdecimal() and 0 < int(reference) <= len(entries):
            return entries[int(reference) - 1]
        ids = set[str]()
        if entries and not reference.isdecimal() and reference not in {entry.id for entry in entries}:
            with suppress(RunError):
                ids = {run.id for run in Store(self.folder.parent).find_all(reference)}
        for entry in entries:
            if entry.id == reference or ids & set(entry.runs):
                return entry
        raise RunError(f"not in line: {reference!r}", hint=f"there are {len(entries)} entries in line")

    def _still(self, entries: Sequence[QueueEntry], entry_id: str) -> QueueEntry:
        for entry in entries:
            if entry.id == entry_id:
                return entry
        raise RunError(f"not in line any more: {entry_id}", hint="its turn has come, or somebody dropped it")

    def _file(self, entry: QueueEntry) -> Path:
        return self.folder / f"{entry.id}.json"
