"""`settings`: what is set and where it comes from, and changes to the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.settings import SETTINGS


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in SETTINGS:
        monkeypatch.delenv(f"MNIST_TUI_{name.upper()}", raising=False)
    path = tmp_path / "config" / "mnist-tui" / "settings.toml"
    path.parent.mkdir(parents=True)
    return path


def test_every_setting_is_listed_with_its_value_and_source(cli, file, monkeypatch):
    file.write_text('# mine\nmouse = false\n[keymap]\nstop = "ctrl+x"\n')
    monkeypatch.setenv("MNIST_TUI_PALETTE", "tol")
    answer = cli("settings")
    assert answer.code == 0
    for words in (
        "mouse       false  (file, line 2)",
        "palette     tol  (MNIST_TUI_PALETTE)",
        "theme       -  (default)",
    ):
        assert words in answer.out
    assert "keymap      stop=ctrl+x  (file, line 3)" in answer.out
    assert f"file: {file}" in answer.err
    record = cli("settings", "--json").json
    assert (record["file"], record["problems"]) == (str(file), [])
    rows = {row["name"]: row for row in record["settings"]}
    assert list(rows) == list(SETTINGS)
    assert rows["mouse"] == {
        "name": "mouse",
        "value": False,
        "source": f"{file}, line 2",
        "default": True,
        "variable": "MNIST_TUI_MOUSE",
        "help": SETTINGS["mouse"].metadata["help"],
    }
    assert rows["keymap"]["value"] == {"stop": "ctrl+x"}


def test_without_a_file_all_is_by_default(cli, file):
    answer = cli("settings")
    assert answer.code == 0
    assert answer.err == f"file: {file} (there is none yet)\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mouse = 3", ", line 1: mouse = 3: must be true or false"),
        ('theme = "sun"', ", line 1: theme = sun: must be one of ansi-dark,"),
        ('palete = "tol"', ", line 1: palete = tol: is not a setting; did you mean palette?"),
        ('[keymap]\nstop = "c"', ", line 1: keymap: stop = c: c is the key of continue; give that another"),
        ('[keymap]\nstpo = "c"', ", line 1: keymap: stpo = c: there is no such command; did you mean stop?"),
        (
            'columns = ["lr", "a", "b"]',
            ": columns = lr, a, b: unknown: a, b; the columns are status, run",
        ),
        ("mouse = ", "not TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_and_exits_2(cli, file, text, problem):
    file.write_text(text)
    answer = cli("settings")
    assert answer.code == 2
    assert answer.out
    (line,) = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert problem in line
    assert str(file) in line
    assert len(cli("settings", "--json").json["problems"]) == 1


def test_a_setting_is_set_and_taken_out_and_comments_stay(cli, file):
    file.write_text("# mine\nmouse = false  # no mouse\n")
    assert cli("settings", "set", "mouse", "on").code == 0
    assert cli("settings", "set", "notify", "desktop,bell").code == 0
    assert cli("settings", "set", "keymap.stop", "ctrl+x").code == 0
    assert file.read_text() == (
        '# mine\nmouse = true  # no mouse\nnotify = ["desktop", "bell"]\n\n[keymap]\nstop = "ctrl+x"\n'
    )
    for name in ("notify", "keymap.stop", "mouse"):
        assert cli("settings", "unset", name).code == 0
    assert cli("settings", "--json").json["settings"][0]["source"] == "default"
    assert file.read_text() == "# mine\n\n[keymap]\n"


def test_a_key_is_set_beside_one_that_cannot_be_had(cli, file):
    file.write_text('[keymap]\nstop = "c"\nquit = "Z"\n')
    assert cli("settings", "set", "keymap.quit", "ctrl+k").code == 0
    assert file.read_text() == '[keymap]\nstop = "c"\nquit = "ctrl+k"\n'


def test_the_file_on_the_page_of_settings_can_be_had_as_it_is(cli, file):
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text()
    file.write_text(page.partition("```toml\n")[2].partition("```")[0])
    answer = cli("settings", "--json")
    assert (answer.code, answer.json["problems"]) == (0, [])


def test_a_file_that_is_a_link_stays_one(cli, file, tmp_path):
    (tmp_path / "dotfiles").write_text("mouse = false\n")
    file.symlink_to(tmp_path / "dotfiles")
    assert cli("settings", "set", "ascii", "on").code == 0
    assert file.is_symlink()
    assert (tmp_path / "dotfiles").read_text() == "mouse = false\nascii = true\n"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("set", "mouse", "perhaps"), "mouse = perhaps: must be true or false"),
        (("set", "thema", "nord"), "thema = nord: is not a setting"),
        (("set", "theme", "sun"), "theme = sun: must be one of"),
        (("set", "notify", "horn"), "must be none, or some of bell, desktop, title, taskbar"),
        (("set", "keymap.stop", "c"), "c is the key of continue"),
        (("set", "keymap.nothing", "c"), "there is no such command"),
        (("set", "other.stop", "c"), "other.stop = c: is not a setting"),
        (("unset", "thema"), "is not a setting"),
        (("set", "notify_url", "ftp://x"), "must begin with http:// or https://"),
    ],
)
def test_what_cannot_be_set_is_refused_and_the_file_stays(cli, file, words, named):
    file.write_text("# mine\n")
    answer = cli("settings", *words)
    assert (answer.code, answer.out) == (2, "")
    assert named in answer.err.splitlines()[0]
    assert file.read_text() == "# mine\n"


def test_a_file_that_is_no_toml_is_not_written_over(cli, file):
    file.write_text("mouse = ")
    assert cli("settings", "set", "ascii", "on").code == 2
    assert file.read_text() == "mouse = "
