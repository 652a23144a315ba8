"""Settings: which of a flag, a variable, the file and the default wins, and what is said of those that are wrong."""

from __future__ import annotations

import pytest

from core.errors import InvalidValue
from experiments.settings import DEFAULTS, SETTINGS, load_settings, read_value, variable_of


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def test_without_a_file_everything_has_its_default(tmp_path):
    loaded = load_settings(environ={}, path=tmp_path / "settings.toml")
    assert loaded.values == DEFAULTS
    assert set(loaded.sources) == set(SETTINGS)
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.problems == ()


def test_a_flag_goes_before_a_variable_and_that_before_the_file(file):
    path = file('# mine\nmouse = false\nascii = true\non_hangup = "stop"\n')
    environ = {"MNIST_TUI_ASCII": "no", "MNIST_TUI_ON_HANGUP": "keep"}
    loaded = load_settings({"on_hangup": "stop", "mouse": None}, environ=environ, path=path)
    assert (loaded.values.mouse, loaded.values.ascii, loaded.values.on_hangup) == (False, False, "stop")
    assert loaded.sources["mouse"] == f"{path}, line 2"
    assert loaded.sources["ascii"] == "MNIST_TUI_ASCII"
    assert loaded.sources["on_hangup"] == "flag"
    assert loaded.sources["theme"] == "default"


@pytest.mark.parametrize(
    ("entry", "variable", "name", "value"),
    [
        ("ascii = true", "on", "ascii", True),
        ('theme = "nord"', "nord", "theme", "nord"),
        ('notify = ["desktop", "bell"]', "desktop,bell", "notify", ("desktop", "bell")),
        ("notify = []", "none", "notify", ()),
        ('columns = ["name", "best"]', "name, best", "columns", ("name", "best")),
        ('notify_url = "https://ntfy.sh/a"', "https://ntfy.sh/a", "notify_url", "https://ntfy.sh/a"),
        ('keymap = { delete = "D,delete" }', "delete=D,delete", "keymap", {"delete": "D,delete"}),
        ('[keymap]\ndelete = ["D", "delete"]', "delete=D,delete", "keymap", {"delete": "D,delete"}),
    ],
)
def test_the_file_and_the_variable_say_the_same_in_their_own_ways(file, entry, variable, name, value):
    path = file(entry)
    from_file = load_settings(environ={}, path=path)
    assert (getattr(from_file.values, name), from_file.problems) == (value, ())
    path.write_text("")
    from_variable = load_settings(environ={variable_of(name): variable}, path=path)
    assert (getattr(from_variable.values, name), from_variable.problems) == (value, ())


def test_what_is_wrong_is_one_line_each_and_the_rest_holds(file):
    path = file('theme = "nord"\n\non_hangup = "perhaps"\nzzz = 1\nmouse = 3\n[keymap]\ndelete = 4\n')
    loaded = load_settings(environ={"MNIST_TUI_NOTIFY": "bell,horn"}, path=path)
    assert loaded.values.theme == "nord"
    assert loaded.values.on_hangup == DEFAULTS.on_hangup
    assert loaded.problems == (
        f"{path}, line 3: on_hangup = perhaps: must be one of keep, stop",
        f"{path}, line 4: zzz = 1: is not a setting; there are {', '.join(SETTINGS)}",
        f"{path}, line 5: mouse = 3: must be true or false",
        f"{path}, line 6: keymap = {{'delete': 4}}: must be a table of names and keys, or a text such as "
        "delete=Z,delete stop=I",
        "MNIST_TUI_NOTIFY: notify = bell,horn: unknown: horn; must be none, or some of bell, desktop, title, taskbar",
    )


def test_a_name_that_is_nearly_a_setting_is_told(file):
    loaded = load_settings(environ={}, path=file('palete = "tol"'))
    assert loaded.problems[0].endswith("is not a setting; did you mean palette?")


@pytest.mark.parametrize("content", [b"theme = nord", b"\xff\xfe", b"a.b.c = [", b"mouse = false\nmouse = true"])
def test_a_file_that_is_no_toml_is_one_line_and_the_rest_goes_on(tmp_path, content):
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    loaded = load_settings(environ={"MNIST_TUI_THEME": "nord"}, path=path)
    assert loaded.values.theme == "nord"
    assert len(loaded.problems) == 1
    assert str(path) in loaded.problems[0]


def test_a_value_that_only_a_caller_can_check_is_checked(file):
    def no_theme(value: str) -> None:
        if value != "nord":
            raise ValueError("must be nord")

    loaded = load_settings(checks={"theme": no_theme}, environ={"MNIST_TUI_THEME": "sun"}, path=file('theme = "nord"'))
    assert loaded.values.theme == "nord"
    assert loaded.problems == ("MNIST_TUI_THEME: theme = sun: must be nord",)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_reads_what_it_has_by_default_and_says_what_it_is(name):
    default = getattr(DEFAULTS, name)
    raw = list(default) if isinstance(default, tuple) else default
    assert read_value(name, raw) == default
    assert SETTINGS[name].metadata["help"].endswith(".")


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_takes_what_has_another_type(name):
    with pytest.raises(InvalidValue, match=f"^{name} = "):
        read_value(name, 1.5)
