"""Whether a file is the one that was published."""

from __future__ import annotations

from hashlib import md5
from pathlib import Path

from core.errors import DataError

REPLACE_IT = "delete the file to have it downloaded again, or put a good copy in its place"


def md5_of(path: Path) -> str:
    """The MD5 sum of a file, as torchvision lists them."""
    digest = md5(usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}", hint="check the file and its permissions"
        ) from error
    return digest.hexdigest()


def check_md5(path: Path, found: str, expected: str) -> None:
    """Raise `DataError` when a file is not the one that was published."""
    if found != expected:
        raise DataError(f"{path}: corrupt: MD5 is {found}, not {expected}", hint=REPLACE_IT)
