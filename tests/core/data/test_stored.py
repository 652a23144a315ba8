"""Archives that are damaged, and folders that cannot be looked into."""

import zipfile
import zlib
from pathlib import Path

import pytest
from rights import may_not_enter

from core.data.loader import Loader
from core.data.places import find_place
from core.data.sources import SOURCES
from core.errors import DataError


def altered_archive(folder: Path, old: bytes, new: bytes) -> Path:
    """An archive with one of EMNIST's names, and some bytes of it replaced."""
    folder.mkdir(parents=True)
    path = folder / "gzip.zip"
    facts = SOURCES["emnist-letters"].files
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in facts:
            archive.writestr(f"gzip/{one.name}.gz", bytes(range(256)) * 40)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def test_an_archive_that_is_packed_in_a_way_of_tomorrow_is_none(tmp_path):
    altered_archive(tmp_path / "EMNIST" / "raw", b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff")
    assert len(find_place(tmp_path, "emnist-letters").missing) == 4


def test_damage_within_a_packed_member_of_an_archive_is_named(tmp_path, presentable):
    plain = zlib.compressobj(wbits=-15)
    packed = plain.compress(bytes(range(256)) * 40) + plain.flush()
    path = altered_archive(tmp_path / "EMNIST" / "raw", packed[:4], b"\xff" * 4)
    with pytest.raises(DataError) as caught:
        Loader(tmp_path, tmp_path / "cache").load("emnist-letters")
    presentable(caught.value.message, f"{path}:gzip/", "corrupt")


def test_a_root_that_cannot_be_looked_into_is_named(tmp_path, presentable):
    (tmp_path / "shut" / "MNIST" / "raw").mkdir(parents=True)
    loader = Loader(tmp_path / "shut", tmp_path / "cache")
    with may_not_enter(tmp_path / "shut"), pytest.raises(DataError) as caught:
        loader.load("mnist")
    presentable(caught.value.message, str(tmp_path / "shut"), "cannot be read")
    with pytest.raises(DataError) as caught:
        Loader(tmp_path / ("x" * 260), tmp_path / "cache").load("mnist")
    presentable(caught.value.message, "cannot be read: File name too long")
