from __future__ import annotations

import errno
import json

import pytest

import experiments.runs.source
from core.errors import RunError
from core.models.own.files import OwnFiles
from experiments.runs.source import MAX_FILES, names_obstacle, read_source, write_source

NETS = {
    "package/__init__.py": b"",
    "package/net.py": b"from .layers import block\n",
    "package/layers.py": b"block = 1\n",
}


@pytest.fixture
def files(tmp_path):
    return OwnFiles(tmp_path / "mine", "package/net.py", NETS)


@pytest.fixture
def kept(tmp_path, files):
    """A folder with a copy."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_source(folder, files)
    return folder


def change(folder, **values):
    record = json.loads((folder / "source.json").read_text())
    (folder / "source.json").write_text(json.dumps(record | values))


def test_the_files_are_kept_as_they_were_and_where_they_were(kept, files):
    source = read_source(kept)
    assert source.files().contents == NETS
    assert (kept / "source" / "package" / "layers.py").read_bytes() == NETS["package/layers.py"]
    assert source.digest == source.files().digest == files.digest
    assert source.original == files.path
    assert source.path.read_bytes() == NETS["package/net.py"]
    assert source.left_out == ""


def test_a_folder_without_a_copy_has_none(tmp_path):
    assert read_source(tmp_path) is None


@pytest.mark.parametrize("name", ["package/net.py", "package/layers.py"])
def test_a_file_that_was_changed_removed_or_made_a_link_is_told(kept, tmp_path, name):
    path = kept / "source" / name
    content = path.read_bytes()
    path.write_bytes(content + b"#")
    with pytest.raises(RunError, match="not the file that was kept"):
        read_source(kept).files()
    path.unlink()
    with pytest.raises(RunError, match="No such file"):
        read_source(kept).files()
    (tmp_path / "outside.py").write_bytes(content)
    path.symlink_to(tmp_path / "outside.py")
    with pytest.raises(RunError, match="it is a link"):
        read_source(kept).files()


def test_a_folder_that_is_a_link_is_not_followed(kept, tmp_path):
    (kept / "source" / "package").rename(tmp_path / "elsewhere")
    (kept / "source" / "package").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="it is a link"):
        read_source(kept).files()


def test_what_lies_beside_the_copy_is_no_part_of_it(kept):
    (kept / "source" / "torch.py").write_text("evil = 1")
    assert read_source(kept).files().contents == NETS


@pytest.mark.parametrize(
    "values",
    [
        {"files": {}},
        {"files": []},
        {"main": "other.py"},
        {"main": 3},
        {"root": None},
        {"left_out": None},
        {"files": {"package/net.py": {"bytes": -1, "sha256": "0" * 64}}},
        {"files": {"package/net.py": {"bytes": 1, "sha256": "0" * 63}}},
        {"files": {"package/net.py": {"bytes": True, "sha256": "0" * 64}}},
        {"files": {"package/net.py": "0" * 64}},
        {"files": {"package/net.py": {"bytes": 1 << 40, "sha256": "0" * 64}}},
        {"files": {"../net.py": {"bytes": 1, "sha256": "0" * 64}}, "main": "../net.py"},
        {"files": {"/etc/passwd": {"bytes": 1, "sha256": "0" * 64}}, "main": "/etc/passwd"},
    ],
)
def test_a_record_that_was_changed_is_damaged(kept, values):
    change(kept, **values)
    with pytest.raises(RunError, match="damaged"):
        read_source(kept)


def test_a_record_that_is_gone_does_not_make_the_run_one_without_a_copy(kept):
    (kept / "source.json").unlink()
    with pytest.raises(RunError, match="missing"):
        read_source(kept)


def test_files_too_large_to_be_kept_are_known_by_their_sums(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments.runs.source, "MAX_BYTES", 10)
    files = OwnFiles(tmp_path, "net.py", {"net.py": b"x" * 11})
    write_source(tmp_path, files)
    source = read_source(tmp_path)
    assert "more than" in source.left_out
    assert source.sums == files.sums
    assert not (tmp_path / "source").exists()


def test_of_too_many_files_the_one_that_was_named_is_known_still(tmp_path):
    names = [*(f"a{number}.py" for number in range(MAX_FILES)), "net.py"]
    write_source(tmp_path, OwnFiles(tmp_path, "net.py", dict.fromkeys(names, b"")))
    source = read_source(tmp_path)
    assert source.left_out == f"more than {MAX_FILES} files"
    assert "net.py" in source.sums


@pytest.mark.parametrize(
    "name",
    [
        *("", "/a.py", "a//b.py", "../a.py", "a/../b.py", "./a.py", "a\\b.py", "c:a.py", "a\n.py", "a.py ", "a."),
        *("x" * 121, "\udc80.py", "a/" * 16 + "b.py", "d" * 100 + "/" + "e" * 100 + "/" + "f" * 100),
    ],
)
def test_only_plain_names_are_kept(name, tmp_path):
    assert "not plain" in names_obstacle([name])
    write_source(tmp_path, OwnFiles(tmp_path, "net.py", {"net.py": b"", name: b""}))
    assert read_source(tmp_path).left_out


@pytest.mark.parametrize("names", [["Net.py", "net.py"], ["a", "a/b.py"], ["A/b.py", "a"]])
def test_names_that_some_system_takes_for_one_are_not_kept(names):
    assert names_obstacle(names)


@pytest.mark.parametrize("name", ["net.py", "my net (2).py", "réseau.py", "a/b/c.ipynb", ".hidden/net.py"])
def test_what_people_call_their_files_is_kept(name, tmp_path):
    assert names_obstacle([name]) == ""
    write_source(tmp_path, OwnFiles(tmp_path, name, {name: b"1"}))
    assert read_source(tmp_path).files().contents == {name: b"1"}


def test_a_disk_that_fills_up_is_told_of(tmp_path, files, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_source(tmp_path, files)
    assert not (tmp_path / "source.json").exists()
