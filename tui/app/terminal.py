"""The terminal that the interface owns, kept apart from whatever else is written to stdout and stderr."""

from __future__ import annotations

import os
import selectors
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size

from tui.app.keyboard import KeyboardReader
from tui.command_line.hangup import open_log
from tui.drawing.ascii import to_ascii

if TYPE_CHECKING:
    from textual.app import App

RESIZE_INTERVAL = 0.1
"""Seconds to wait for further changes of the window's size."""


class TerminalFile:
    """A terminal to write to that may go away: what is written after that is dropped. `on_loss` is called then, once,
    on whatever thread wrote."""

    def __init__(self, handle: int, on_loss: Callable[[], None] = lambda: None) -> None:
        self._handle = handle
        self._file = os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="", closefd=False)
        self._on_loss = on_loss
        self.gone = False

    def write(self, text: str) -> int:
        if not self.gone:
            try:
                return self._file.write(text)
            except (OSError, ValueError):
                self._lose()
        return len(text)

    def flush(self) -> None:
        if not self.gone:
            try:
                self._file.flush()
            except (OSError, ValueError):
                self._lose()

    def _lose(self) -> None:
        self.gone = True
        self._on_loss()

    def fileno(self) -> int:
        return self._handle

    def isatty(self) -> bool:
        return True


class Terminal:
    """The real terminal while file descriptors 1 and 2 lead to a log. `ascii` keeps to characters that any font has."""

    def __init__(self, handle: int, *, ascii_only: bool = False) -> None:
        self.file = TerminalFile(handle, lambda: self.on_hangup())
        self.ascii_only = ascii_only
        self.on_hangup: Callable[[], None] = lambda: None

    def size(self) -> tuple[int, int]:
        try:
            columns, lines = os.get_terminal_size(self.file.fileno())
        except OSError:
            columns, lines = 80, 24
        return columns or 80, lines or 24

    def driver_class(self) -> type[LinuxDriver]:
        """A driver that paints on this terminal."""
        terminal = self

        class Driver(_TerminalDriver):
            TERMINAL = terminal

        return Driver


class _TerminalDriver(LinuxDriver):
    """Textual's driver, on a file of our own, for a terminal that may vanish, and safe against a second SIGCONT."""

    TERMINAL: Terminal

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._file = cast(Any, self.TERMINAL.file)
        self._suspended = False
        self._resizing = False
        self._told = (0, 0)

    def write(self, data: str) -> None:
        super().write(to_ascii(data) if self.TERMINAL.ascii_only else data)

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual leaves it untyped
        signal.signal(signal.SIGWINCH, self._size_changed)

    def _query_in_band_window_resize(self) -> None:
        """Not asked for: those reports come one by one, where the signal can be answered once for many."""

    def _size_changed(self, *_: object) -> None:
        """A window that is dragged changes size faster than a screen is laid out; tell of the last size only."""
        if not self._resizing:
            self._resizing = True
            self._loop.call_soon_threadsafe(self._loop.call_later, RESIZE_INTERVAL, self._tell_size)

    def _tell_size(self) -> None:
        self._told = self._get_terminal_size()
        size = Size(*self._told)
        self._app.post_message(Resize(size, size))
        # Through the app's queue and then the screen's, behind the event: called once that has been dealt with.
        self._app.call_later(lambda: self._app.screen.call_later(self._size_told))

    def _size_told(self) -> None:
        self._resizing = False
        if self._get_terminal_size() != self._told:
            self._size_changed()

    def suspend_application_mode(self) -> None:
        self._suspended = True
        super().suspend_application_mode()

    def resume_application_mode(self) -> None:
        """Also after another program has had the terminal, which no SIGCONT ends."""
        self._suspended = False
        super().resume_application_mode()

    def _get_terminal_size(self) -> tuple[int, int]:
        # Not shutil's way: it asks fd 1, which leads to the log, and believes COLUMNS, which misses resizes.
        return self.TERMINAL.size()

    def _sigcont_application(self, *_: object) -> None:
        if self._suspended:  # a bare SIGCONT must not start a second reader of the keyboard
            self._suspended = False
            super()._sigcont_application()

    def _run_input_thread(self) -> None:
        with suppress(OSError):  # EIO: closed; Textual would show a traceback on it
            self.run_input_thread()
        if not self.exit_event.is_set():
            self.TERMINAL.on_hangup()

    def run_input_thread(self) -> None:
        """Read the keyboard until told to stop or until it ends; Textual's own reads an ended one for ever."""
        keyboard = KeyboardReader(debug=self._debug)
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = os.read(self.fileno, 4096)
                    if not data:
                        return
                    for event in keyboard.feed(data):
                        self.process_message(event)
                for event in keyboard.tick():
                    self.process_message(event)


MODERN = ("TERM_PROGRAM", "COLORTERM", "VTE_VERSION", "WT_SESSION", "KITTY_WINDOW_ID", "ConEmuANSI")
"""Variables of terminals that speak UTF-8, whatever the locale."""


def ascii_hint(environ: Mapping[str, str]) -> str:
    """A hint for a terminal whose font may lack what is drawn: the console of Linux, or one that is not known to speak
    UTF-8 where the locale does not say so; empty for others."""
    ctype, lang = environ.get("LC_CTYPE", ""), environ.get("LANG", "")
    if ctype in ("C.UTF-8", "C.utf8", "UTF-8"):  # which Python itself sets where it finds the locale C
        ctype = ""
    locale = environ.get("LC_ALL") or ctype or lang or "C"
    if environ.get("TERM") == "linux":
        why = "the console has few characters"
    elif "utf8" not in locale.lower().replace("-", "") and not any(map(environ.get, MODERN)):
        why = f"the locale is {locale}"
    else:
        return ""
    return f"If characters are missing ({why}), start with --ascii, or set ascii = true. This is said once."


@contextmanager
def stray_output_to(log: Path) -> Iterator[int]:
    """Lead file descriptors 1 and 2 into a log within the block; yields a descriptor of the terminal itself."""
    sys.stdout.flush()
    sys.stderr.flush()
    terminal, stdout, stderr = os.dup(2 if os.isatty(2) else 1), os.dup(1), os.dup(2)
    sink = _open_log(log)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    try:
        yield terminal
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for handle in (stdout, stderr):
            os.close(handle)


def _open_log(log: Path) -> int:
    try:
        return open_log(log)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
