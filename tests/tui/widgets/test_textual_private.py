"""What the interface takes from the private parts of Textual and plotext: each test names what breaks without it."""

from __future__ import annotations

import inspect
import threading
from importlib.metadata import version
from typing import ClassVar

import pytest
from plotext._figure import _figure_class
from textual._xterm_parser import XTermParser
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key, Resize, ScreenResume
from textual.geometry import Region, Size
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widgets import Static

from tui.widgets.charts.frame import Plot
from tui.widgets.textual_private import (
    SteadyScreen,
    call_soon,
    first_screen,
    has_screen,
    is_leaving,
    run_binding,
)

TEXTUAL = f"Textual {version('textual')}"


class _Modes(App[int]):
    MODES: ClassVar = {"here": SteadyScreen, "there": Screen}
    DEFAULT_MODE = "here"
    BINDINGS: ClassVar = [Binding("a", "note", priority=True), Binding("b", "note")]
    noted = 0

    def action_note(self) -> None:
        self.noted += 1


async def test_a_mode_has_a_first_screen_below_its_dialogs():
    async with _Modes().run_test() as pilot:
        app = pilot.app
        first = app.screen
        await app.push_screen(ModalScreen())
        assert first_screen(app, "here") is first, f"{TEXTUAL}: screens of a mode (App._screen_stacks) are elsewhere"
        assert first_screen(app, "there") is None
        assert has_screen(app), f"{TEXTUAL}: App._screen_stack is not the stack of the current mode"


async def test_an_app_that_was_told_to_exit_is_leaving():
    async with _Modes().run_test() as pilot:
        assert not is_leaving(pilot.app)
        pilot.app.exit(0)
        assert is_leaving(pilot.app), f"{TEXTUAL}: App._exit does not tell that the app is about to end"


async def test_calls_from_other_threads_reach_the_app_and_none_does_after_its_end():
    async with _Modes().run_test() as pilot:
        caller = threading.Thread(target=call_soon, args=(pilot.app, pilot.app.action_note))
        caller.start()
        caller.join()
        await pilot.pause()
        assert pilot.app.noted == 1, f"{TEXTUAL}: App._loop is not the loop that the app runs in"
    call_soon(_Modes(), pytest.fail, "an app that does not run was called")


async def test_a_key_runs_its_binding_at_once():
    async with _Modes().run_test() as pilot:
        assert [await run_binding(pilot.app, key) for key in "abc"] == [True, True, False]
        assert pilot.app.noted == 2, f"{TEXTUAL}: App._check_bindings does not run the action of a key"


async def test_a_screen_one_comes_back_to_is_not_styled_anew():
    async with _Modes().run_test() as pilot:
        events = [ScreenResume(), ScreenResume()]
        screen = SteadyScreen()
        for event in events:
            screen._on_screen_resume(event)
        assert [event.refresh_styles for event in events] == [True, False]
        assert "refresh_styles" in inspect.getsource(Screen._on_screen_resume), (
            f"{TEXTUAL}: Screen styles itself anew each time it is shown, whatever ScreenResume.refresh_styles says"
        )
        stale = Resize(Size(1, 1), Size(1, 1))
        pilot.app.screen._on_resize(stale)
        assert stale._no_default_action, f"{TEXTUAL}: an event cannot keep Screen._on_resize from being called"


class _Painted(Static):
    asked = 0

    def render_lines(self, crop: Region) -> list[Strip]:
        self.asked += 1
        return super().render_lines(crop)


class _Two(SteadyScreen):
    def compose(self) -> ComposeResult:
        yield _Painted("one", id="one")
        yield _Painted("two", id="two")


async def test_a_frame_asks_those_widgets_alone_that_it_has_lines_of():
    async with App().run_test() as pilot:
        await pilot.app.push_screen(_Two())
        await pilot.pause()
        one, two = (pilot.app.screen.query_one(f"#{name}", _Painted) for name in ("one", "two"))
        asked = one.asked, two.asked
        two.update("changed", layout=False)
        await pilot.pause()
        assert one.asked == asked[0], f"{TEXTUAL}: Screen._compositor does not ask for its lines by _get_renders"
        assert two.asked > asked[1]
        assert [strip.text.strip() for strip in pilot.app.screen._compositor.render_strips()][:2] == ["one", "changed"]


@pytest.mark.parametrize(
    ("name", "good_for"),
    [
        ("write", "drawing with ASCII characters"),
        ("start_application_mode", "answering a resize once for many"),
        ("_query_in_band_window_resize", "answering a resize once for many"),
        ("_get_terminal_size", "the size of the terminal itself, and not of the log"),
        ("suspend_application_mode", "suspending"),
        ("_sigcont_application", "a bare SIGCONT that starts no second reader of the keyboard"),
        ("_run_input_thread", "noticing that the terminal is gone"),
        ("run_input_thread", "noticing that the terminal is gone"),
        ("process_message", "keys"),
    ],
)
def test_the_driver_has_what_ours_replaces_and_calls_it(name, good_for):
    assert callable(getattr(LinuxDriver, name, None)), f"{TEXTUAL}: LinuxDriver.{name} is gone, good for {good_for}"
    called_by_app = ("write", "start_application_mode", "suspend_application_mode")
    source = inspect.getsource(inspect.getmodule(LinuxDriver))
    assert name in called_by_app or f"self.{name}" in source, f"{TEXTUAL}: LinuxDriver does not call {name} any more"


@pytest.mark.parametrize("name", ["_file", "_loop", "_app", "_debug", "exit_event", "fileno"])
def test_the_driver_has_the_attributes_that_ours_uses(name):
    made = "".join(inspect.getsource(cls) for cls in LinuxDriver.__mro__ if cls is not object)
    assert f"self.{name}" in made, f"{TEXTUAL}: LinuxDriver.{name} is gone, which our driver reads"


def test_the_parser_of_keys_takes_text_and_time():
    parser = XTermParser(False)
    keys = [event.key for event in (*parser.feed("a\x1b[A"), *parser.tick()) if isinstance(event, Key)]
    assert keys == ["a", "up"], f"{TEXTUAL}: XTermParser does not turn what the keyboard sends into keys"


def test_a_plot_takes_the_size_that_it_is_told():
    plot = Plot()
    assert isinstance(plot, _figure_class)
    plot._set_size(40, 10)
    plot.plotsize(40, 10)
    lines = plot.build().splitlines()
    assert len(lines) == 10, f"plotext {version('plotext')}: _set_size does not set a figure's size"
