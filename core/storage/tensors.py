"""Named tensors: their hash, and safetensors files of them, a format that cannot carry code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from os import SEEK_END
from pathlib import Path
from zlib import crc32

import torch
from torch import Tensor

from core.advice import Action, Advice, Hint, Tip
from core.errors import RunError, one_line
from core.storage.files import open_regular, replacing
from core.storage.header import check_header
from core.storage.trust import is_trusted, make_private_folder

VERIFY_IT = Advice(Tip(Action.VERIFY), " says what else is")


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """A hash of named tensors: name, type, shape and bytes of each, in the order of their names."""
    digest = sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], *, keep: Path | None = None
) -> None:
    """Write tensors as a whole file or not at all; the file that was at `path` goes to `keep`, where that is given.

    Raises:
        OSError: when it cannot be written; both files are then as they were.
    """
    from safetensors.torch import save

    # Not `save_file`, which hides the reason of a failed write in a message of its own.
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(metadata))
    with replacing(path, keep=keep) as part:
        part.write_bytes(content)


def read_tensors(
    path: Path, max_bytes: int, kind: str = "weights", hint: Hint = VERIFY_IT
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file, which may be damaged.

    Args:
        max_bytes: more than any file of this `kind` has; a larger one is not read.
        hint: what to do about a damaged one.

    Raises:
        FileNotFoundError: when there is none.
        RunError: when it is damaged or too large.
    """
    from safetensors import SafetensorError

    try:
        with open_regular(path) as opened:
            if opened.seek(0, SEEK_END) > max_bytes:
                raise RunError(f"{path}: larger than any {kind} ({max_bytes >> 20} MiB)", hint="it is not one of ours")
            opened.seek(0)
            check_header(opened)
        return _read(path)
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise RunError(f"{path}: damaged: it is a folder", hint=hint) from error
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise RunError(f"{path}: damaged: {one_line(error)}", hint=hint) from error


def read_cache(path: Path) -> dict[str, Tensor] | None:
    """The tensors that `write_cache` wrote; None when the file is missing or not as it was written, or when another
    user could have written it."""
    from safetensors import SafetensorError

    try:
        open_regular(path, follow_link=True).close()
        if not is_trusted(path, "the data set is decoded anew"):
            return None
        tensors, metadata = _read(path)
    except (OSError, ValueError, SafetensorError):
        return None
    return tensors if metadata.get("crc32") == _crc32(tensors) else None


def write_cache(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Keep decoded data sets for the next start; a cache that cannot be written only costs time."""
    from safetensors import SafetensorError
    from safetensors.torch import save

    with suppress(OSError, SafetensorError):
        make_private_folder(path.parent)
        content = save(dict(tensors), {"crc32": _crc32(tensors)})
        with replacing(path) as part:
            part.write_bytes(content)


def _crc32(tensors: Mapping[str, Tensor]) -> str:
    """A sum that finds damage, in a fraction of the time of a hash."""
    found = 0
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found = crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode(), found)
        found = crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, found)
    return f"{found:08x}"


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import safe_open
    from safetensors.torch import load

    try:
        str(path).encode()
    except UnicodeEncodeError:  # safetensors opens no file of such a name
        content = path.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return load(content), header.get("__metadata__", {})
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        return tensors, file.metadata() or {}
