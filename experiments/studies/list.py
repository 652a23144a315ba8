"""All studies of a home, each read again only when something of it may have changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.storage.files import open_regular
from experiments.studies.folder import StudyFolder
from experiments.studies.view import StudyReader, StudyView

WRITTEN = ("study.json", "journal.jsonl", "output.log", "race.json")
"""The files by which a study is told to have changed."""
TAIL = 4096
"""Bytes at the end of what a detached process wrote, among which its error is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyEntry:
    """A study of the list: `view` is None while there is no plan, or where it `is_damaged`. `problem` says why, or
    with what error its last driver ended.

    `touched` is when something was last written, in seconds since 1970.
    """

    name: str
    view: StudyView | None
    is_driven: bool
    problem: str
    touched: float
    is_damaged: bool = False

    @property
    def standing(self) -> str:
        """One of running, finished, stopped, starting, damaged and failed; the last for one that never began."""
        if self.is_damaged:
            return "damaged"
        if self.is_driven:
            return "running" if self.view is not None and self.view.trials else "starting"
        if self.view is None:
            return "failed"
        return "finished" if self.view.is_complete else "stopped"


class StudyList:
    """The studies of a home. `refresh` reads files and may be called on any thread, one at a time."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._readers: dict[str, StudyReader] = {}
        self._known: dict[str, tuple[object, StudyEntry]] = {}

    def refresh(self) -> list[StudyEntry]:
        """Every study, those being driven first, then the one worked at last. Of one that has not changed the entry is
        the same object as before."""
        known: dict[str, tuple[object, StudyEntry]] = {}
        for folder in study_folders(self._home):
            stamps = tuple(_stamp(folder.folder / name) for name in WRITTEN)
            if not any(stamps):
                continue
            key = (stamps, folder.is_alive())
            old = self._known.get(folder.name)
            known[folder.name] = old if old is not None and old[0] == key else (key, self._read(folder, *key))
        self._known = known
        self._readers = {name: reader for name, reader in self._readers.items() if name in known}
        return sorted((entry for _, entry in known.values()), key=lambda entry: (not entry.is_driven, -entry.touched))

    def _read(self, folder: StudyFolder, stamps: tuple[Any, ...], is_driven: bool) -> StudyEntry:
        view, problem, is_damaged = None, "", False
        try:
            begun = folder.plan() is not None
            problem = "" if is_driven else _end_reason(folder, stamps, begun=begun)
            if begun:
                reader = self._readers.setdefault(folder.name, StudyReader(self._home, folder.name))
                view = reader.view()
        except LabError as error:
            problem, is_damaged = error.message.removeprefix(f"{folder.folder}/"), True
        touched = max(stamp[0] for stamp in stamps if stamp) / 1e9
        return StudyEntry(
            name=folder.name, view=view, is_driven=is_driven, problem=problem, touched=touched, is_damaged=is_damaged
        )


def study_folders(home: Path) -> Iterator[StudyFolder]:
    """The folders in a home that may be studies."""
    for path in (home / "studies").glob("*/"):
        with suppress(LabError):  # nothing of ours
            yield StudyFolder.of(home, path.name)


def _end_reason(folder: StudyFolder, stamps: tuple[Any, ...], *, begun: bool) -> str:
    """The error that a detached process ended with; where the study never began, whatever it said last. Each driver
    writes the plan as it begins: what was said before that is of one before."""
    plan, _, said_at, _ = stamps
    if plan and said_at and said_at[0] < plan[0]:
        return ""
    try:
        with open_regular(folder.output) as file:
            file.seek(max(0, file.seek(0, SEEK_END) - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    error = next((line.removeprefix("error: ") for line in said[-2:] if line.startswith("error: ")), "")
    return error or ("" if begun or not said else said[-1])


def _stamp(path: Path) -> tuple[int, int] | None:
    """A stamp that changes when a file is written to; None where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
