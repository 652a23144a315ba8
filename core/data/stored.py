"""A file of a data set as it is stored: plain or gzipped, by itself or within a zip archive. Needs no torch."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from lzma import LZMAError
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import BadZipFile, ZipFile

from core.errors import DataError, one_line, reason_of
from core.storage.files import open_regular

REPLACE_IT = "delete the file to have it downloaded again, or put a good copy in its place"
MAKE_ANEW = "make the file anew"
"""What to do about a file of one's own, which nothing downloads."""
ZIP_DAMAGE = (
    *(BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError, KeyError, ValueError),
    OverflowError,
)
"""What opening and reading a damaged archive may end in, beside an OSError."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file within an archive. It is read where it is, and never unpacked onto the disk."""

    archive: Path
    name: str

    def __str__(self) -> str:
        return f"{self.archive}:{self.name}"


Stored = Path | ZipMember


@contextmanager
def opened(stored: Stored) -> Iterator[BinaryIO]:
    """Open what is stored, as it is.

    Raises:
        OSError: when it is missing or no regular file.
        DataError: when the archive is damaged, also while it is read in the block.
    """
    if isinstance(stored, Path):
        with open_regular(stored, follow_link=True) as file:
            yield file
        return
    try:
        with (
            open_regular(stored.archive, follow_link=True) as file,
            ZipFile(file) as archive,
            archive.open(stored.name) as member,
        ):
            yield cast(BinaryIO, member)
    except ZIP_DAMAGE as error:
        raise DataError(f"{stored}: corrupt: {one_line(error)}", hint=REPLACE_IT) from error


@contextmanager
def unpacked(stored: Stored, hint: str = REPLACE_IT) -> Iterator[BinaryIO]:
    """Open what is stored, unpacked where it is gzipped, which its first bytes say, whatever its name.

    Args:
        hint: what to do about one that is damaged.

    Raises:
        DataError: naming it, when it cannot be read or unpacked, also while it is read in the block.
    """
    try:
        with opened(stored) as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if packed:
                with gzip.open(raw) as file:
                    yield cast(BinaryIO, file)
            else:
                yield raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{stored}: corrupt: {one_line(error)}", hint=hint) from error
    except OSError as error:
        raise _unreadable(stored, error) from error


def md5_of(stored: Stored) -> str:
    """The MD5 sum of a file as it is stored, as torchvision lists them.

    Raises:
        DataError: when it cannot be read.
    """
    try:
        with opened(stored) as file:
            return _sum_of(file)
    except OSError as error:
        raise _unreadable(stored, error) from error


def unpacked_md5(stored: Stored, most: int) -> str:
    """The MD5 sum of what is in a file; of one that unpacks to more than `most` bytes, of the beginning.

    Raises:
        DataError: when it cannot be read.
    """
    with unpacked(stored) as file:
        return _sum_of(file, most)


def _unreadable(stored: Stored, error: OSError) -> DataError:
    return DataError(f"{stored}: cannot be read: {reason_of(error)}", hint="check the file and its permissions")


def _sum_of(file: BinaryIO, most: int | None = None) -> str:
    digest, done = md5(usedforsecurity=False), 0
    while (most is None or done <= most) and (block := file.read(1 << 20)):
        digest.update(block)
        done += len(block)
    return digest.hexdigest()
