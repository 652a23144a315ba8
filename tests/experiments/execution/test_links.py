"""A run's folder that came from elsewhere may hold links: none is followed, to be read or to be written."""

from __future__ import annotations

from contextlib import suppress

import pytest

from core.errors import LabError, StorageError
from experiments.bundles.contents import LIMITS
from experiments.bundles.pack import pack
from experiments.execution.detach import start_process
from experiments.execution.runner import Runner
from experiments.runs.folder import Run

NAMES = (*LIMITS, "owner.json", "checkpoint.safetensors", "checkpoint-previous.safetensors", "reserve", "stop")


@pytest.fixture
def linked(finished: Run, tmp_path):
    """Puts a link to a file outside, with the same content, in the place of one of a run's files."""

    def put(name: str):
        path, outside = finished.folder / name, tmp_path / "outside"
        outside.write_bytes(path.read_bytes() if path.exists() else b"precious")
        path.unlink(missing_ok=True)
        path.symlink_to(outside)
        return outside

    return put


@pytest.mark.parametrize("name", NAMES)
def test_going_on_with_a_run_changes_nothing_that_a_link_leads_to(finished, linked, locations, name):
    outside = linked(name)
    before, times = outside.read_bytes(), outside.stat().st_mtime_ns
    with suppress(LabError):
        list(Runner(locations).resume(finished, epochs=3))
    assert (outside.read_bytes(), outside.stat().st_mtime_ns) == (before, times)


@pytest.mark.parametrize("name", NAMES)
def test_nor_does_anything_else_that_is_done_to_it(finished, linked, store, tmp_path, name):
    outside = linked(name)
    before, times = outside.read_bytes(), outside.stat().st_mtime_ns
    for action in (
        finished.beat,
        finished.release_reserve,
        finished.ask_to_stop,
        lambda: finished.change_meta(name="other"),
        lambda: finished.set_environment({}),
        lambda: store.remove(finished),
    ):
        with suppress(LabError):
            action()
    assert (outside.read_bytes(), outside.stat().st_mtime_ns) == (before, times)
    assert not finished.folder.exists()


@pytest.mark.parametrize("name", LIMITS)
def test_a_bundle_holds_no_file_from_outside(finished, linked, name):
    linked(name)
    with pytest.raises(LabError, match="not a regular file"):
        pack(finished)


def test_a_detached_process_writes_into_no_file_from_outside(finished, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    finished.output.symlink_to(outside)
    with pytest.raises(StorageError, match="not a regular file"):
        start_process(finished.output, ["echo", "hello"], lambda _: None)
    assert outside.read_text() == "precious"


def test_a_folder_that_is_itself_a_link_is_where_its_owner_has_put_it(finished, store, tmp_path):
    """Runs may be kept on another disk."""
    elsewhere = tmp_path / "elsewhere"
    finished.folder.rename(elsewhere)
    finished.folder.symlink_to(elsewhere)
    assert finished.status() == "finished"
    assert len(store.rows()) == 1
