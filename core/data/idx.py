"""IDX files, the format of MNIST and its relatives: found and decoded, gzipped or plain."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from core.data.sources import REPLACE_IT
from core.errors import DataError, one_line
from core.storage.files import open_regular

if TYPE_CHECKING:
    import torch

TYPES: Mapping[int, np.dtype[Any]] = {0x08: np.dtype(np.uint8), 0x0C: np.dtype(">i4")}
"""The kinds of numbers that are read, by the third byte of the magic number."""
_MAX_DIMENSIONS = 4


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file that may be gzipped, which its first bytes say, whatever its name.

    Raises:
        DataError: naming it, when it cannot be read or unpacked, also while it is read in the block.
    """
    try:
        with open_regular(path, follow_link=True) as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if packed:
                with gzip.open(raw) as file:
                    yield cast(BinaryIO, file)
            else:
                yield raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: corrupt: {one_line(error)}", hint=REPLACE_IT) from error


def find_file(folder: Path, name: str) -> Path | None:
    """The file ``name.gz``, or else plain ``name``, in the folder."""
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.is_file():
            return candidate
    return None


def read_header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type that an IDX file announces, whose data come next in `file`.

    Raises:
        DataError: for another magic number than that of a type and a number of dimensions that are read.
    """
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise DataError(f"{path}: corrupt: wrong magic number {magic.hex()}: no IDX file of bytes", hint=REPLACE_IT)
    sides = file.read(4 * magic[3])
    if len(sides) < 4 * magic[3]:
        raise DataError(f"{path}: truncated in its dimensions", hint=REPLACE_IT)
    shape = tuple(int.from_bytes(sides[at : at + 4], "big") for at in range(0, len(sides), 4))
    return shape, TYPES[magic[2]]


def read_data(path: Path, file: BinaryIO, shape: tuple[int, ...], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """What comes after a header, to the end of the file.

    Raises:
        DataError: when it is shorter or longer than the header says.
    """
    expected = prod(shape) * kind.itemsize
    content = bytearray(file.read(expected + 1))  # never more, however much a crafted file unpacks to
    if len(content) != expected:
        what = "truncated" if len(content) < expected else "longer than its header says"
        raise DataError(f"{path}: {what}: {expected:,} bytes of data expected", hint=REPLACE_IT)
    return np.frombuffer(content, dtype=kind).reshape(shape)


def decode(path: Path, shape: tuple[int, ...]) -> torch.Tensor:
    """Read the uint8 tensor of an IDX file, which must have exactly this shape.

    Raises:
        DataError: naming the file, for a wrong magic number, other dimensions, or too few or too many bytes.
    """
    import torch

    return torch.from_numpy(decode_array(path, shape))


def decode_array(path: Path, shape: tuple[int, ...], kind: int = 0x08) -> npt.NDArray[Any]:
    """As `decode`, an array of one of `TYPES`."""
    magic = bytes([0, 0, kind, len(shape)])
    with unpacked(path) as file:
        content = file.read(4 + 4 * len(shape))
        if content[:4] != magic:
            raise DataError(
                f"{path}: corrupt: wrong magic number {content[:4].hex()}, not {magic.hex()}", hint=REPLACE_IT
            )
        found = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, 4 + 4 * len(shape), 4))
        if found != shape:
            raise DataError(f"{path}: corrupt: its dimensions are {found}, not {shape}", hint=REPLACE_IT)
        return read_data(path, file, shape, TYPES[kind])


def unpacked_md5(path: Path, limit: int) -> str:
    """The MD5 sum of what is in a file, unpacked where it is gzipped, of at most `limit` bytes.

    Raises:
        DataError: when it cannot be read.
    """
    digest, done = md5(usedforsecurity=False), 0
    with unpacked(path) as file:
        while done <= limit and (block := file.read(1 << 20)):
            digest.update(block)
            done += len(block)
    return digest.hexdigest()
