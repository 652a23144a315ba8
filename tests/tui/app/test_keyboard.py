"""Nothing that can come down a line makes the interface deaf."""

from __future__ import annotations

import random

import pytest
from textual.events import Key, Paste, Resize

from tui.app.keyboard import PASTE_PAUSE, KeyboardReader


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyboard(clock) -> KeyboardReader:
    return KeyboardReader(clock=clock)


def characters(events) -> str:
    return "".join(event.character or "" for event in events if isinstance(event, Key))


def test_a_character_may_come_in_pieces_with_any_time_between_them(keyboard, clock):
    assert characters(keyboard.feed(b"\xc3")) == ""
    clock.now += 100
    assert list(keyboard.tick()) == []
    assert characters(keyboard.feed(b"\xa9")) == "é"


@pytest.mark.parametrize("noise", [b"\xe9", b"\xff", b"\xc3", b"\xf0\x9f", b"\x80", b""], ids=repr)
def test_bytes_that_are_no_utf8_are_left_out_and_the_next_key_is_heard(keyboard, noise):
    assert characters(keyboard.feed(noise)) == ""
    keys = [event.key for event in keyboard.feed(b"q\x11") if isinstance(event, Key)]
    assert keys == ["q", "ctrl+q"]


@pytest.mark.parametrize(
    "report",
    [b"\x1b[99999999999u", b"\x1b[1114112u", b"\x1b[;;u", b"\x1b[<0;0;0M", b"\x1b[<999999999;9;9m", b"\x1b[0;0R"],
    ids=repr,
)
def test_reports_with_impossible_numbers_do_no_harm(keyboard, report):
    list(keyboard.feed(report))
    list(keyboard.feed(b" " * 40))  # more than any sequence
    assert characters(keyboard.feed(b"q")).endswith("q")


def test_a_size_in_the_line_is_not_believed(keyboard):
    assert not [event for event in keyboard.feed(b"\x1b[48;24;99999999;1;1t") if isinstance(event, Resize)]


def test_a_paste_is_one_event_and_one_whose_end_is_lost_is_over_after_a_while(keyboard, clock):
    pasted = [*keyboard.feed(b"\x1b[20"), *keyboard.feed(b"0~c8\nc16"), *keyboard.feed(b"\x1b[201~")]
    assert [event.text for event in pasted if isinstance(event, Paste)] == ["c8\nc16"]
    assert list(keyboard.feed(b"\x1b[200~c8 ")) == []
    clock.now += PASTE_PAUSE - 0.1
    assert list(keyboard.tick()) == []
    assert list(keyboard.feed(b"p2")) == []
    clock.now += PASTE_PAUSE + 0.1
    assert [event.text for event in keyboard.tick() if isinstance(event, Paste)] == ["c8 p2"]
    assert characters(keyboard.feed(b"q")) == "q"


@pytest.mark.parametrize("seed", range(4))
def test_after_any_bytes_keys_are_heard(keyboard, clock, seed):
    draw = random.Random(seed)
    ends = [b"\x1b[", b"\x1b[200~", b"\x1b[<", b"\x1b[48;", "é€😀".encode(), b"\x1bO", b";1u", b"M"]
    for _ in range(25_000 // 16):
        noise = draw.randbytes(draw.randint(1, 24)) + draw.choice(ends) * draw.randint(0, 2)
        cut = draw.randint(0, len(noise))
        for piece in (noise[:cut], noise[cut:]):
            list(keyboard.feed(piece))
            list(keyboard.tick())
    clock.now += PASTE_PAUSE + 1
    list(keyboard.tick())
    list(keyboard.feed(b" " * 40))  # as above
    assert characters(keyboard.feed(b"q")) == "q"
