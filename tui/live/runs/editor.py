"""A text in the user's own editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from core.errors import StorageError, reason_of

USUAL = ("nano", "vim", "vi")
"""Editors that are looked for where neither VISUAL nor EDITOR names one."""
MAX_BYTES = 1 << 20


def editor_command() -> list[str]:
    """The editor and its options.

    Raises:
        StorageError: when there is none, or what is named cannot be read.
    """
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, USUAL), "")
    try:
        command = shlex.split(named)
    except ValueError:
        command = []
    if not command:
        raise StorageError(f"no editor: {named or 'EDITOR is not set'}", hint="set EDITOR to the name of one")
    return command


def edited(text: str, suspended: Callable[[], AbstractContextManager[None]]) -> str:
    """The text as the editor left it. `suspended` gives the terminal away for as long as its block lasts.

    Raises:
        StorageError: when the editor cannot be started, ends with an error, or leaves no text; the text is then what it
            was, for the caller to keep.
    """
    command = editor_command()
    name = Path(command[0]).name
    try:
        with tempfile.TemporaryDirectory(prefix="mnist-tui-") as folder:  # for this user alone
            path = Path(folder) / "note.md"
            path.write_text(f"{text}\n" if text else "", encoding="utf-8")
            # Not this process's streams, which lead to a log while the interface has the terminal.
            with suspended(), Path("/dev/tty").open("r+b", buffering=0) as terminal:
                done = subprocess.run(
                    [*command, str(path)], stdin=terminal, stdout=terminal, stderr=terminal, check=False
                )
            if done.returncode:
                raise StorageError(f"{name} ended with {done.returncode}", hint="the note is as it was")
            with path.open("rb") as file:
                return file.read(MAX_BYTES).decode("utf-8").rstrip("\n")
    except UnicodeDecodeError as error:
        raise StorageError(f"{name} left something that is not UTF-8 text", hint="the note is as it was") from error
    except OSError as error:
        raise StorageError(f"{name}: {reason_of(error)}", hint="set EDITOR to the name of one") from error
