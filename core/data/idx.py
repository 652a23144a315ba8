"""IDX files, the format of MNIST and its relatives: found and decoded, gzipped or plain."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import torch

from core.data.sources import REPLACE_IT
from core.errors import DataError

_UINT8 = 0x08


def find_file(folder: Path, name: str) -> Path | None:
    """The file ``name.gz``, or else plain ``name``, in the folder."""
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.is_file():
            return candidate
    return None


def decode(path: Path, shape: tuple[int, ...]) -> torch.Tensor:
    """Read the uint8 tensor of an IDX file, which must have exactly this shape.

    Raises:
        DataError: naming the file, for a wrong magic number, other dimensions, or too few or too many bytes.
    """
    header_size = 4 + 4 * len(shape)
    expected_size = header_size + prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = bytearray(file.read(expected_size + 1))  # never more, however much a crafted file unpacks to
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: corrupt: {error}", hint=REPLACE_IT) from error
    magic = bytes([0, 0, _UINT8, len(shape)])
    if content[:4] != magic:
        raise DataError(f"{path}: wrong magic number {content[:4].hex()}, not {magic.hex()}", hint=REPLACE_IT)
    found = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header_size, 4))
    if found != shape:
        raise DataError(f"{path}: corrupt: its dimensions are {found}, not {shape}", hint=REPLACE_IT)
    if len(content) != expected_size:
        what = "truncated" if len(content) < expected_size else "longer than its header says"
        raise DataError(f"{path}: {what}: {prod(shape):,} bytes of data expected", hint=REPLACE_IT)
    return torch.frombuffer(content, dtype=torch.uint8, offset=header_size).reshape(shape)
