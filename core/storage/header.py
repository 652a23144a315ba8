"""The header of a safetensors file, checked before anything is made of it."""

from __future__ import annotations

import json
from typing import BinaryIO

MAX_HEADER = 4 << 20
"""Bytes of the JSON that begins a file: names, types and shapes of the tensors, and the metadata."""
MAX_TENSORS = 20_000
MAX_DIMENSIONS = 16


def check_header(file: BinaryIO) -> None:
    """Check the header of a safetensors file, which would make a small file fill the memory with tensors of no size or
    of thousands of dimensions.

    Raises:
        ValueError: when it is none of ours.
        RecursionError: when it is nested too deeply.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise ValueError(f"its header has {length:,} bytes, more than {MAX_HEADER:,}")
    header = json.loads(file.read(length))
    if not isinstance(header, dict) or not all(isinstance(entry, dict) for entry in header.values()):
        raise ValueError("its header does not describe tensors")
    if len(header) > MAX_TENSORS + 1:
        raise ValueError(f"it has {len(header):,} tensors, more than {MAX_TENSORS:,}")
    for name, entry in header.items():
        shape = entry.get("shape", [])
        if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
            raise ValueError(f"{name} has more than {MAX_DIMENSIONS} dimensions")
