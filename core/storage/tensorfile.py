"""Tensors in safetensors files, a format that cannot carry code."""

from __future__ import annotations

from collections.abc import Mapping
from os import SEEK_END
from pathlib import Path

from torch import Tensor

from core.errors import RunError, one_line
from core.storage.files import open_regular, replacing


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


def read_tensors(path: Path, max_bytes: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file that anything may have happened to.

    Raises:
        FileNotFoundError: when there is none.
        RunError: when it is damaged, or larger than `max_bytes`, in which case it is not read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with open_regular(path) as opened:
            size = opened.seek(0, SEEK_END)
        if size > max_bytes:
            raise RunError(f"{path}: larger than any weights ({max_bytes >> 20} MiB)", hint="it is not one of ours")
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
            return tensors, file.metadata() or {}
    except FileNotFoundError:
        raise
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path}: damaged: {one_line(error)}", hint="mnist-tui verify says what else is") from error
