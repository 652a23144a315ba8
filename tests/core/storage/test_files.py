"""A file that is replaced is the old one or the new one, whole, and nothing else is left behind."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest
from rights import may_not_enter

from core.storage.files import LEFT_AFTER, is_file, is_folder, remove_drafts, replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "state"
    for content in (b"first", b"second, longer", b""):
        with replacing(path) as part:
            part.write_bytes(content)
        assert path.read_bytes() == content
        assert names(tmp_path) == ["state"]


def test_until_the_block_ends_the_old_content_stands(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"old")
    with replacing(path) as part:
        assert part.parent == path.parent
        assert part.name.startswith(".")
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, GeneratorExit, OSError])
@pytest.mark.parametrize("existed", [True, False])
def test_a_block_that_fails_changes_nothing(tmp_path, failure, existed):
    path = tmp_path / "state"
    if existed:
        path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as part:
            part.write_bytes(b"half of the n")
            raise failure

    with pytest.raises(failure):
        fail()
    assert names(tmp_path) == (["state"] if existed else [])
    assert not existed or path.read_bytes() == b"old"


def test_the_file_can_be_read_by_others_and_written_by_its_owner(tmp_path):
    with replacing(tmp_path / "state") as part:
        part.write_bytes(b"x")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o644


def test_a_missing_or_impossible_folder_is_an_oserror(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path / "missing" / "state", tmp_path / "file" / "state"):
        with pytest.raises(OSError, match=r"No such file|Not a directory"), replacing(path):
            pytest.fail("the block must not be entered")
    assert names(tmp_path) == ["file"]


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "state"
    contents = [bytes([value]) * 200_000 for value in range(4)]
    path.write_bytes(contents[0])
    done = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not done.is_set():
            seen.append(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for content in contents * 5:
        with replacing(path) as part:
            part.write_bytes(content)
    done.set()
    reader.join()
    assert seen
    assert all(content in contents for content in seen)


def long_ago(path: Path) -> Path:
    os.utime(path, 2 * (time.time() - LEFT_AFTER - 60,))
    return path


def test_what_a_killed_process_has_left_is_deleted_when_the_file_is_made_again(tmp_path):
    (left := tmp_path / ".run.zip.mnist-tui-1a2b3c4d").write_bytes(b"half")
    (before := tmp_path / ".run.zip.1a2b3c4d").write_bytes(b"half, by an earlier version")
    (folder := tmp_path / ".events.0a0b0c0d").mkdir()
    (folder / "part").write_bytes(b"half")
    for path in (left, before, folder / "part", folder):
        long_ago(path)
    with replacing(tmp_path / "run.zip") as part:
        part.write_bytes(b"new")
    remove_drafts(tmp_path / "events")
    assert names(tmp_path) == ["run.zip"]


def test_what_was_left_under_other_names_is_deleted_where_all_are_meant(tmp_path):
    (tmp_path / ".a.csv.mnist-tui-1a2b3c4d").write_bytes(b"half")
    (tmp_path / ".events.mnist-tui-12345678").mkdir()
    others = (".a.csv.mnist-tui-", ".mnist-tui-1a2b3c4d", ".a.csv.1a2b3c4d", "a.csv.mnist-tui-1a2b3c4d")
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    for path in tmp_path.iterdir():
        long_ago(path)
    (tmp_path / ".b.csv.mnist-tui-1a2b3c4d").write_bytes(b"under way")
    remove_drafts(tmp_path / "c.csv")
    assert len(names(tmp_path)) == 7
    remove_drafts(tmp_path / "c.csv", of_all=True)
    assert names(tmp_path) == sorted([*others, ".b.csv.mnist-tui-1a2b3c4d"])


def test_what_may_still_be_written_or_is_somebody_elses_stays(tmp_path):
    others = (".run.zip.original", ".run.zip.20261130", ".run.zip.1a2b3c4d5", ".other.zip.1a2b3c4d", "run.zip.1a2b3c4d")
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
        long_ago(tmp_path / name)
    (tmp_path / ".run.zip.aaaabbbb").write_bytes(b"under way")
    (folder := tmp_path / ".run.zip.ccccdddd").mkdir()
    (folder / "part").write_bytes(b"under way")
    long_ago(folder)
    before = names(tmp_path)
    with replacing(tmp_path / "run.zip") as part:
        part.write_bytes(b"new")
    assert names(tmp_path) == sorted([*before, "run.zip"])


def test_of_a_link_in_the_place_of_a_draft_only_the_link_is_deleted(tmp_path):
    (kept := tmp_path / "kept").mkdir()
    (kept / "file").write_bytes(b"mine")
    long_ago(kept / "file")
    long_ago(kept)
    (link := tmp_path / ".run.zip.1a2b3c4d").symlink_to(kept)
    os.utime(link, 2 * (time.time() - LEFT_AFTER - 60,), follow_symlinks=False)
    remove_drafts(tmp_path / "run.zip")
    assert (names(tmp_path), names(kept)) == (["kept"], ["file"])


def test_what_is_there_is_told_apart_from_what_cannot_be_told(tmp_path):
    file, folder, loop = tmp_path / "file", tmp_path / "folder", tmp_path / "loop"
    file.touch()
    folder.mkdir()
    loop.symlink_to(loop)
    (tmp_path / "link").symlink_to(folder)
    for path, kinds in (
        (file, (True, False)),
        (folder, (False, True)),
        (tmp_path / "link", (False, True)),
        (loop, (False, False)),
        (tmp_path / "nothing", (False, False)),
        (file / "below", (False, False)),
    ):
        assert (is_file(path), is_folder(path)) == kinds
    with pytest.raises(OSError, match="too long"):
        is_folder(tmp_path / ("x" * 300))
    with may_not_enter(folder), pytest.raises(PermissionError):
        is_file(folder / "one")
