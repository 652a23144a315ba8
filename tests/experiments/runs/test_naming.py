"""Runs that belong together are all there or none of them, whenever the process that makes them is killed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from threading import Event, Thread

import pytest
from disturbed_runs import Killed, Kills

from core.config import TrainConfig
from core.errors import StorageError
from core.storage.files import LEFT_AFTER, make_draft
from experiments.runs import store as runs_store
from experiments.runs.folder import Meta
from experiments.runs.naming import DRAFT, name_all, run_entries
from experiments.runs.owner import take_lock
from experiments.runs.store import NewRun, Store


@pytest.fixture(scope="module")
def kills() -> Kills:
    return Kills()


def seeds_of(store: Store) -> list[int]:
    return sorted(run.config()["seed"] for run in store.runs())


def drafts_in(runs: Path, count: int) -> list[Path]:
    runs.mkdir(parents=True, exist_ok=True)
    drafts = [make_draft(DRAFT, runs) for _ in range(count)]
    for draft in drafts:
        (draft / "config.json").write_text("{}")
    return drafts


def test_runs_whose_making_is_killed_are_all_there_or_none(tmp_path, kills):
    new = [NewRun(TrainConfig(seed=seed), Meta("", (), "g20260102-030405-abcd"), {}) for seed in range(2)]
    found = []
    for number in range(1, 400):
        home, left = tmp_path / f"home-{number}", tmp_path / f"left-{number}"
        try:
            with kills.at(number, home, left):
                Store(home).create_all(new)
            break
        except Killed:
            found.append(seeds_of(Store(left)))
            assert not list((left / "runs").glob("group-*"))
    assert [found[0], found[-1]] == [[], [0, 1]]
    assert found == sorted(found)
    assert all(seeds in ([], [0, 1]) for seeds in found)


def recorded(runs: Path, count: int) -> tuple[Path, list[str]]:
    """What a process leaves that is killed when it has recorded the names of drafts; the record, and these names."""
    drafts = drafts_in(runs, count)
    ids = [f"20260102-030405-{number:04x}" for number in range(count)]
    record = runs / "group-1a2b3c4d.json"
    record.write_text(json.dumps(dict(zip((draft.name for draft in drafts), ids, strict=True))))
    return record, ids


def names_of(runs: Path) -> list[str]:
    return sorted(entry.name for entry in run_entries(runs))


def test_whoever_looks_for_runs_gives_the_names_that_a_killed_process_had_still_to_give(store):
    runs = store.home / "runs"
    record, ids = recorded(runs, 3)
    (draft,) = (runs / draft for draft, run_id in json.loads(record.read_text()).items() if run_id == ids[1])
    draft.rename(runs / ids[1])
    assert list(store.stamps()) == ids[::-1]
    assert not record.exists()
    assert sorted(path.name for path in runs.iterdir()) == ids


def test_but_not_while_that_process_lives(tmp_path):
    record, ids = recorded(tmp_path, 2)
    with record.open("ab") as file:
        assert take_lock(file.fileno())
        assert names_of(tmp_path) == []
    assert names_of(tmp_path) == ids


def test_a_name_that_is_taken_meanwhile_gives_way_to_another(tmp_path):
    _, ids = recorded(tmp_path, 2)
    (tmp_path / ids[0]).mkdir()
    (tmp_path / ids[0] / "another").touch()
    assert len(names_of(tmp_path)) == 3
    assert [path.name for path in (tmp_path / ids[0]).iterdir()] == ["another"]


def test_a_record_that_was_made_up_moves_nothing_else(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    (tmp_path / "mine").mkdir()
    (runs / ".new-00000000").mkdir()
    made_up = {"../mine": "20260102-030405-abcd", ".new-00000000": "../stolen", "x": 1}
    (runs / "group-1a2b3c4d.json").write_text(json.dumps(made_up))
    assert names_of(runs) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "runs"]


def test_what_a_process_that_was_stopped_has_still_to_name_is_not_tidied_up(store, monkeypatch):
    monkeypatch.setattr(runs_store, "_swept", set())
    runs = store.home / "runs"
    record, _ = recorded(runs, 2)
    for path in runs.iterdir():
        os.utime(path, 2 * (time.time() - LEFT_AFTER - 60,))
    with record.open("rb") as file:
        take_lock(file.fileno())
        store.check_writable()
    assert len(names_of(runs)) == 2


def test_where_locks_do_nothing_others_may_name_runs_while_their_process_does(tmp_path, monkeypatch):
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    is_over = Event()

    def look() -> None:
        while not is_over.is_set():
            run_entries(tmp_path)

    looking = [Thread(target=look) for _ in range(3)]
    for thread in looking:
        thread.start()
    try:
        named = [name_all(drafts_in(tmp_path, 8)) for _ in range(10)]
    finally:
        is_over.set()
        for thread in looking:
            thread.join()
    assert sorted(path.name for group in named for path in group) == names_of(tmp_path)
    assert len(names_of(tmp_path)) == 80


def test_where_one_cannot_be_named_none_is_there(tmp_path):
    drafts = drafts_in(tmp_path, 3)
    shutil.rmtree(drafts[2])
    with pytest.raises(FileNotFoundError):
        name_all(drafts)
    assert names_of(tmp_path) == []


def test_where_one_cannot_be_filled_none_is_there(store):
    def specs():
        yield NewRun(TrainConfig(), Meta(), {})
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError):
        store.create_all(specs())
    assert list((store.home / "runs").iterdir()) == []
