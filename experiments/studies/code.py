"""The copies that a study keeps of users' own modules, so that all its trials train the same code."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from core.errors import InvalidValue
from core.models.spec import is_user_module
from core.storage.files import make_draft
from experiments.execution.own_files import FirstRead
from experiments.runs.own_code import changes_since, was_named
from experiments.runs.source import read_source, write_source
from experiments.studies.folder import StudyFolder
from experiments.studies.plan import SweepPlan


def read_code(folder: StudyFolder, plan: SweepPlan, first_read: FirstRead) -> Iterator[str]:
    """Let the copies that a study has be what is trained; yields a note on each whose files have changed since.

    Raises:
        InvalidValue: for a copy that came from elsewhere, whose code nobody here has named.
        RunError: when a copy is damaged.
    """
    for arch in _modules(plan):
        kept = read_source(_place(folder, arch))
        if kept is None or kept.left_out:
            continue
        changed = changes_since(kept)
        if changed and not was_named(kept.digest):
            reason = f"the study's copy of it, {kept.path}, was not made from files of this machine"
            hint = f"put it in the place of {kept.original} to train it, or begin another study"
            raise InvalidValue("arch", arch, reason, hint=hint)
        first_read.keep(plan.base.model_copy(update={"arch": arch}), kept.files())
        if changed:
            yield f"{changed} since the study began: its trials go on with the study's own copy"


def keep_code(folder: StudyFolder, plan: SweepPlan, first_read: FirstRead) -> None:
    """Keep a copy of each module's code that has been read and that the study has not yet.

    Raises:
        StorageError: when the folder cannot be written.
    """
    for arch in _modules(plan):
        place, files = _place(folder, arch), first_read.of(plan.base.model_copy(update={"arch": arch}))
        if files is None or place.exists():
            continue
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = make_draft(".new-", place.parent)
            try:
                write_source(draft, files)
                draft.rename(place)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            raise folder.unwritable(error) from error


def _modules(plan: SweepPlan) -> list[str]:
    searched = plan.space.dimension("arch")
    archs = [str(value) for value in searched.ends()] if searched is not None else [plan.base.arch]
    return [arch for arch in archs if is_user_module(arch)]


def _place(folder: StudyFolder, arch: str) -> Path:
    """The folder of the copy for one of the study's architectures."""
    return folder.folder / "code" / sha256(arch.encode(errors="surrogatepass")).hexdigest()[:16]
