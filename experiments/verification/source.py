"""Checks of what a run was made from: the copy that it keeps of the code of a user's own module, the files of that, and
the copy of its teacher."""

from __future__ import annotations

from collections.abc import Iterator

from core.config import TrainConfig
from core.dataset_names import identity_of
from core.errors import RunError
from core.events import RunStarted
from core.models.spec import is_user_module
from experiments.runs.folder import Run
from experiments.runs.own_code import NamedCode, changes_since
from experiments.runs.source import RECORD, KeptSource, read_source
from experiments.runs.teacher import TEACHER, TeacherCopy
from experiments.verification.findings import Check, compare, compare_sums, missing, not_checked

COPY, NOW = "copy of the code", "files of the code now"


def check_source(run: Run, code: NamedCode) -> Iterator[Check]:
    """Check a run's copy against its sums, and say what has become of the files since, and whether other code was
    named; a run is none the worse for that."""
    if not is_user_module(code.config.arch):
        return
    kept = read_source(run.folder)
    if kept is None:
        yield not_checked(COPY, RECORD, "there is none; earlier versions kept none")
        return
    if kept.left_out:
        yield not_checked(COPY, RECORD, f"there is none: {kept.left_out}")
    else:
        try:
            kept.files()
        except RunError as error:
            yield missing(COPY, RECORD, error.message)
        else:
            yield Check(COPY, RECORD, True, _count(kept), "the same")
    if code.is_kept is False:
        yield not_checked("the code that was named", code.config.arch, code.note)
    elif changed := changes_since(kept):
        yield not_checked(NOW, str(kept.original), changed)
    else:
        yield Check(NOW, str(kept.original), True, _count(kept), "the same")


def check_teacher(run: Run, started: RunStarted, config: TrainConfig) -> Iterator[Check]:
    """Check the copy that a run keeps of its teacher against the hash in its log."""
    if not config.teacher:
        return
    try:
        copy = TeacherCopy.read(run.folder)
    except RunError as error:
        yield missing("teacher", TEACHER, error.message)
        return
    yield compare("teacher", TEACHER, copy.reference, config.teacher)
    same = identity_of(copy.dataset) == identity_of(started.dataset)
    yield compare("data set of the teacher", TEACHER, copy.dataset, copy.dataset if same else started.dataset)
    yield compare_sums("teacher", TEACHER, copy.sha256, started.teacher)


def _count(kept: KeptSource) -> str:
    return f"{len(kept.sums)} file{'s' if len(kept.sums) > 1 else ''}"
