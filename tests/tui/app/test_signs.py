"""The bytes by which a terminal tells of training: which terminal gets which, and each only once."""

import pytest

from experiments.settings import DEFAULTS
from tui.app.signs import Signs, TerminalKind, wanted_signs
from tui.app.terminal import ascii_hint

ALL = ("bell", "desktop", "title", "taskbar")
XTERM = {"TERM": "xterm-256color"}
GHOSTTY = XTERM | {"TERM_PROGRAM": "ghostty"}
ITERM = XTERM | {"TERM_PROGRAM": "iTerm.app"}


@pytest.fixture
def signs():
    """Makes signs of a terminal, and has what was written to it."""

    def make(environ, asked=ALL):
        written = []
        return Signs(wanted_signs(asked, environ, in_so_many_words=True), environ, written.append), written

    return make


@pytest.mark.parametrize(
    ("environ", "has_taskbar"),
    [
        (XTERM, False),
        (GHOSTTY, True),
        (XTERM | {"WT_SESSION": "a"}, True),
        (XTERM | {"ConEmuANSI": "ON"}, True),
        (XTERM | {"TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM": "xterm-ghostty"}, True),
        (XTERM | {"VTE_VERSION": "8000"}, True),
        (XTERM | {"VTE_VERSION": "7600"}, False),
        (ITERM, False),  # earlier ones show progress as messages
        (ITERM | {"TERM_FEATURES": "T3CwP"}, True),
    ],
)
def test_progress_goes_only_to_terminals_that_are_known_to_have_a_place_for_it(environ, has_taskbar):
    assert ("taskbar" in wanted_signs(ALL, environ, in_so_many_words=True)) is has_taskbar


@pytest.mark.parametrize("term", ["dumb", "linux", ""])
def test_a_terminal_that_would_print_them_has_its_bell_alone(signs, term):
    one, written = signs({"TERM": term})
    one.show("45% try", "running", 0.45)
    one.tell("Finished", "try")
    assert written == ["\a"]
    assert one.taken_back() == ""


def test_who_wants_a_plain_terminal_gets_none_but_those_that_he_has_set():
    environ = XTERM | {"NO_COLOR": "1"}
    assert wanted_signs(DEFAULTS.notify, environ, in_so_many_words=False) == set()
    assert wanted_signs(("bell",), environ, in_so_many_words=True) == {"bell"}
    assert wanted_signs((), XTERM, in_so_many_words=True) == set(), "none"
    assert wanted_signs(DEFAULTS.notify, XTERM, in_so_many_words=False) == {"bell", "desktop", "title"}


def test_title_and_progress_are_written_when_they_change_and_taken_back(signs):
    one, written = signs(GHOSTTY)
    for share in (0.451, 0.452, 0.46):
        one.show("try", "running", share)
    assert written == ["\x1b[22;2t\x1b]2;try\x1b\\", "\x1b]9;4;1;45\x1b\\", "\x1b]9;4;1;46\x1b\\"]
    written.clear()
    one.show("done", "failed", 1.0)
    one.show("done", "none")
    assert written == ["\x1b]2;done\x1b\\", "\x1b]9;4;2;100\x1b\\", "\x1b]9;4;0;0\x1b\\"]
    assert one.taken_back() == "\x1b[23;2t"
    assert one.taken_back() == "", "once"


def test_progress_that_is_left_is_taken_back(signs):
    one, _ = signs(GHOSTTY, ("taskbar",))
    one.show("", "running", 0.5)
    assert one.taken_back() == "\x1b]9;4;0;0\x1b\\"


def test_messages_have_the_form_of_the_terminal(signs):
    one, written = signs(XTERM, ("desktop",))
    one.tell("Finished", "try; best 99.41%")
    assert written == ["\x1b]9;mnist-tui: Finished: try; best 99.41%\x1b\\"]
    other, written = signs(XTERM | {"VTE_VERSION": "7600"}, ("desktop",))
    other.tell("Finished", "try; best 99.41%")
    assert written == ["\x1b]777;notify;mnist-tui;Finished: try, best 99.41%\x1b\\"]


def test_in_tmux_it_is_asked_to_pass_on_what_it_does_not_know(signs):
    one, written = signs(GHOSTTY | {"TMUX": "/tmp/tmux-1/default,1,0"})
    one.show("try", "running", 0.5)
    one.tell("Finished", "")
    assert written == [
        "\x1b[22;2t\x1b]2;try\x1b\\",  # its own pane's title
        "\x1bPtmux;\x1b\x1b]9;4;1;50\x1b\x1b\\\x1b\\",
        "\a",
        "\x1bPtmux;\x1b\x1b]9;mnist-tui: Finished\x1b\x1b\\\x1b\\",
    ]


def test_no_name_steers_the_terminal(signs):
    one, written = signs(XTERM)
    one.show("a\x1b]2;b\a\n" + "c" * 1000)
    one.tell("a\x1b\\", "\x9c\x07")
    assert all(part.count("\x1b") == 2 for part in written if part.startswith("\x1b]"))
    assert max(map(len, written)) < 200
    assert TerminalKind.of(XTERM).silent is False


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TERM": "linux", "LANG": "en_GB.UTF-8"}, "the console"),
        ({"TERM": "xterm-256color", "LANG": "C"}, "the locale is C)"),
        ({"TERM": "xterm-256color", "LC_CTYPE": "C.UTF-8"}, "the locale is C)"),  # Python sets that where there is none
        ({"TERM": "xterm-256color", "LC_ALL": "POSIX", "LANG": "C.UTF-8"}, "the locale is POSIX)"),
        ({"TERM": "xterm-256color", "LANG": "C", "COLORTERM": "truecolor"}, ""),
        ({"TERM": "screen-256color", "TERM_PROGRAM": "tmux"}, ""),
        ({"TERM": "xterm-256color", "LANG": "C.UTF-8"}, ""),
    ],
)
def test_ascii_is_hinted_at_where_utf_8_is_not_to_be_expected(environ, named):
    hint = ascii_hint(environ)
    assert named in hint
    assert bool(named) == bool(hint)
