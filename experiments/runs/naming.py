"""The ids of runs, and how their folders get them: of runs that belong together all do, or none.

A folder is filled under the name of a draft. Where there are several, one file, the record, says which draft gets which
id. From then on the runs are there, whatever becomes of their process: whoever looks for runs gives the names that a
process which was killed had still to give.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from core.storage.files import replacing
from experiments.runs.json_files import read_json
from experiments.runs.owner import is_locked, take_lock

DRAFT, RECORD = ".new-", "group-"
"""Beginnings of the names of folders that are filled, and of records."""
RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_DRAFT = re.compile(r"\.new-[0-9a-f]{8}")


def new_id(digits: int = 4) -> str:
    import secrets  # costs more than everything else that a list of runs needs of the standard library

    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(digits // 2)}"


def name_all(drafts: Sequence[Path]) -> list[Path]:
    """Give filled folders, all in one folder, their ids; returns them by their new names.

    Raises:
        OSError: when that cannot be; none is a run then.
    """
    if len(drafts) < 2:
        return [_name_new(draft) for draft in drafts]
    ids: dict[str, None] = {}
    while len(ids) < len(drafts):
        ids[new_id()] = None
    record = drafts[0].with_name(f"{RECORD}{os.urandom(4).hex()}.json")
    named: list[Path] = []
    with ExitStack() as stack:
        with replacing(record) as part:
            file = stack.enter_context(part.open("wb"))
            take_lock(file.fileno())  # which tells others that this process sees to it
            file.write(json.dumps(dict(zip((draft.name for draft in drafts), ids, strict=True))).encode())
            file.flush()
        try:
            for draft, run_id in zip(drafts, ids, strict=True):
                named.append(_name(draft, draft.with_name(run_id)))
        except BaseException:
            for run in named:
                shutil.rmtree(run, ignore_errors=True)
            raise
        finally:
            record.unlink(missing_ok=True)
    return named


def run_entries(runs: Path) -> list[os.DirEntry[str]]:
    """The folders of runs, in no order; none where they cannot be read. Runs that are recorded are named first."""
    found = _entries(runs)
    records = [entry.name for entry in found if entry.name.startswith(RECORD)]
    for name in records:
        _name_recorded(runs / name)
    return [entry for entry in (_entries(runs) if records else found) if RUN_ID.fullmatch(entry.name)]


def recorded_drafts(runs: Path) -> set[str]:
    """The names of drafts that will be runs."""
    return {draft for record in runs.glob(f"{RECORD}*.json") for draft in read_json(record)}


def _name_recorded(record: Path) -> None:
    """Give the names that a killed process had still to give."""
    if is_locked(record):
        return
    for draft, run_id in read_json(record).items():
        if not (_DRAFT.fullmatch(draft) and isinstance(run_id, str) and RUN_ID.fullmatch(run_id)):
            continue
        try:
            _name(record.with_name(draft), record.with_name(run_id))
        except FileNotFoundError:  # it has its name, or was deleted under it
            pass
        except OSError:
            return
    with suppress(OSError):
        record.unlink()


def _name(draft: Path, run: Path) -> Path:
    """Give a folder the name that is recorded for it, or another one where that is taken."""
    try:
        draft.rename(run)
    except FileNotFoundError:
        if not run.is_dir():
            raise
    except OSError as error:
        if not _is_taken(error):
            raise
        return _name_new(draft)
    return run


def _name_new(draft: Path) -> Path:
    """Give a filled folder its id: a run's folder is there as a whole or not at all."""
    while True:
        run = draft.with_name(new_id())
        try:
            draft.rename(run)
            return run
        except OSError as error:
            if not _is_taken(error):
                raise


def _is_taken(error: OSError) -> bool:
    return error.errno in (errno.EEXIST, errno.ENOTEMPTY)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        return list(entries)
    return []
