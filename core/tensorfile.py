"""Tensors in safetensors files, a format that cannot carry code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from core.files import replacing


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], *, keep: Path | None = None
) -> None:
    """Write tensors as a whole file or not at all; what was at `path` before goes to `keep`, where that is given.

    Raises:
        OSError: when it cannot be written; both files are then as they were.
    """
    from safetensors.torch import save

    # Not `save_file`, which hides the reason of a failed write in a message of its own.
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(metadata))
    with replacing(path, keep=keep) as part:
        part.write_bytes(content)
