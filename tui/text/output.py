"""Words for people: data goes to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.cells import cell_len

from core.advice import Hint
from core.errors import StorageError, printable
from tui.text.advice import for_command_line
from tui.text.plain import in_cells, plain

OUT_OF_PROPORTION = 1e5
"""A loss from which on its digits say nothing, and fit into no column."""


def write(stream: TextIO, text: str) -> None:
    """Write at once. A terminal that is gone takes nothing more, and that is no reason to give up a run: the signal
    that comes with it decides."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        if error.errno == errno.EIO:
            return
        if error.errno == errno.EPIPE:
            raise
        raise unwritable(stream, error) from error


def unwritable(stream: TextIO, error: OSError) -> StorageError:
    """The error of a stream that takes nothing more. What is still in its buffer is discarded, so that the end of the
    process does not try to write it again."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
    return StorageError(f"output cannot be written: {error.strerror}", hint="free some space there")


def keep_stdout_for_data() -> None:
    """From here on only `say` writes to stdout; what else is written to file descriptor 1, by C code or a child process
    of a user's module, goes to stderr. Not undone, because C code may write what it has buffered at the very end."""
    try:
        if sys.stdout.fileno() != 1:
            return
        own = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
        sys.stdout.flush()
        os.dup2(2, 1)
    except (OSError, ValueError):  # a stream in memory, or one that is closed
        return
    sys.stdout = own


def say(text: str = "") -> None:
    """A line of data."""
    write(sys.stdout, f"{plain(text)}\n")


def say_json(value: Any) -> None:
    """Data for programs."""
    say(json.dumps(value, indent=1, allow_nan=False))


def note(text: str) -> None:
    """A line beside the data: a warning, progress, an error."""
    write(sys.stderr, f"{plain(text)}\n")


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


_notes = _Notes()


def note_logs(package: str = "core") -> None:
    """From here on say what a package logs: that something takes long, once on a machine, or has to wait."""
    log = logging.getLogger(package)
    log.setLevel(logging.INFO)
    log.addHandler(_notes)  # which is there once, however often it is added


def complain(message: str, hint: Hint = "") -> None:
    """An error in one line, and what to do about it in another."""
    note(f"error: {printable(message)}")
    if hint:
        note(f"hint: {printable(for_command_line(hint))}")


def percent(accuracy: float | None) -> str:
    """A fraction as people write accuracies: ``99.48%``; a dash for none."""
    return "-" if accuracy is None else f"{100 * accuracy:.2f}%"


def loss_in_digits(loss: float | None) -> str:
    """``0.0210``; of one that has grown out of all proportion its size, ``6.3e+31``; a dash for none."""
    if loss is None:
        return "-"
    return f"{loss:.4f}" if loss < OUT_OF_PROPORTION else f"{loss:.1e}"


def duration(seconds: float) -> str:
    """``8.1s``, ``3m 05s``, ``2h 07m``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02}m"


def counted(count: int, what: str, plural: str = "s") -> str:
    """``1 run``, ``1,000 runs``."""
    return f"{count:,} {what}{plural * (count != 1)}"


def say_note(text: str) -> None:
    """The note that somebody has written on a run, its lines below one another; nothing for none."""
    for number, line in enumerate(plain(text).splitlines()):
        say(f"  {'note' if number == 0 else '':8} {line}".rstrip())


def filled(words: Iterable[str], indent: int, width: int = 80) -> str:
    """The words on as few lines as they need, each whole, all lines but the first indented to where that one begins."""
    lines = [""]
    for word in words:
        if lines[-1] and indent + cell_len(lines[-1]) + 1 + cell_len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
    return f"\n{' ' * indent}".join(lines)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [all(_is_numeric(row[column]) for row in cells) and bool(cells) for column in range(len(headers))]
    widths = [max(cell_len(line[column]) for line in [list(headers), *cells]) for column in range(len(headers))]
    lines = []
    for line in [list(headers), *cells]:
        padded = (
            in_cells(cell, width, right=to_right) for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(plain(str(value)).split())


def _is_numeric(cell: str) -> bool:
    return cell == "-" or cell.rstrip("%").replace(",", "").replace(".", "", 1).isdigit()
