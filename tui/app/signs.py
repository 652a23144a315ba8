"""What the terminal itself tells of training: its title, its taskbar, its bell, messages on the desktop.

They are control sequences beside the picture. A terminal that does not know one passes over it, but for a few that
would print it or take progress for a message: those get none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from tui.text.plain import plain_line

BELL = "\a"
END = "\x1b\\"
SAVE_TITLE, RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"
SILENT_TERMS = ("dumb", "linux", "unknown")
"""Values of TERM of terminals that print what they do not know."""
LONGEST = 120

Standing = Literal["none", "running", "failed"]
_PROGRESS: Mapping[Standing, int] = {"none": 0, "running": 1, "failed": 2}


@dataclass(frozen=True, slots=True)
class TerminalKind:
    """What is known of a terminal by the variables that it sets. Over SSH only TERM comes along."""

    silent: bool
    in_tmux: bool
    has_taskbar: bool
    messages: Literal["osc 9", "osc 777"]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> TerminalKind:
        term = environ.get("TERM", "")
        program = environ.get("TERM_PROGRAM", "").lower()
        vte = environ.get("VTE_VERSION", "")
        has_taskbar = (
            "WT_SESSION" in environ
            or environ.get("ConEmuANSI") == "ON"
            or program in ("ghostty", "wezterm")
            or "ghostty" in term
            or (vte.isdigit() and int(vte) >= 7900)
            or (program == "iterm.app" and "P" in environ.get("TERM_FEATURES", ""))
        )
        older = term.startswith("rxvt") or bool(vte)
        return cls(
            silent=not term or term in SILENT_TERMS,
            in_tmux=bool(environ.get("TMUX")),
            has_taskbar=has_taskbar,
            messages="osc 777" if older else "osc 9",
        )


def wanted_signs(asked: Collection[str], environ: Mapping[str, str], *, in_so_many_words: bool) -> frozenset[str]:
    """The signs that a terminal is given of those asked for. Who wants a plain terminal, by NO_COLOR, gets none that he
    has not set himself."""
    kind = TerminalKind.of(environ)
    if not in_so_many_words and "NO_COLOR" in environ:
        return frozenset()
    if kind.silent:
        return frozenset(asked) & {"bell"}
    return frozenset(asked) - (frozenset() if kind.has_taskbar else {"taskbar"})


class Signs:
    """Gives signs by `write`, each only when it differs from the last one."""

    def __init__(self, wanted: Collection[str], environ: Mapping[str, str], write: Callable[[str], object]) -> None:
        self._wanted = frozenset(wanted)
        self._kind = TerminalKind.of(environ)
        self._write = write
        self._title = ""
        self._progress: tuple[Standing, int] = ("none", 0)

    def show(self, title: str, standing: Standing = "none", share: float | None = None) -> None:
        """Show a title, and how much is done; a share that is not known is 0."""
        if "title" in self._wanted and title != self._title:
            first = not self._title
            self._title = title
            self._write((SAVE_TITLE if first else "") + f"\x1b]2;{_shown(title)}{END}")
        progress = (standing, 0 if standing == "none" else round(100 * (share or 0.0)))
        if "taskbar" in self._wanted and progress != self._progress:
            self._progress = progress
            self._write(self._passed_on(f"\x1b]9;4;{_PROGRESS[standing]};{progress[1]}{END}"))

    def tell(self, title: str, text: str) -> None:
        """Ring, and put up a message."""
        if "bell" in self._wanted:
            self._write(BELL)
        if "desktop" in self._wanted:
            words = _shown(f"{title}: {text}" if text else title)
            if self._kind.messages == "osc 777":
                sequence = f"\x1b]777;notify;mnist-tui;{words.replace(';', ',')}{END}"
            else:
                sequence = f"\x1b]9;mnist-tui: {words}{END}"
            self._write(self._passed_on(sequence))

    def taken_back(self) -> str:
        """What takes back the title and the progress, for whoever writes to the terminal last."""
        progress, self._progress = self._progress, ("none", 0)
        title, self._title = self._title, ""
        cleared = self._passed_on(f"\x1b]9;4;0;0{END}") if progress[0] != "none" else ""
        return cleared + (RESTORE_TITLE if title else "")

    def _passed_on(self, sequence: str) -> str:
        """For tmux, which keeps to itself what it does not know, unless it is asked to pass it on (where
        `allow-passthrough` is on; else it drops it)."""
        if not self._kind.in_tmux:
            return sequence
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + END


def _shown(text: str) -> str:
    words = plain_line(text)
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
