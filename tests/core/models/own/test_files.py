from __future__ import annotations

from dataclasses import replace

import pytest

from core.models.own.files import OwnFiles, OwnReader


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


def read_through(reader, root):
    """As a loader does that imports ``package.net``."""
    path = root / "package" / "net.py"
    assert reader.is_file(root / "package" / "__init__.py")
    assert not reader.is_file(root / "__init__.py")
    assert not reader.is_file(root / "package" / "torch.py")
    return reader.read(path), reader.read(root / "package" / "layers.py"), reader.source(path)


def test_a_reader_remembers_what_was_read_and_what_makes_the_package(folder):
    (folder / "package" / "__init__.py").touch()
    (folder / "package" / "train.py").write_text("not asked for")
    source = read_through(OwnReader(), folder)[2]
    assert (source.root, source.main) == (folder, "package/net.py")
    assert source.contents.keys() == {"package/__init__.py", "package/net.py", "package/layers.py"}


def test_a_file_by_itself_lies_in_its_folder(folder):
    path = folder / "package" / "net.py"
    reader = OwnReader()
    reader.read(path)
    assert reader.source(path) == OwnFiles(path.parent, "net.py", {"net.py": path.read_bytes()})


def test_a_file_that_is_changed_while_it_is_loaded_is_kept_as_it_was_read(folder):
    path, reader = folder / "package" / "net.py", OwnReader()
    before = reader.read(path)
    path.write_text("another = 1\n")
    assert reader.read(path) == before == reader.source(path).contents["net.py"]


def test_given_files_are_read_whatever_lies_on_the_disk(folder, tmp_path):
    (folder / "package" / "__init__.py").touch()
    *contents, source = read_through(OwnReader(), folder)
    (folder / "package" / "net.py").unlink()
    (folder / "package" / "layers.py").write_text("changed")
    (folder / "package" / "new.py").write_text("new")
    for root in (folder, tmp_path / "nowhere"):
        moved = replace(source, root=root)
        reader = OwnReader(moved)
        assert read_through(reader, root) == (*contents, moved)
        assert reader.is_dir(root / "package")
        assert reader.is_dir(root)
        assert not reader.is_dir(root / "pack")
        assert not reader.is_file(root / "package" / "new.py")
        with pytest.raises(FileNotFoundError):
            reader.read(root / "package" / "new.py")
        with pytest.raises(FileNotFoundError):
            reader.read(folder.parent / "other.py")
