"""Whose fault an exception is: the line of a user's file that raised it."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import InvalidValue, one_line


def blame(error: BaseException, files: Iterable[Path]) -> str:
    """An exception in one line: ``net.py:17: x = self.fc(x): RuntimeError: mat1 and mat2 shapes cannot ...``.

    The line is the innermost one of the user's `files`; without one of theirs only the error is told.
    """
    own = {str(path) for path in files}
    text = f"{type(error).__name__}: {one_line(error, 110) or 'no message'}"
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        filename = frame.f_code.co_filename
        if str(Path(filename).resolve()) in own or filename in own:
            statement = one_line(linecache.getline(filename, number), 60)
            return one_line(f"{Path(filename).name}:{number}: {statement}: {text}", 220)
    return text


@contextmanager
def blaming(arch: str, files: Iterable[Path], doing: str) -> Iterator[None]:
    """Turn whatever the user's code raises, leaving by SystemExit too, into one line that names it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        reason = f"{doing}: {blame(error, files)}"
        raise InvalidValue("arch", arch, reason, hint="run the file with python to see where") from error
