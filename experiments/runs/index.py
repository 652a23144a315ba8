"""A cache of run rows, so that lists of thousands of runs open at once.

Only a cache: each row carries the times and sizes of what it was made from and is made again when they differ. The file
can be deleted at any moment; damaged, or of another version, it is started over; where it cannot be written, or others
can write it, it is done without.

Of a run that has ended, and that no process owns, only its log and the time of its folder are looked at: whoever names
it or goes on with it replaces or makes a file there. That is two calls of the system for each of maybe a hundred
thousand runs.
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from core.storage.trust import is_trusted
from experiments.runs.row import RunRow, row_from_file

if TYPE_CHECKING:
    from experiments.runs.folder import Run

VERSION = 5
"""The version of a row's content."""
TABLE = "CREATE TABLE runs (id TEXT PRIMARY KEY, stamp TEXT, more TEXT, row TEXT)"
QUIET = 60.0
"""Seconds after which a log without an end counts as one that nobody writes to."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a second change of a folder has another time than the first, on any file system."""
AT_ONCE = 1000
"""Rows that are kept together, so that a first reading of very many which is broken off has not been for nothing."""
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
        self._read: tuple[str, dict[str, tuple[str, str, RunRow]]] = ("", {})

    def rows(self, folder: Path, stamps: Mapping[str, int], run_of: Callable[[str], Run]) -> list[tuple[RunRow, bool]]:
        """The row of each run, and whether a process works on it, in the same order.

        Args:
            folder: that of all runs.
            stamps: as `Store.stamps` gives them.
        """
        with _not_collecting():
            return self._rows(folder, stamps, run_of)

    def _rows(self, folder: Path, stamps: Mapping[str, int], run_of: Callable[[str], Run]) -> list[tuple[RunRow, bool]]:
        cached = self._load()
        rows: list[tuple[RunRow, bool]] = []
        fresh: list[tuple[str, str, str, str]] = []
        for run_id, changed in stamps.items():
            path = f"{folder}/{run_id}"
            stamp = f"{changed} {_of_file(path, 'events.jsonl')}"
            known = cached.get(run_id)
            if known is not None and known[0] == stamp and (not known[1] or known[1] == _more(path)):
                rows.append((known[2], bool(known[1]) and run_of(run_id).is_alive()))
                continue
            more, run = _more(path), run_of(run_id)
            row, is_alive = run.row(), run.is_alive()
            rows.append((row, is_alive))
            if row.ended or _is_quiet(run):  # else it will not be the same at the next look
                is_settled = row.ended and not run.owner_file.exists() and abs(time.time_ns() - changed) > SETTLED
                fresh.append((run_id, stamp, "" if is_settled else more, json.dumps(row)))
                if len(fresh) == AT_ONCE:
                    self._save(fresh, [])
                    fresh.clear()
        gone = [(run_id,) for run_id in cached.keys() - stamps.keys()]
        if fresh or gone:
            self._save(fresh, gone)
        return rows

    def _load(self) -> dict[str, tuple[str, str, RunRow]]:
        if not self._path.is_file() or not self._is_ours():
            return {}
        stamp = _of_file(str(self._path.parent), self._path.name)
        if stamp == self._read[0]:  # a command asks several times
            return self._read[1]
        try:
            with closing(sqlite3.connect(self._path, timeout=PATIENCE)) as database:
                if _has_our_table(database):
                    known = _decoded(database.execute("SELECT id, stamp, more, row FROM runs").fetchall())
                    self._read = (stamp, known)
                    return known
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

    def _save(self, fresh: list[tuple[str, str, str, str]], gone: list[tuple[str]]) -> None:
        if not self._is_ours():
            return
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=PATIENCE)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            if not _has_our_table(database):
                database.execute(TABLE)
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", fresh)
            database.executemany("DELETE FROM runs WHERE id = ?", gone)


@contextmanager
def _not_collecting() -> Iterator[None]:
    """Within the block Python's collector rests, which else goes through a hundred thousand rows again and again while
    they are made: as long as all the rest takes."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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


def _of_file(folder: str, name: str) -> str:
    """A text that changes whenever a file does."""
    try:
        status = os.stat(f"{folder}/{name}")  # noqa: PTH116  # a Path costs more than the call
    except OSError:
        return "-"
    return f"{status.st_mtime_ns}/{status.st_size}/{status.st_ino}"


def _more(folder: str) -> str:
    """A text that changes whenever another file than the log does that a row is made from."""
    return f"{_of_file(folder, 'meta.json')} {_of_file(folder, 'reserve')}"


def _decoded(found: list[tuple[str, str, str, str]]) -> dict[str, tuple[str, str, RunRow]]:
    """What the file has of each run; those that are damaged are left out."""
    try:
        rows = json.loads(f"[{','.join(row for *_, row in found)}]")  # in a third of the time that one by one takes
    except (ValueError, TypeError, RecursionError):
        rows = []
    if len(rows) != len(found):
        rows = [_loaded(row) for *_, row in found]
    known = {}
    for (run_id, stamp, more, _), values in zip(found, rows, strict=True):
        row = row_from_file(values)
        if row is not None and row.run_id == run_id:
            known[run_id] = (stamp, more, row)
    return known


def _loaded(content: object) -> object:
    try:
        return json.loads(content) if isinstance(content, str) else None
    except (ValueError, RecursionError):
        return None
