"""IDX files, the format of MNIST and its relatives, decoded. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from core.data.stored import REPLACE_IT, Stored, unpacked
from core.errors import DataError

BYTES, INTEGERS = 0x08, 0x0C
TYPES: Mapping[int, np.dtype[Any]] = {BYTES: np.dtype(np.uint8), INTEGERS: np.dtype(">i4")}
"""The kinds of numbers that are read, by the third byte of the magic number."""
_MAX_DIMENSIONS = 4


def read_header(stored: Stored, file: BinaryIO, hint: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type that an IDX file announces, whose data come next in `file`.

    Args:
        hint: what to do about a damaged one.

    Raises:
        DataError: for another magic number than that of a type and a number of dimensions that are read.
    """
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= _MAX_DIMENSIONS:
        what = f"wrong magic number {magic.hex()}: not an IDX file of whole numbers"
        raise DataError(f"{stored}: corrupt: {what}", hint=hint)
    sides = file.read(4 * magic[3])
    if len(sides) < 4 * magic[3]:
        raise DataError(f"{stored}: truncated in its dimensions", hint=hint)
    return _numbers(sides), TYPES[magic[2]]


def read_data(
    stored: Stored, file: BinaryIO, shape: tuple[int, ...], kind: np.dtype[Any], hint: str
) -> npt.NDArray[Any]:
    """What comes after a header, to the end of the file.

    Args:
        hint: what to do about a damaged one.

    Raises:
        DataError: when it is shorter or longer than the header says.
    """
    expected = prod(shape) * kind.itemsize
    content = bytearray(file.read(expected + 1))  # never more, however much a crafted file unpacks to
    if len(content) != expected:
        what = "truncated" if len(content) < expected else "longer than its header says"
        raise DataError(f"{stored}: {what}: {expected:,} bytes of data expected", hint=hint)
    return np.frombuffer(content, dtype=kind).reshape(shape)


def decode(stored: Stored, shape: tuple[int, ...], kind: int = BYTES) -> npt.NDArray[Any]:
    """Read an IDX file, which must have exactly this shape and one of the `TYPES`.

    Raises:
        DataError: naming the file, for a wrong magic number, other dimensions, or too few or too many bytes.
    """
    magic = bytes([0, 0, kind, len(shape)])
    with unpacked(stored) as file:
        content = file.read(4 + 4 * len(shape))
        if content[:4] != magic:
            what = f"wrong magic number {content[:4].hex()}, not {magic.hex()}"
            raise DataError(f"{stored}: corrupt: {what}", hint=REPLACE_IT)
        if (found := _numbers(content[4:])) != shape:
            raise DataError(f"{stored}: corrupt: its dimensions are {found}, not {shape}", hint=REPLACE_IT)
        return read_data(stored, file, shape, TYPES[kind], REPLACE_IT)


def _numbers(content: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(content[at : at + 4], "big") for at in range(0, len(content), 4))
