"""Checks of the code of a user's own module: of the copy that the run keeps, and of the files that it was made from."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import RunError
from core.models.spec import is_user_module
from experiments.runs.folder import Run
from experiments.runs.own_code import NamedCode, changes_since
from experiments.runs.source import RECORD, KeptSource, read_source
from experiments.verification.findings import Check, missing, not_checked

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


def _count(kept: KeptSource) -> str:
    return f"{len(kept.sums)} file{'s' if len(kept.sums) > 1 else ''}"
