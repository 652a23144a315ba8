"""A cache of run rows, so that lists of thousands of runs open at once.

Only a cache: each row carries the times and sizes of the files it was made from and is made again when they differ. The
file can be deleted at any moment; damaged, or of another version, it is started over; not writable, it is done without.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.row import RunRow

if TYPE_CHECKING:
    from experiments.run import Run

VERSION = 1
PATIENCE = 0.5
"""Seconds to wait for another process's turn before going on without the cache."""


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
                fresh.append((run.id, stamps[run.id], json.dumps(asdict(row))))
            rows.append(row)
        gone = [(run_id,) for run_id in cached.keys() - stamps.keys()]
        if fresh or gone:
            self._save(fresh, gone)
        return rows

    def _load(self) -> dict[str, tuple[str, str]]:
        if not self._path.is_file():
            return {}
        try:
            with closing(self._connect()) as database:
                return {
                    run_id: (stamp, row) for run_id, stamp, row in database.execute("SELECT id, stamp, row FROM runs")
                }
        except sqlite3.OperationalError:  # busy, or not readable
            return {}
        except sqlite3.DatabaseError:
            with suppress(OSError):
                self._path.unlink()
            return {}

    def _save(self, fresh: list[tuple[str, str, str]], gone: list[tuple[str]]) -> None:
        with suppress(sqlite3.Error), closing(self._connect()) as database, database:
            database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", fresh)
            database.executemany("DELETE FROM runs WHERE id = ?", gone)

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=PATIENCE)
        if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            with database:
                database.execute("DROP TABLE IF EXISTS runs")
                database.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, stamp TEXT, row TEXT)")
                database.execute(f"PRAGMA user_version = {VERSION}")
        return database


def _stamp(run: Run) -> str:
    """Changes whenever a file does that a row is made from."""
    parts = []
    for path in (run.log, run.folder / "meta.json"):
        try:
            status = path.stat()
            parts.append(f"{status.st_mtime_ns}/{status.st_size}/{status.st_ino}")
        except OSError:
            parts.append("-")
    return " ".join(parts)


def _decode(content: str) -> RunRow | None:
    try:
        values: dict[str, Any] = json.loads(content)
        return RunRow(**values | {"tags": tuple(values["tags"])})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
