"""Studies: the plan and the trials of a sweep, in a folder under ``<home>/studies``.

study.json       what was asked for
journal.jsonl    Optuna's log of proposals, intermediate values and results, only ever added to
owner.json       the process that drives the sweep, while one does; the file's time is its heartbeat
race.json        how the race between the best trials stands, as its runs have it
output.log       what a detached one wrote
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Self

from core.advice import Action, Advice, Tip
from core.errors import InvalidValue, RunError, StorageError
from experiments.runs.json_files import read_json, write_json
from experiments.runs.owner import OwnedFolder
from experiments.runs.row import STUDY_TAG
from experiments.studies.locks import check_locks
from experiments.studies.plan import SweepPlan

ANOTHER = Advice("restore it, or ", Tip(Action.CHANGE, "study"), "; the runs are whole")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True, slots=True)
class StudyFolder(OwnedFolder):
    """One study's folder, owned by the process that drives it."""

    @classmethod
    def of(cls, home: Path, name: str) -> Self:
        """The folder of a name, whether it exists or not.

        Raises:
            InvalidValue: for what is no name, so that nothing from outside becomes a path.
        """
        if not _NAME.fullmatch(name):
            allowed = "must be 1 to 60 letters, digits, dots, dashes and underscores"
            raise InvalidValue("study", name, allowed, hint=Tip(Action.EXAMPLE, "study", "first-try"))
        return cls(home / "studies" / name)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def tag(self) -> str:
        """The tag of every run of the study."""
        return f"{STUDY_TAG}{self.name}"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def journal_lock(self) -> Path:
        return self.folder / "journal.lock"

    @property
    def race(self) -> Path:
        return self.folder / "race.json"

    @property
    def output(self) -> Path:
        return self.folder / "output.log"

    def plan(self) -> SweepPlan | None:
        """The plan of the study; None while there is no such study.

        Raises:
            RunError: when the record is damaged.
        """
        path = self.folder / "study.json"
        if not path.exists():
            if self.journal.exists():
                raise RunError(f"{path}: missing, beside a journal", hint=ANOTHER)
            return None
        try:
            return SweepPlan.from_json(read_json(path))
        except Exception as error:  # whatever may be wrong in a file that somebody has changed
            raise RunError(f"{path}: damaged: {error}", hint=ANOTHER) from error

    def write_plan(self, plan: SweepPlan) -> None:
        """Write down what is asked for.

        Raises:
            StorageError: when the folder cannot be written.
        """
        try:
            self.make()
            write_json(self.folder / "study.json", plan.to_json())
        except OSError as error:
            raise self.unwritable(error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """As of any folder. It is not made on a file system without locks.

        Raises:
            InvalidValue: while another process has the lock.
            StorageError: when the folder cannot be written, or there are no locks.
        """
        try:
            check_locks(self.folder)
        except OSError as error:
            raise self.unwritable(error) from error
        with OwnedFolder.locked(self):
            yield

    def busy(self) -> InvalidValue:
        stop, other = Tip(Action.STOP_SWEEP, self.name), Tip(Action.CHANGE, "study")
        hint = Advice("wait for it, stop it (", stop, "), or ", other)
        return InvalidValue("study", self.name, "is being run by another process", hint=hint)

    def unwritable(self, error: OSError, path: Path | None = None) -> StorageError:
        if isinstance(error, FileNotFoundError) and not self.folder.exists():
            return StorageError(f"{self.folder}: is gone", hint=Advice("its runs are kept: ", Tip(Action.LIST_RUNS)))
        return OwnedFolder.unwritable(self, error, path)


def study_names(home: Path) -> list[str]:
    """Every study of a home, the one worked at last first."""
    found = [path.parent for path in (home / "studies").glob("*/study.json")]
    return [path.name for path in sorted(found, key=_changed, reverse=True)]


def no_such_study(home: Path, name: str) -> RunError:
    names = study_names(home)
    hint = Advice(Tip(Action.BEGIN_SWEEP), " begins one")
    if close := get_close_matches(name, names, n=3):
        hint = Advice(f"did you mean {' or '.join(close)}?")
    elif names:
        hint = Advice(*hint.parts, "; ", Tip(Action.LIST_SWEEPS), " lists them")
    return RunError(f"no such study: {name!r}", hint=hint)


def _changed(folder: Path) -> float:
    try:
        return (folder / "journal.jsonl").stat().st_mtime
    except OSError:
        return 0.0
