from __future__ import annotations

from dataclasses import replace

import pytest

from core.models.own.files import OwnFiles


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "net.py").write_text("from .layers import block\n")
    (tmp_path / "package" / "layers.py").write_text("block = 1\n")
    return tmp_path


def test_files_are_read_by_their_place_below_the_root(folder):
    files = OwnFiles.read(folder, "package/net.py", ["package/layers.py", "package/gone.py"])
    assert files.contents == {"package/net.py": b"from .layers import block\n", "package/layers.py": b"block = 1\n"}
    assert files.path == folder / "package" / "net.py"


def test_what_is_no_plain_file_is_left_out(folder):
    assert OwnFiles.read(folder, "package/net.py", ["package"]).contents.keys() == {"package/net.py"}


def test_the_same_files_elsewhere_have_the_same_digest(folder, tmp_path):
    here = OwnFiles.read(folder, "package/net.py", ["package/layers.py"])
    assert replace(here, root=tmp_path / "elsewhere").digest == here.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"contents": {"a.py": b"x = 1", "b.py": b""}},
        {"contents": {"a.py": b"x = 2"}},
        {"contents": {"c.py": b"x = 1"}},
        {"main": "b.py"},
    ],
)
def test_other_names_or_contents_have_another_digest(changes, tmp_path):
    files = OwnFiles(tmp_path, "a.py", {"a.py": b"x = 1"})
    assert replace(files, **changes).digest != files.digest


def test_files_that_have_changed_or_gone_are_named(folder):
    before = OwnFiles.read(folder, "package/net.py", ["package/layers.py"])
    assert before.differing(before) == []
    (folder / "package" / "layers.py").write_text("block = 2\n")
    (folder / "package" / "net.py").unlink()
    assert before.differing(OwnFiles.read(folder, "package/net.py", before.contents)) == [
        "package/layers.py",
        "package/net.py",
    ]
