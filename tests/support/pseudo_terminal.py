"""A program in a pseudo-terminal, and what its screen shows: for end-to-end tests and for the benchmark."""

from __future__ import annotations

import os
import re
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pexpect
import psutil

_SEQUENCE = re.compile(
    r"\x1b(?:\[(?P<args>[0-9;:?<>=]*)(?P<final>[ -/]*[@-~])"
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|[ -/]*[0-OQ-WYZ\\`-~])",
    re.DOTALL,
)
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "end": "\x1b[F",
    "f6": "\x1b[17~",
    "backspace": "\x7f",
    **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}


class Screen:
    """As much of a terminal as it takes to know which text stands where."""

    def __init__(self, columns: int, lines: int) -> None:
        self.resize(columns, lines)
        self._rest = ""
        self._line = self._column = 0

    def resize(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.cells = [[" "] * columns for _ in range(lines)]
        self._line = self._column = 0

    @property
    def text(self) -> str:
        return "\n".join("".join(line) for line in self.cells)

    def feed(self, data: str) -> None:
        data, position = self._rest + data, 0
        while position < len(data):
            if data[position] == "\x1b":
                match = _SEQUENCE.match(data, position)
                if match is None and len(data) - position < 4096:
                    break  # the rest of it has not come yet
                if match is not None:
                    if match["final"]:
                        self._control(match["args"], match["final"])
                    position = match.end()
                    continue
            self._put(data[position])
            position += 1
        self._rest = data[position:]

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._line = min(self._line + 1, self.lines - 1)
        elif character == "\b":
            self._column = max(self._column - 1, 0)
        elif character >= " ":
            if self._column < self.columns and self._line < self.lines:
                self.cells[self._line][self._column] = character
            self._column += 1

    def _control(self, arguments: str, final: str) -> None:
        numbers = [int(part) if part.isdigit() else 0 for part in arguments.split(";")]
        first = max(numbers[0], 1)
        match final:
            case "H" | "f":
                self._line = min(first, self.lines) - 1
                self._column = max(numbers[1], 1) - 1 if len(numbers) > 1 else 0
            case "A":
                self._line = max(self._line - first, 0)
            case "B":
                self._line = min(self._line + first, self.lines - 1)
            case "C":
                self._column += first
            case "D":
                self._column = max(self._column - first, 0)
            case "G":
                self._column = first - 1
            case "J":
                self.cells = [[" "] * self.columns for _ in range(self.lines)]
            case "K":
                self.cells[self._line][self._column :] = [" "] * (self.columns - self._column)
            case "h" | "l" if arguments == "?1049":
                self.cells = [[" "] * self.columns for _ in range(self.lines)]
            case _:
                pass


class TerminalApp:
    """The interface in a pseudo-terminal of its own. `written` counts the bytes it has sent, which are in `raw`."""

    def __init__(
        self,
        home: Path,
        size: tuple[int, int],
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
    ) -> None:
        """`command` starts it in another way than from here."""
        command = command or [sys.executable, "-m", "tui", *arguments]
        variables = {**os.environ, "MNIST_TUI_HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.screen = Screen(*size)
        self.written = 0
        self.raw = bytearray()
        self.started_at = time.perf_counter()
        self.process = pexpect.spawn(
            command[0],
            list(command[1:]),
            env={**variables, **(environment or {})},
            dimensions=(size[1], size[0]),
            timeout=None,
        )
        self.process.delaybeforesend = None

    def read(self, seconds: float = 0.0) -> bool:
        """Take in what has come, waiting at most so long for it; whether anything has."""
        try:
            data = self.process.read_nonblocking(1 << 16, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        self.written += len(data)
        self.raw += data
        self.screen.feed(data.decode("utf-8", errors="replace"))
        return True

    def read_for(self, seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self.read(min(left, 0.05))

    def wait_for(self, wanted: str | Callable[[str], object], seconds: float = 120) -> str:
        """Read until the screen has a text, or is as wanted; returns the screen.

        Raises:
            AssertionError: with the screen, when it does not come to that.
        """
        met = wanted if callable(wanted) else lambda text: wanted in text
        deadline = time.perf_counter() + seconds
        while not met(self.screen.text):
            if time.perf_counter() > deadline or (not self.read(0.02) and not self.process.isalive()):
                raise AssertionError(f"the screen never had {wanted!r}:\n{self.screen.text}")
        return self.screen.text

    def press(self, *keys: str) -> None:
        """Press keys by name, or type a text."""
        for key in keys:
            self.process.send(KEYS.get(key, key))
            self.read_for(0.2 if key == "escape" else 0.05)  # an escape could be the start of a sequence

    def stall(self) -> None:
        """From now on the terminal takes in nothing: whoever writes to it is held."""
        self._flow(termios.TCOOFF)

    def go_on(self) -> None:
        """End a stall."""
        self._flow(termios.TCOON)

    def _flow(self, action: int) -> None:
        terminal = os.open(psutil.Process(self.process.pid).terminal() or "", os.O_RDWR | os.O_NOCTTY)
        try:
            termios.tcflow(terminal, action)
        finally:
            os.close(terminal)

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(columns, lines)
        self.process.setwinsize(lines, columns)

    def exit_code(self, seconds: float = 60) -> int:
        """Wait for the end."""
        deadline = time.perf_counter() + seconds
        while self.process.isalive() and time.perf_counter() < deadline:
            self.read(0.05)
        assert not self.process.isalive(), f"the process is still there:\n{self.screen.text}"
        return self.process.exitstatus if self.process.exitstatus is not None else 128 + self.process.signalstatus

    def close(self) -> None:
        with suppress(pexpect.ExceptionPexpect):  # it gives a killed process a tenth of a second to vanish
            self.process.close(force=True)
