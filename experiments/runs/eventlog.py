"""The event log of a run: one JSON object a line, only ever added to."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.advice import Action, Tip
from core.errors import InvalidValue, RunError, StorageError, is_full, reason_of
from core.events import EndEvent, RunStarted, StepProgress, TrainEvent, from_record, to_record
from core.storage.files import NOT_REGULAR, open_regular, open_to_write
from experiments.runs.json_files import parse_json
from experiments.runs.owner import take_lock

MAX_LINE = 1 << 20
"""Bytes; no event comes near it, so a longer line is damage and is not read into memory."""

reading: ContextVar[Callable[[int], object]] = ContextVar("reading", default=lambda _: None)
"""Told how many more bytes of logs have been read, every `TOLD_AFTER` bytes: for who wants to see that it goes on."""
TOLD_AFTER = 1 << 22

_WHOLE, _TEXT = r"(?:0|[1-9]\d{0,14})", r'"[ !#-\[\]-~]{0,200}"'
_NUMBER = rf"-?{_WHOLE}(?:\.\d{{1,20}})?(?:e[+-]?\d\d?)?"
_PROGRESS = re.compile(
    rf'{{"event": "step_progress", "time": {_TEXT}, "run_id": ({_TEXT}), "epoch": {_WHOLE}, "step": {_WHOLE}, '
    rf'"steps_per_epoch": {_WHOLE}, "loss": (?:{_NUMBER}|null), "images_per_second": {_NUMBER}'
    rf'(?:, "threads": (?:{_WHOLE}|null))?}}\n'.encode()
)
"""A progress line as `Entry.to_json` writes it, which `_parse` would understand; a later one of the same run makes it
obsolete."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, when it happened (ISO 8601, UTC) and in which run."""

    time: str
    run_id: str
    event: TrainEvent

    def to_json(self, record_of: Callable[[TrainEvent], dict[str, Any]] = to_record) -> str:
        """One line. `record_of` makes the event's own keys."""
        record = record_of(self.event)
        keys = {"event": record.pop("event"), "time": self.time, "run_id": self.run_id}
        return json.dumps(keys | record, allow_nan=False)


class EventWriter:
    """Appends to a log, one write a line; a line is there whole or, after a failed write, not at all."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._run_id = run_id
        self._path = path
        self._has_end = False
        self._whole: int | None = None  # the bytes up to the last whole line, while there may be more
        try:
            self._file = open_to_write(path, os.O_CREAT | os.O_APPEND)
        except IsADirectoryError as error:
            raise RunError(f"{path}: damaged: it is a folder", hint="put the log back in its place") from error
        except OSError as error:
            if error.strerror == NOT_REGULAR:
                raise RunError(f"{path}: damaged: {NOT_REGULAR}", hint="put the log back in its place") from error
            raise self._unwritable(error) from error
        self._lock()
        try:
            self._repair()
        except OSError as error:
            os.close(self._file)
            raise self._unwritable(error) from error

    @property
    def has_end(self) -> bool:
        """Whether the last event that was written here is an end."""
        return self._has_end

    def append(self, event: TrainEvent) -> Entry:
        """Write an event down with the time of now.

        Raises:
            StorageError: when the disk is full or gone; the log then ends with the event before.
        """
        entry = Entry(datetime.now(UTC).isoformat(timespec="milliseconds"), self._run_id, event)
        line = entry.to_json().encode() + b"\n"
        size = self._whole
        try:
            if size is None:
                size = os.fstat(self._file).st_size
            else:  # a torn line could not be cut off
                os.ftruncate(self._file, size)
            self._whole = size
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, "the disk is full")
            self._has_end = isinstance(event, EndEvent)
            if not isinstance(event, StepProgress):  # progress may be lost in a power cut, results may not
                os.fsync(self._file)
        except OSError as error:
            self._has_end = False
            with suppress(OSError):  # else it is done before the next line, or by the next writer
                if size is not None:
                    os.ftruncate(self._file, size)
                    self._whole = None
            raise self._unwritable(error) from error
        self._whole = None
        return entry

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _lock(self) -> None:
        """Keep others from training the same run."""
        if not take_lock(self._file):
            os.close(self._file)
            hint = Tip(Action.WATCH, self._run_id)
            raise InvalidValue("run", self._run_id, "is being trained by another process", hint=hint)

    def _unwritable(self, error: OSError) -> StorageError:
        hint = "free some space in the home folder" if is_full(error) else "check the home folder and its disk"
        return StorageError(f"{self._path}: cannot be written: {reason_of(error)}", hint=hint)

    def _repair(self) -> None:
        """Cut off a last line that was torn by a crash."""
        end = os.fstat(self._file).st_size
        whole = end
        while whole > 0:
            start = max(0, whole - MAX_LINE)
            newline = os.pread(self._file, whole - start, start).rfind(b"\n")
            if newline >= 0:
                whole = start + newline + 1
                break
            whole = start
        if whole < end:
            os.ftruncate(self._file, whole)


class EventReader:
    """Reads a log from where it last stopped; lines that are damaged, or not yet whole, are passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._damaged = 0

    @property
    def damaged(self) -> int:
        """The number of whole lines that were passed over so far."""
        return self._damaged

    def poll(self) -> Iterator[Entry]:
        """The entries that have come since the last call.

        Raises:
            RunError: when there is a log that cannot be read.
        """
        for line in self._lines():
            yield from self._understood(line)

    def skim(self) -> Iterator[Entry]:
        """Poll, but of a run's progress events in a row yield only the last: a tenth of the work in a log of hours.

        Raises:
            RunError: when there is a log that cannot be read.
        """
        held, run_id = b"", b""
        for line in self._lines():
            progress = _PROGRESS.fullmatch(line)
            if held and (progress is None or progress[1] != run_id):
                yield from self._understood(held)
            if progress is None:
                held = b""
                yield from self._understood(line)
            else:
                held, run_id = line, progress[1]
        if held:
            yield from self._understood(held)

    def _lines(self) -> Iterator[bytes]:
        try:
            file = open_regular(self._path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise RunError(
                f"{self._path}: cannot be read: {error.strerror}", hint="check the file and its permissions"
            ) from error
        with file:
            file.seek(self._offset)
            told, tell = self._offset, reading.get()
            while line := file.readline(MAX_LINE):
                if not line.endswith(b"\n") and len(line) < MAX_LINE:
                    return  # still being written
                self._offset += len(line)
                if self._offset - told >= TOLD_AFTER:
                    tell(self._offset - told)
                    told = self._offset
                yield line

    def _understood(self, line: bytes) -> Iterator[Entry]:
        if entry := _parse(line):
            yield entry
        elif line.endswith(b"\n"):  # of a line that is longer than any event, the last piece
            self._damaged += 1


def _parse(line: bytes) -> Entry | None:
    try:
        record: Any = parse_json(line)
    except (ValueError, RecursionError):
        return None
    event = from_record(record)
    if event is None or not isinstance(record.get("time"), str) or not isinstance(record.get("run_id"), str):
        return None
    if isinstance(event, RunStarted) and not _is_config(event.config):
        return None
    return Entry(record["time"], record["run_id"], event)


def _is_config(config: Mapping[str, Any]) -> bool:
    """True when the fields that every view of a run shows are there and of the right types."""
    wanted = {"arch": (str,), "epochs": (int,), "batch_size": (int,), "target": (int, float)}
    return all(type(config.get(key)) in types for key, types in wanted.items())
