"""A cache of run rows, so that lists of thousands of runs open at once.

Only a cache: each row carries the times and sizes of the files it was made from and is made again when they differ. The
file can be deleted at any moment; damaged, or of another version, it is started over; where it cannot be written, or
others can write it, it is done without.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.storage.trust import is_trusted
from experiments.runs.row import RunRow

if TYPE_CHECKING:
    from experiments.runs.folder import Run

VERSION = 3
"""The version of a row's content."""
TABLE = "CREATE TABLE runs (id TEXT PRIMARY KEY, stamp TEXT, row TEXT)"
QUIET = 60.0
"""Seconds after which a log without an end counts as one that nobody writes to."""
PATIENCE = 0.5
"""Seconds to wait for another process's turn before going on without the cache."""

_BUSY_OR_BARRED = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOMEM,
    }
)
"""Errors that say nothing about the file's content."""


class Index:
    """The rows of one home's runs in a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, runs: Sequence[Run]) -> list[RunRow]:
        """The row of each run, in the same order."""
        stamps = {run.id: _stamp(run) for run in runs}
        cached = self._load()
        rows: list[RunRow] = []
        fresh: list[tuple[str, str, str]] = []
        for run in runs:
            stamp, content = cached.get(run.id, ("", ""))
            row = _decode(content) if stamp == stamps[run.id] else None
            if row is None:
                row = run.row()
                if row.ended or _is_quiet(run):  # else it will not be the same at the next look
                    fresh.append((run.id, stamps[run.id], json.dumps(asdict(row))))
            rows.append(row)
        gone = [(run_id,) for run_id in cached.keys() - stamps.keys()]
        if fresh or gone:
            self._save(fresh, gone)
        return rows

    def _load(self) -> dict[str, tuple[str, str]]:
        if not self._path.is_file() or not self._is_ours():
            return {}
        try:
            with closing(sqlite3.connect(self._path, timeout=PATIENCE)) as database:
                if _has_our_table(database):
                    rows = database.execute("SELECT id, stamp, row FROM runs")
                    return {run_id: (stamp, row) for run_id, stamp, row in rows}
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY_OR_BARRED:
                return {}
        self._start_over()
        return {}

    def _is_ours(self) -> bool:
        """Whether nobody else could have written it, or could put a file in its place while it is open."""
        return is_trusted(self._path, "every run is read for a list of them")

    def _start_over(self) -> None:
        for path in (self._path.with_name(f"{self._path.name}-journal"), self._path):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _save(self, fresh: list[tuple[str, str, str]], gone: list[tuple[str]]) -> None:
        if not self._is_ours():
            return
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=PATIENCE)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            if not _has_our_table(database):
                database.execute(TABLE)
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", fresh)
            database.executemany("DELETE FROM runs WHERE id = ?", gone)


def _has_our_table(database: sqlite3.Connection) -> bool:
    """True when the file is of this version and holds our table alone, no view and no trigger."""
    schema = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return schema == [(TABLE,)] and database.execute("PRAGMA user_version").fetchone() == (VERSION,)


def _is_quiet(run: Run) -> bool:
    """True when nothing has been written to the run's log for `QUIET` seconds."""
    try:
        return not abs(time.time() - run.log.stat().st_mtime) < QUIET
    except OSError:
        return True


def _stamp(run: Run) -> str:
    """A text that changes whenever a file does that a row is made from."""
    parts = []
    kept = [run.reserve] if run.reserve.is_file() else []
    for path in (run.log, run.folder / "meta.json", *kept):
        try:
            status = path.stat()
            parts.append(f"{status.st_mtime_ns}/{status.st_size}/{status.st_ino}")
        except OSError:
            parts.append("-")
    return " ".join(parts)


def _decode(content: str) -> RunRow | None:
    try:
        values: dict[str, Any] = json.loads(content)
        row = RunRow(**values | {"tags": tuple(values["tags"]) if isinstance(values["tags"], list) else None})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return row if row.is_sound() else None
