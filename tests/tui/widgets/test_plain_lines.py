"""Whatever a run folder holds, no widget lets it steer the terminal."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from app_pilot import make_run, opened, screen_text, wait_for_text
from textual.pilot import Pilot

from experiments.runs.folder import Meta

EVIL = "\x1b]52;c;aGk=\x07\x1b[2J\x9b1m\u202eevil\u2066\u2028\r\x7f\n\ud800"
"""Fills the clipboard, clears the screen, turns what follows round, breaks the line; and a character that is none."""


def unwanted(pilot: Pilot[int]) -> set[str]:
    """The characters on the screen, its titles and toasts, that a terminal would not show but obey."""
    kinds = ("Cc", "Cf", "Zl", "Zp", "Cs")
    return {char for char in screen_text(pilot) if char != "\n" and unicodedata.category(char) in kinds}


def planted(home: Path, script, name: str) -> None:
    """A run whose every text is evil."""
    events = (script.started(note=EVIL, device=EVIL, spec=EVIL), script.epoch(1, 0.9), script.failed(1, EVIL, EVIL))
    run = make_run(home, script, *events, meta=Meta(name, (EVIL,), EVIL))
    log = run.log.read_text().replace('"arch": "conv9"', f'"arch": {json.dumps(EVIL)}')
    run.log.write_text(log)
    (run.folder / "config.json").write_text(json.dumps({"arch": EVIL, "dataset": EVIL}))


async def test_no_text_of_a_run_folder_steers_the_terminal(tmp_path, script):
    for name in ("one", "two"):
        planted(tmp_path, script, f"{name}{EVIL}{name}")
    seen = []
    async with opened(tmp_path) as pilot:

        async def look(text: str) -> None:
            await wait_for_text(pilot, text)
            assert not unwanted(pilot), (text, screen_text(pilot))
            seen.append(text)

        pilot.app.notify(f"toast {EVIL}", title=f"title {EVIL}", markup=False)
        await look("toast")
        await pilot.press("3")
        await look("one]52;c;aGk=[2J1m")
        await pilot.press("F", "end")  # out of its group
        for key, text in (("t", "tags, sep"), ("e", "Rename"), ("d", "Delete")):
            await pilot.press(key)
            await look(text)
            await pilot.press("escape")
        await pilot.press("enter")
        await look("2 Training")
        await pilot.press("3", "+", "up", "+", "=")
        await look("Compare")
        await pilot.press("escape", "f")
        await look("Cannot start")
