"""MD5 sums of files: right, and refused by name when they are not the published ones."""

from hashlib import md5

import pytest

from core.data.checksum import check_md5, md5_of
from core.errors import DataError


def test_the_sum_of_a_file_of_several_blocks_is_its_md5(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (3 << 20) + b"y")
    assert md5_of(path) == md5(b"x" * (3 << 20) + b"y").hexdigest()


def test_another_sum_than_the_published_one_is_refused_with_both(tmp_path, presentable):
    check_md5(tmp_path / "file", "0" * 32, "0" * 32)
    with pytest.raises(DataError) as caught:
        check_md5(tmp_path / "file", "0" * 32, "f" * 32)
    presentable(caught.value.message, str(tmp_path / "file"), "0" * 32, "f" * 32)
    assert "delete the file" in caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path, presentable):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DataError, match="cannot be read") as caught:
            md5_of(path)
        presentable(caught.value.message, str(path))
