"""What a user without special rights may do, tried as root too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def no_special_rights() -> Iterator[None]:
    """Only what everyone may do, to root too."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def may_not_enter(folder: Path) -> Iterator[None]:
    """In the block nobody may enter a folder, nor see what is in it."""
    folder.chmod(0)
    try:
        with no_special_rights():
            yield
    finally:
        folder.chmod(0o755)
