"""What comes down the line from a terminal, as Textual's events."""

from __future__ import annotations

import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator

from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.events import Resize
from textual.message import Message

PASTE_PAUSE = 3.0
"""Seconds of silence in the middle of a paste after which it is over: its end was lost, and no key would be heard."""


class KeyboardReader:
    """Reads keys, pastes and the mouse out of bytes, whatever the bytes are.

    What is no UTF-8 is left out; a character may come in pieces, with any time between them. Textual's own parser ends
    for good at an empty text, which is what the first byte of a longer character decodes to, and at numbers that are
    none; here another one goes on behind them.

    Args:
        clock: seconds, for the pause in a paste.
    """

    def __init__(self, *, debug: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._debug = debug
        self._clock = clock
        self._decode = getincrementaldecoder("utf-8")(errors="ignore").decode
        self._parser = XTermParser(debug)
        self._recent = ""  # the last text, in which the beginning or end of a paste may be incomplete
        self._in_paste = False
        self._heard = clock()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The events that these bytes complete."""
        self._heard = self._clock()
        if text := self._decode(data):
            self._follow_paste(text)
            yield from self._events(lambda: self._parser.feed(text))

    def tick(self) -> Iterator[Message]:
        """The events that time completes: a lone escape, and a paste without an end. To be called all the time."""
        yield from self._events(self._parser.tick)
        if self._in_paste and self._clock() - self._heard > PASTE_PAUSE:
            yield from self.feed(BRACKETED_PASTE_END.encode())

    def _events(self, parse: Callable[[], Iterable[Message]]) -> Iterator[Message]:
        try:
            for event in parse():
                # A size in the line was not asked for, and any number may stand there; see `Terminal.size`.
                if not isinstance(event, Resize):
                    yield event
        except Exception:  # noqa: BLE001  # whatever it met, the next key must be heard
            self._parser = XTermParser(self._debug)
            self._recent, self._in_paste = "", False

    def _follow_paste(self, text: str) -> None:
        seen = self._recent + text
        start, end = seen.rfind(BRACKETED_PASTE_START), seen.rfind(BRACKETED_PASTE_END)
        if start != end:  # both are -1 where there is neither
            self._in_paste = start > end
        self._recent = seen[-len(BRACKETED_PASTE_START) + 1 :]
