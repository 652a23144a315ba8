"""The note of a run in the user's own editor, in a real pseudo-terminal: what that leaves is kept, a failure is not."""

from __future__ import annotations

import os
import signal

import pytest
from app_pilot import make_run

from experiments.runs.folder import Meta

GOOD = """#!/bin/sh
echo "this is the editor"
printf 'by hand\\n' >> "$1"
sleep 0.3
"""
BAD = """#!/bin/sh
echo lost > "$1"
exit 3
"""


@pytest.fixture
def noted(terminal, tmp_path, script):
    """Open the note of the only run, with an editor that does this."""

    def begin(editor: str):
        home = tmp_path / "home"
        run = make_run(
            home, script, script.started(), script.epoch(1), script.finished(1), meta=Meta("alpha", note="first")
        )
        command = tmp_path / "my editor"
        command.write_text(editor)
        command.chmod(0o755)
        app = terminal((100, 30), VISUAL="", EDITOR=f"'{command}'")
        app.wait_for("Ready")
        app.press("3")
        app.wait_for("1 run, 0 live")
        app.press("N")
        app.wait_for("F6 opens it")
        return app, run

    return begin


def test_what_the_editor_leaves_is_in_the_dialog_and_is_saved_there(noted):
    app, run = noted(GOOD)
    app.press("f6")
    app.wait_for("this is the editor")
    app.wait_for(lambda text: "by hand" in text and "ctrl+s saves" in text)
    assert run.meta().note == "first", "nothing is kept before it is saved"
    os.kill(app.process.pid, signal.SIGCONT)  # must not start a second reader of the keyboard
    app.press("!", "ctrl+s")
    app.wait_for("the note is saved")
    assert run.meta().note == "first\nby hand!"
    app.press("q")
    assert app.exit_code() == 0


def test_an_editor_that_fails_changes_nothing(noted):
    app, run = noted(BAD)
    app.press("f6")
    app.wait_for("ended with 3")
    text = app.wait_for("ctrl+s saves")
    assert "first" in text
    assert "lost" not in text
    app.press("escape")
    app.wait_for(lambda text: "ctrl+s saves" not in text)
    assert run.meta().note == "first"
