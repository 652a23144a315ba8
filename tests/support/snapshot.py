"""Screens as text files. MNIST_TUI_NEW_SNAPSHOTS=1 writes them anew, to be looked at before they are kept."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from app_pilot import screen_text, wait_for
from textual.pilot import Pilot

FOLDER = Path(__file__).parents[1] / "tui" / "snapshots"


async def assert_snapshot(pilot: Pilot[object], name: str) -> None:
    """The screen comes to be, character by character but for spaces at line ends and ids of runs, what it was when the
    snapshot was taken."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("MNIST_TUI_NEW_SNAPSHOTS"):
        await pilot.pause(1.0)
        path.parent.mkdir(exist_ok=True)
        path.write_text(_picture(pilot))
    assert path.is_file(), f"there is no snapshot {path.name}; the screen:\n{_picture(pilot)}"
    expected = path.read_text()
    with suppress(AssertionError):
        await wait_for(pilot, lambda: _picture(pilot) == expected)
    assert _picture(pilot) == expected, f"the screen is not as in {path.name}:\n{_picture(pilot)}"


def _picture(pilot: Pilot[object]) -> str:
    text = "".join(line.rstrip() + "\n" for line in screen_text(pilot).splitlines())
    return re.sub(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "20260101-000000-abcd", text)
