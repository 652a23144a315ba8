"""What the terminal is told beside the picture, as bytes of a real pseudo-terminal."""

from __future__ import annotations

import re

import pytest

FORM = {"arch": "c4 p2 c8 gap fc10", "epochs": "3", "target": "5", "name": "try"}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"WT_SESSION": "1"}, ["bell", "desktop", "title", "taskbar"]),
        ({"NO_COLOR": "1"}, []),
        ({"MNIST_TUI_NOTIFY": "none", "WT_SESSION": "1"}, []),
    ],
    ids=["all", "plain", "none"],
)
def test_a_run_is_told_by_title_taskbar_bell_and_message(terminal, endless_form, environment, told):
    endless_form(**FORM)
    app = terminal((80, 24), **{"TMUX": "", **environment})
    app.wait_for("Ready:")
    app.press("ctrl+r")
    app.wait_for("✓ finished")
    app.read_for(1.5)
    app.press("q")
    assert app.exit_code() == 0
    raw = app.raw.decode(errors="replace")
    found = {
        "bell": bool(re.search(r"(?<!\x1b\\)\x07", re.sub(r"\x1b\][^\x07\x1b]*\x07", "", raw))),
        "desktop": "\x1b]9;mnist-tui: Target reached: try" in raw and "\x1b]9;mnist-tui: Finished: try" in raw,
        "title": "\x1b]2;" in raw and "\x1b[22;2t" in raw and "\x1b[23;2t" in raw,
        "taskbar": "\x1b]9;4;1;" in raw and raw.rstrip().rfind("\x1b]9;4;0;0") > raw.rfind("\x1b]9;4;1;"),
    }
    assert [sign for sign, there in found.items() if there] == told, found
