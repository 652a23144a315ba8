"""What the first screen needs, and what comes behind it."""

from __future__ import annotations

import subprocess
import sys

from app_pilot import opened
from textual.css.stylesheet import Stylesheet

_IMPORT_AND_LIST = """
import sys
import tui.app.app
from tui.app.modes import import_other_screens
screens = ("tui.screens.training", "tui.screens.runs.screen", "tui.screens.sweeps")
print(*(name for name in ("torch", "multiprocessing", *screens) if name in sys.modules))
busy = [True, True]
import_other_screens(lambda: busy and busy.pop())
assert not busy
print(*(name for name in screens if name in sys.modules))
"""


def test_the_first_screen_waits_for_nothing_that_others_need():
    done = subprocess.run([sys.executable, "-c", _IMPORT_AND_LIST], capture_output=True, text=True, check=True)
    at_first, later = done.stdout.split("\n")[:2]
    assert at_first == ""
    assert later.split() == ["tui.screens.training", "tui.screens.runs.screen", "tui.screens.sweeps"]


async def test_a_key_to_another_screen_waits_for_no_clock(tmp_path, monkeypatch):
    async with opened(tmp_path) as pilot:
        waits, set_timer = [], pilot.app.set_timer

        def note(delay, callback=None, **how):
            waits.append(delay)
            return set_timer(delay, callback, **how)

        monkeypatch.setattr(pilot.app, "set_timer", note)
        for key in "2341":
            await pilot.press(key)
        assert waits == []


async def test_a_screen_that_is_shown_for_the_first_time_has_the_theme_and_reads_no_rules_anew(tmp_path, monkeypatch):
    async with opened(tmp_path) as pilot:
        app = pilot.app
        dark = app.screen.background_colors[1]
        app.theme = "textual-light"
        await pilot.pause()
        read, reparse = [], Stylesheet.reparse
        monkeypatch.setattr(Stylesheet, "reparse", lambda sheet: (read.append(sheet), reparse(sheet)))
        light = app.screen.background_colors[1]
        for key in "234":
            await pilot.press(key)
            assert app.screen.background_colors[1] == light != dark
        assert read == []
