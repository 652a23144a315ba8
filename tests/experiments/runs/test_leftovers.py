"""What killed processes have left in a home is tidied up, what living ones write is not; and who may read a home."""

from __future__ import annotations

import os
import stat
import time

import pytest
import torch

from core.config import TrainConfig
from core.storage.files import LEFT_AFTER, replacing
from experiments.execution.runner import Runner
from experiments.inference.predict import save_drawing
from experiments.runs import store as runs_store
from experiments.runs.folder import Meta
from experiments.runs.store import Store
from experiments.studies.folder import StudyFolder

OLD = time.time() - LEFT_AFTER - 60


@pytest.fixture(autouse=True)
def first_look(monkeypatch):
    monkeypatch.setattr(runs_store, "_swept", set())


def left_in(run) -> list:
    """What kills at several moments leave: files and folders, each with something in it."""
    runs = run.folder.parent
    folders = [runs / ".new-1a2b3c4d", runs / ".deleted-20260102-030405-abcd"]
    files = [run.folder / ".owner.json.1a2b3c4d", run.folder / ".checkpoint.safetensors.abcd_123", runs / ".writable-x"]
    for folder in folders:
        folder.mkdir()
        (folder / "best.safetensors").write_bytes(b"weights")
    for file in files:
        file.write_bytes(b"half")
    return folders + files


def test_the_next_start_tidies_up_what_kills_have_left(store, finished):
    left = left_in(finished)
    for path in left:
        os.utime(path, (OLD, OLD))
    before = {path for path in finished.folder.iterdir() if path not in left}
    store.check_writable()
    assert not [path for path in left if path.exists()]
    assert set(finished.folder.iterdir()) == before


def test_what_may_still_be_written_stays(store, finished):
    left = left_in(finished)
    store.check_writable()
    assert all(path.exists() for path in left)


def test_and_so_does_what_is_none_of_ours(store, finished):
    others = [store.home / ".bashrc.original", finished.folder / ".notes.txt.12345678", store.home / "runs" / ".hidden"]
    for path in others:
        path.write_text("precious")
        os.utime(path, (OLD, OLD))
    store.check_writable()
    assert all(path.exists() for path in others)


def test_a_half_deleted_folder_that_is_a_link_is_deleted_as_a_link(store, finished, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    link = finished.folder.with_name(".deleted-20260102-030405-abcd")
    link.symlink_to(elsewhere)
    os.utime(link, (OLD, OLD), follow_symlinks=False)
    store.check_writable()
    assert not link.is_symlink()
    assert (elsewhere / "file").exists()


def test_of_a_run_whose_folder_is_a_link_only_the_link_is_deleted(store, finished, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    finished.folder.rename(elsewhere)
    finished.folder.symlink_to(elsewhere)
    store.remove(finished)
    assert store.runs() == []
    assert (elsewhere / "events.jsonl").exists()
    assert not [path for path in (store.home / "runs").iterdir() if path.name.startswith(".deleted")]


def modes(home) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*") if not path.name.startswith(".")}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o027])
def test_the_rights_of_files_are_those_that_the_umask_allows(locations, tiny, umask):
    before = os.umask(umask)
    try:
        (*_, last) = Runner(locations).run(tiny.changed(epochs=1), Meta("x"))
    finally:
        os.umask(before)
    run = Store(locations.home).run(last.run_id)
    found = modes(run.folder) | {"the folder": stat.S_IMODE(run.folder.stat().st_mode)}
    assert found.pop("the folder") == 0o755 & ~umask
    assert found == dict.fromkeys(found, 0o644 & ~umask)
    assert len(found) >= 7


def test_a_home_that_is_made_is_for_its_user_alone_and_one_that_is_there_stays_as_it_is(tmp_path):
    for number, make in enumerate(
        (
            lambda home: Store(home).create(TrainConfig(), Meta(), {}),
            lambda home: StudyFolder.of(home, "first").make(),
            lambda home: save_drawing(home, torch.zeros(28, 28, dtype=torch.uint8)),
        )
    ):
        home = tmp_path / f"made-{number}" / "home"
        make(home)
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in (home, home.parent)] == [0o700] * 2
        there = tmp_path / f"there-{number}"
        there.mkdir()
        there.chmod(0o755)
        make(there)
        assert stat.S_IMODE(there.stat().st_mode) == 0o755


def test_a_file_is_replaced_with_the_rights_that_the_umask_allows(tmp_path):
    before = os.umask(0o077)
    try:
        with replacing(tmp_path / "file") as part:
            part.write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


CHANGES_FOLDER = """
import os
from torch import nn

os.chdir("/")

class Net(nn.Sequential):
    def __init__(self):
        os.chdir("/tmp")
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
"""


def test_a_module_that_changes_the_folder_does_not_change_its_recorded_path(locations, tiny, tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(CHANGES_FOLDER)
    monkeypatch.chdir(tmp_path)
    (*_, last) = Runner(locations).run(tiny.changed(arch="net.py:Net", epochs=1), Meta("x"))
    run = Store(locations.home).run(last.run_id)
    assert run.config()["arch"] == f"{tmp_path / 'net.py'}:Net"
    assert run.environment()["working_folder"] == str(tmp_path)
