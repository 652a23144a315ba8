"""Opens the interface on a terminal, and leaves the terminal as it was."""

from __future__ import annotations

import math
import os
import sys
from functools import partial

from core.device.allocator import keep_freed_memory
from experiments.locations import Locations
from experiments.settings import Loaded
from tui.app.app import LabApp
from tui.app.leaving import SAVING
from tui.app.signs import Signs, wanted_signs
from tui.app.terminal import Terminal, ascii_hint, stray_output_to
from tui.command_line.exit_codes import ExitCode
from tui.text.output import note
from tui.widgets.textual_private import write_to_terminal

SWITCH_INTERVAL = 0.001
"""Seconds that one thread may keep Python from the others: a fifth of the usual, because the keyboard waits here for
threads that read files or import torch."""


def open_interface(locations: Locations, loaded: Loaded) -> int:
    """Run the app to its end, with these settings; returns the exit code. Where runs are kept, and the terminal is
    taken away, that is when what it trains has ended.

    stdin and stdout must be a terminal: Textual writes escapes for ever to what is none.
    """
    keep_freed_memory()  # before there is a second thread: one that has a heap of its own by then keeps it
    sys.setswitchinterval(SWITCH_INTERVAL)
    log = locations.home / "interface.log"
    with stray_output_to(log) as handle:
        settings = loaded.values
        terminal = Terminal(handle, ascii_only=settings.ascii)
        # With NO_COLOR the terminal's own two colours are all there is; Textual's greys would be colours too.
        no_color = True if "NO_COLOR" in os.environ else None
        app = LabApp(locations, settings, driver_class=terminal.driver_class(), ansi_color=no_color)
        app.leaving.keeps = settings.on_hangup == "keep"
        app.first_words = loaded.problems
        if loaded.sources["ascii"] == "default" and not app.state.ascii_hinted and (hint := ascii_hint(os.environ)):
            app.first_words = (*loaded.problems, hint)
            app.remember(ascii_hinted=True)
        asked = wanted_signs(settings.notify, os.environ, in_so_many_words=loaded.sources["notify"] != "default")
        app.telling.signs = Signs(asked, os.environ, partial(write_to_terminal, app))
        terminal.on_hangup = app.leaving.hang_up
        with app.leaving.on_signals():
            code = app.run(mouse=settings.mouse)
            terminal.file.write(app.telling.signs.taken_back())
            terminal.file.flush()
            crashed = app.return_code == 1 and code is None
            app.save_state()
            if app.leaving.has_hung_up:
                app.session.wait(math.inf)
                return app.leaving.code_after_hangup()
            if app.session.live:
                app.session.stop("quit")
                terminal.file.write(SAVING)
                terminal.file.flush()
                if not app.session.wait(app.leaving.patience):
                    os._exit(code if code is not None else ExitCode.FAILED)
            farewell = "" if crashed else app.leaving.farewell()
    if farewell:
        note(farewell)
    if crashed:
        note(f"error: the interface met a defect and closed; the run, if there was one, is saved. Details: {log}")
        return ExitCode.FAILED
    sys.stdout.flush()
    return int(code or ExitCode.DONE)
