"""Decoding IDX files: whole ones exactly, damaged ones refused by name."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from core.data.idx import decode
from core.errors import DataError

PIXELS = bytes(range(2 * 3 * 4))
WHOLE = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + PIXELS


@pytest.fixture(params=["images", "images.gz"])
def write(request, tmp_path: Path):
    def write_file(content: bytes) -> Path:
        path = tmp_path / request.param
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path

    return write_file


def test_a_whole_file_becomes_an_array_of_its_own(write):
    path = write(WHOLE)
    array = decode(path, (2, 3, 4))
    assert array.dtype == np.uint8
    assert (array == np.arange(24).reshape(2, 3, 4)).all()
    array += 1
    assert (decode(path, (2, 3, 4)) == array - 1).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "wrong magic number"),
        (b"\0\0\x08", "wrong magic number"),
        (b"\0\0\x09\x03" + WHOLE[4:], "wrong magic number 00000903, not 00000803"),
        (b"\0\0\x08\x01" + WHOLE[4:], "wrong magic number 00000801"),
        (b"<!DOCTYPE html><html>sign in</html>", "wrong magic number 3c21444f"),
        (WHOLE[:11], "dimensions"),
        (WHOLE.replace(b"\x03\0\0\0\x02", b"\x03\0\0\0\x09"), r"its dimensions are \(9, 3, 4\), not \(2, 3, 4\)"),
        (WHOLE.replace(b"\x03\0\0\0\x02", b"\x03\xff\xff\xff\xff"), "its dimensions are"),
        (WHOLE[:-1], "truncated: 24 bytes of data expected"),
        (WHOLE[:16], "truncated: 24 bytes"),
        (WHOLE + b"\0", "longer than its header says: 24 bytes"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong_and_left_alone(write, content, reason, presentable):
    path = write(content)
    before = path.read_bytes()
    with pytest.raises(DataError, match=reason) as caught:
        decode(path, (2, 3, 4))
    presentable(caught.value.message, str(path))
    assert "delete the file" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", [slice(0, -1), slice(0, -8), slice(0, 20), slice(0, 3), slice(5, None)])
def test_a_damaged_gzip_file_is_named(tmp_path, damage, presentable):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(WHOLE)[damage])
    with pytest.raises(DataError, match="corrupt") as caught:
        decode(path, (2, 3, 4))
    presentable(caught.value.message, str(path))


def test_a_flipped_bit_in_a_gzip_file_never_goes_unseen(tmp_path):
    path = tmp_path / "images.gz"
    packed = gzip.compress(WHOLE, mtime=0)
    for at in range(10, len(packed)):  # behind the header, whose time stamp matters to nobody
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 4]) + packed[at + 1 :])
        with pytest.raises(DataError):
            decode(path, (2, 3, 4))


def test_a_file_that_unpacks_without_end_is_read_no_further_than_needed(tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(WHOLE)
        for _ in range(64):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="longer than its header says"):
        decode(path, (2, 3, 4))


def test_a_file_that_cannot_be_read_is_named(tmp_path, presentable):
    with pytest.raises(DataError) as caught:
        decode(tmp_path / "nothing", (2, 3, 4))
    presentable(caught.value.message, str(tmp_path / "nothing"))
