"""The run store: one folder a run, found again by id, prefix, name or as the latest, and by nothing else."""

import errno
import json
import os
import re

import pytest

from core.advice import Action, Tip
from core.config import TrainConfig
from core.errors import InvalidValue, RunError, StorageError
from experiments.runs import folder, owner
from experiments.runs.folder import Meta, Run
from experiments.runs.json_files import write_json
from experiments.runs.row import Status
from experiments.runs.store import Store, filtered


def rename(run: Run, run_id: str) -> Run:
    return Run(run.folder.rename(run.folder.with_name(run_id)))


def test_a_new_run_has_its_config_names_owner_and_environment_on_disk(store):
    config = TrainConfig(seed=7, lr=0.05)
    run = store.create(config, Meta("first", ("a", "b"), "g1"), {"host": "here"})
    assert run.config() == config.model_dump()
    assert run.meta() == Meta("first", ("a", "b"), "g1")
    assert run.environment() == {"host": "here"}
    assert json.loads((run.folder / "owner.json").read_text())["pid"] == os.getpid()
    assert run.folder.parent == store.home / "runs"


def test_runs_made_in_the_same_second_get_ids_of_their_own(store):
    made = [store.create(TrainConfig(), Meta(), {}).id for _ in range(50)]
    assert len(set(made)) == 50
    assert {run.id for run in store.runs()} == set(made)


def test_the_newest_run_comes_first_and_is_the_latest(new_run, store):
    for run_id in ("20260102-030405-0001", "20260202-030405-0001", "20250102-030405-ffff"):
        rename(new_run(), run_id)
    assert [run.id[:8] for run in store.runs()] == ["20260202", "20260102", "20250102"]
    assert store.find("latest").id.startswith("20260202")


def test_a_run_is_found_by_id_unique_prefix_and_name(new_run, store):
    one = rename(new_run(name="baseline"), "20260102-030405-0001")
    two = rename(new_run(name="wide"), "20260102-030406-0002")
    for reference in (one.id, "20260102-030405", "baseline"):
        assert store.find(reference) == one
    for reference in (two.id, "20260102-030406-00", "wide", "latest"):
        assert store.find(reference) == two


def test_what_fits_several_runs_is_refused_with_their_ids(new_run, store):
    runs = [rename(new_run(name="same"), f"20260102-03040{i}-0001") for i in range(2)]
    for reference in ("20260102", "same"):
        with pytest.raises(InvalidValue, match="matches 2 runs") as caught:
            store.find(reference)
        assert all(run.id in caught.value.message for run in runs)


def test_a_name_is_looked_for_before_a_prefix(new_run, store):
    named = rename(new_run(name="2026"), "20250102-030405-0001")
    rename(new_run(), "20260102-030405-0001")
    assert store.find("2026") == named


@pytest.mark.parametrize("reference", ["", "none", "latest", "0", "20260102-030405-abcd", "*", "[0-9]*"])
def test_without_such_a_run_the_hint_says_how_to_get_one(store, reference):
    with pytest.raises(RunError) as caught:
        store.find(reference)
    assert "no such run" in caught.value.message
    assert Tip(Action.TRAIN) in caught.value.advice.parts


def test_no_text_becomes_a_path(new_run, store, tmp_path):
    run = new_run()
    outside = tmp_path / "20260102-030405-abcd"
    outside.mkdir()
    for text in ("../..", "../../20260102-030405-abcd", str(outside), ".", "/", f"{run.id}/", f"./{run.id}", "a\0b"):
        with pytest.raises(RunError):
            store.find(text)
        with pytest.raises(ValueError, match="not a run id"):
            store.run(text)


def test_other_folders_and_files_beside_the_runs_are_not_runs(new_run, store):
    run = new_run()
    for name in ("notes", ".deleted-20260102-030405-abcd", "20260102-030405", "20260102-030405-ABCD"):
        (run.folder.parent / name).mkdir()
    assert store.runs() == [run]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 99_999, b'{"name": 3, "tags": "a"}']
)
def test_damaged_names_leave_a_nameless_run(new_run, store, content):
    run = new_run(name="gone")
    (run.folder / "meta.json").write_bytes(content)
    assert run.meta() == Meta()
    assert store.find("latest") == run
    assert store.rows()[0][0].tags == ()


def test_a_run_whose_files_are_all_gone_is_still_listed_and_can_be_removed(new_run, store, script):
    run = new_run(script.started(), script.finished())
    for path in run.folder.iterdir():
        path.unlink()
    row, status = store.rows()[0]
    assert (row.run_id, row.arch, row.epochs_done, row.seed, status) == (run.id, "", 0, None, Status.CRASHED)
    store.remove(run)
    assert store.runs() == []


def test_a_removed_run_leaves_nothing_behind(new_run, store, script):
    keep, run = new_run(script.stopped()), new_run(script.stopped())
    store.remove(run)
    assert [path.name for path in (store.home / "runs").iterdir()] == [keep.id]


def test_a_live_run_is_not_removed(new_run, store, script):
    run = new_run(script.started())
    with pytest.raises(InvalidValue, match="is running"):
        store.remove(run)
    assert run.log.is_file()


def test_a_home_that_is_a_file_or_lies_under_one_cannot_hold_runs(tmp_path):
    (tmp_path / "file").write_text("mine")
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        for attempt in (Store(home).check_writable, lambda home=home: Store(home).create(TrainConfig(), Meta(), {})):
            with pytest.raises(StorageError) as caught:
                attempt()
            assert f"home = {home}: cannot be written" in caught.value.message
            assert "another folder as home" in caught.value.hint
        assert Store(home).runs() == []
    assert (tmp_path / "file").read_text() == "mine"


def test_checking_a_home_makes_nothing_whether_it_is_there_or_not(store, tmp_path):
    before = list(tmp_path.rglob("*"))
    store.check_writable()
    assert list(tmp_path.rglob("*")) == before
    (store.home / "runs").mkdir(parents=True)
    store.check_writable()
    assert list(store.home.rglob("*")) == [store.home / "runs"]


def test_rows_are_filtered_by_tag_status_and_data_set_together(new_run, store, script):
    end = script.finished()
    wanted = new_run(script.started(dataset="mnist-5k"), end, tags=("x", "y"))
    new_run(script.started(dataset="mnist-5k"), script.stopped(), tags=("x",))
    new_run(script.started(dataset="mnist"), end, tags=("x",))
    new_run(script.started(dataset="mnist-5k"), end, tags=("xy",))
    rows = store.rows()
    found = filtered(rows, tag="x", status=Status.FINISHED, dataset="mnist-5k")
    assert [row.run_id for row, _ in found] == [wanted.id]
    assert len(filtered(rows, tag=None, status=None, dataset=None)) == 4
    assert len(filtered(rows, tag="x", status=None, dataset=None)) == 3


def test_a_home_that_fills_up_with_the_last_file_of_a_new_run_is_named_and_keeps_nothing_of_it(store, monkeypatch):
    def fill_up(path, value):
        if path.name == "owner.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_json(path, value)

    for module in (folder, owner):
        monkeypatch.setattr(module, "write_json", fill_up)
    with pytest.raises(StorageError, match=f"home = {re.escape(str(store.home))}: cannot be written: No space left"):
        store.create(TrainConfig(), Meta(), {})
    assert list((store.home / "runs").iterdir()) == []
