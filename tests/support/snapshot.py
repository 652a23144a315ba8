"""Screens as text files. MNIST_TUI_NEW_SNAPSHOTS=1 writes them anew, to be looked at before they are kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

from app_pilot import screen_text
from textual.pilot import Pilot

FOLDER = Path(__file__).parents[1] / "tui" / "snapshots"


def assert_snapshot(pilot: Pilot[int], name: str) -> None:
    """The screen is, character by character but for spaces at line ends and ids of runs, what it was when the snapshot
    was taken."""
    text = "".join(line.rstrip() + "\n" for line in screen_text(pilot).splitlines())
    text = re.sub(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "20260101-000000-abcd", text)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("MNIST_TUI_NEW_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.is_file(), f"there is no snapshot {path.name}; the screen:\n{text}"
    assert text == path.read_text(), f"the screen is not as in {path.name}:\n{text}"
