"""Decoded data sets, kept so that later starts need neither unpacking nor torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from core.storage.files import replacing
from core.training.average import weights_sha256


def read_cache(path: Path) -> dict[str, Tensor] | None:
    """The tensors that `write_cache` was given, or None when there is no such file or it is not as it was written."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except (OSError, SafetensorError):
        return None
    return tensors if metadata.get("sha256") == weights_sha256(tensors) else None


def write_cache(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Keep tensors for the next start; a cache that cannot be written only costs time."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with suppress(OSError, SafetensorError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            save_file(dict(tensors), part, {"sha256": weights_sha256(tensors)})
