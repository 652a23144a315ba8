"""What a lost terminal means to a command that trains: it holds up nothing, and ends training only where it shall.

A connection may break in two ways. The terminal is taken away: SIGHUP, EIO. Or it stays and takes nothing more, for as
long as the network says nothing: whoever writes to it then waits, and training with it. So here nobody waits for one.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TextIO, cast

import typer

from core.errors import ShouldStop
from core.storage.files import open_to_write
from core.storage.trust import make_private_folder
from experiments.locations import Locations
from experiments.settings import load_settings, read_value, variable_of
from tui.command_line.signals import StopFlag, stop_on_signals

SETTING = "on_hangup"
HANGUP_VARIABLE = variable_of(SETTING)
LOG = "detached.log"
"""What commands had to say after their terminals had gone, in the home."""
MAX_LOG = 1 << 20
"""Bytes after which a log of stray output starts over."""
MAX_WAITING = 1 << 18
"""Bytes that wait for a terminal; of more the oldest lines are left out."""
PATIENCE = 2.0
"""Seconds that a terminal gets for the last words of a command that was told to stop."""


OnHangup = Annotated[
    str | None,
    typer.Option(
        "--on-hangup",
        help="When the terminal is gone: train on without it (keep), or stop after a checkpoint (stop) "
        f"[env: {HANGUP_VARIABLE}; default: keep].",
        metavar="keep|stop",
        parser=partial(read_value, SETTING),
    ),
]


def keeps_on_hangup(asked: str | None = None) -> bool:
    """Whether training goes on when its terminal is gone: as asked, else as is set."""
    return bool(load_settings({SETTING: asked}).values.on_hangup == "keep")


@contextmanager
def training_on_a_terminal(
    locations: Locations, asked: str | None = None, left_behind: str = "nothing had begun, so nothing was saved"
) -> Iterator[StopFlag]:
    """`stop_on_signals` for a command that trains, with a terminal that neither holds it up nor, where it is to be
    kept, ends it: it then goes on by itself, and what it has to say goes to the home's detached.log.

    Args:
        asked: the command's own word on hang-ups; None for that of the settings.
        left_behind: as for `stop_on_signals`.
    """
    keeps = keeps_on_hangup(asked)
    with stop_on_signals(left_behind) as stop:
        after = Afterwards(locations.home / LOG)
        streams = [OutlivingStream(stream, after, stop, keeps=keeps) for stream in (sys.stdout, sys.stderr)]

        def hang_up(number: int, frame: Any) -> None:
            if not keeps or stop():
                stop.raise_flag(number, frame)
                return
            for stream in streams:
                stream.leave("SIGHUP")

        if signal.getsignal(signal.SIGHUP) == stop.raise_flag:  # else the process was told to ignore it
            signal.signal(signal.SIGHUP, hang_up)
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (cast(TextIO, stream) for stream in streams)
        try:
            yield stop
        finally:
            for stream in streams:
                stream.finish()
            sys.stdout, sys.stderr = before


class Afterwards:
    """The log that takes the place of a terminal which is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_begun = False

    def begin(self, reason: str) -> None:
        """Say once who goes on."""
        if not self._has_begun:
            self._has_begun = True
            who = f"process {os.getpid()}, {' '.join(['mnist-tui', *sys.argv[1:]])}"
            self.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {who}: {reason}; it goes on without a terminal\n")

    def write(self, text: str) -> None:
        """Add to it. Where that cannot be, nobody can be told."""
        with suppress(OSError):
            handle = open_log(self._path)
            try:
                os.write(handle, text.encode("utf-8", "backslashreplace"))
            finally:
                os.close(handle)


class OutlivingStream(io.TextIOBase):
    """A standard stream for a command that may outlive its terminal.

    A terminal is opened once more for this, so that only here writing does not wait: what it cannot take waits for the
    next write. A stream that is gone with its connection leads into a log.
    """

    def __init__(self, stream: TextIO, after: Afterwards, should_stop: ShouldStop, *, keeps: bool) -> None:
        self._stream, self._after, self._should_stop, self._keeps = stream, after, should_stop, keeps
        self._handle = _open_terminal(stream)
        self._waiting = b""
        self._gone = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return not self._gone and self._stream.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._gone:
            self._after.write(text)
        elif self._handle is None:
            self._guarded(lambda: self._stream.write(text))
        else:
            self._waiting = _newest(self._waiting + text.encode(self.encoding, self.errors or "strict"))
            self._push()
        return len(text)

    def flush(self) -> None:
        if self._handle is not None:
            self._push()
        elif not self._gone:
            self._guarded(self._stream.flush)

    def leave(self, reason: str) -> None:
        """The connection is gone: from now on a terminal, and a pipe that nobody reads any more, is replaced by the
        log. A file goes on as the file that it is."""
        if not self._gone and (self._handle is not None or _nobody_reads(self._stream)):
            self._gone, self._waiting = True, b""
            self._after.begin(reason)

    def finish(self) -> None:
        """Let a terminal take what still waits for it: as long as it takes, for nothing is held up any more; but not
        when the command was told to stop."""
        told_at = 0.0
        while self._waiting and not self._gone:
            if self._should_stop():
                told_at = told_at or time.monotonic()
                if time.monotonic() - told_at > PATIENCE:
                    break
            poll = select.poll()
            assert self._handle is not None, "only for a terminal anything waits"
            poll.register(self._handle, select.POLLOUT)
            poll.poll(100)
            self._push()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _push(self) -> None:
        """Give the terminal as much as it takes."""
        assert self._handle is not None
        try:
            while self._waiting:
                self._waiting = self._waiting[os.write(self._handle, self._waiting) :]
        except BlockingIOError:
            return
        except OSError:
            self._waiting = b""
            self._lose()

    def _guarded(self, do: Callable[[], object]) -> None:
        """Write to what is no terminal. Its end is that of the connection where that has no terminal at all, as has
        `ssh HOST COMMAND`; else its reader has had enough."""
        try:
            do()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO) or not _is_bare_connection():
                raise
            self._lose()

    def _lose(self) -> None:
        """The stream has failed: the signal that comes with that decides, unless training is to go on anyway."""
        if self._keeps and not self._should_stop():
            self.leave("the terminal is gone")


def open_log(log: Path) -> int:
    """A handle of a log of stray output, to append to; one that has become long starts over.

    Raises:
        OSError: when it cannot be written.
    """
    make_private_folder(log.parent)
    handle = open_to_write(log, os.O_CREAT | os.O_APPEND)
    if os.fstat(handle).st_size > MAX_LOG:
        os.ftruncate(handle, 0)
    return handle


def _open_terminal(stream: TextIO) -> int | None:
    """A handle of a stream's terminal that does not wait; None where it is none, or cannot be opened once more."""
    try:
        if not stream.isatty():
            return None
        return os.open(os.ttyname(stream.fileno()), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None


def _nobody_reads(stream: TextIO) -> bool:
    """Whether a stream is a pipe or a socket whose other end is closed."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def _is_bare_connection() -> bool:
    """Whether this process was started over SSH without a terminal; no signal tells it that the connection is gone."""
    return "SSH_CONNECTION" in os.environ and "SSH_TTY" not in os.environ


def _newest(waiting: bytes) -> bytes:
    if len(waiting) <= MAX_WAITING:
        return waiting
    return waiting[waiting.find(b"\n", len(waiting) - MAX_WAITING) + 1 :]
