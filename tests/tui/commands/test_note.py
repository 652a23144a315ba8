"""`note`, `run --note`, and where else a note is."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tui.cli import app


@pytest.fixture
def ended(new_run, script):
    """A finished run, named x."""
    return new_run(script.started(), script.epoch(1), script.finished(1), name="x")


def test_a_note_is_written_shown_and_found(cli, ended):
    assert "no note yet" in cli("note", "x").err
    assert cli("note", "x", "Result\nlr 0.1 is too high").code == 0
    assert cli("note", "x").out == "Result\nlr 0.1 is too high\n"
    assert cli("note", "x", "--json").json == [{"run_id": ended.id, "note": "Result\nlr 0.1 is too high"}]
    shown = cli("show", "x").out.splitlines()
    assert "  note     Result" in shown
    assert "           lr 0.1 is too high" in shown
    assert cli("show", "x", "--json").json["note"] == "Result\nlr 0.1 is too high"
    assert [row["run_id"] for row in cli("runs", "--json", "--where", "note:high").json] == [ended.id]


def test_a_note_that_is_there_is_replaced_or_added_to_only_when_asked(cli, ended, refused):
    cli("note", "x", "first")
    refused(cli("note", "x", "second"), 2, "note = second", "has a note already")
    assert cli("note", "x").out == "first\n"
    cli("note", "x", "second", "--add")
    assert cli("note", "x").out == "first\n\nsecond\n"
    cli("note", "x", "third", "--force")
    assert cli("note", "x").out == "third\n"
    cli("note", "x", "", "--force")
    assert cli("note", "x").out == ""


def test_a_note_is_read_from_stdin(cli, ended, home):
    words = ["--home", str(home), "note", "x", "-"]
    assert CliRunner().invoke(app, words, input="from\na pipe\n").exit_code == 0
    assert cli("note", "x").out == "from\na pipe\n"


def test_a_note_is_edited_in_the_user_s_own_editor(cli, ended, tmp_path, monkeypatch):
    if not _has_terminal():
        pytest.skip("there is no terminal to give to an editor")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'by hand' >> \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    assert cli("note", "x", "--edit").code == 0
    assert cli("note", "x").out == "by hand\n"


def _has_terminal() -> bool:
    try:
        open("/dev/tty", "rb").close()  # noqa: PTH123
    except OSError:
        return False
    return True


def test_control_characters_of_a_note_do_not_reach_the_terminal(cli, ended):
    (ended.folder / "meta.json").write_text(json.dumps({"name": "x", "note": "a\x1b]0;t\x07b\n\u202ec"}))
    for answer in (cli("note", "x"), cli("show", "x")):
        assert not set("\x1b\x07\u202e") & set(answer.out)
        assert "c" in answer.out


def test_a_note_of_a_group_is_that_of_each_of_its_runs(cli, new_run, script):
    for seed in (0, 1):
        new_run(script.started(config={"seed": seed}), script.finished(1), name=f"b-{seed}", group_id="g1")
    cli("note", "g1", "for both")
    assert cli("note", "b-1").out == "for both\n"
    cli("note", "b-1", "for this one", "--force")
    assert cli("note", "g1").out.count("for ") == 2


@pytest.mark.parametrize("arguments", [("x" * 20_001,), ("a", "--edit")])
def test_what_cannot_be_a_note_is_refused(cli, ended, refused, arguments):
    refused(cli("note", "x", *arguments), 2)


def test_run_takes_a_note_and_tags_with_commas(train, cli):
    assert train("--quiet", "--name", "x", "--note", "why", "--tag", "best, lr-test").code == 0
    (row,) = cli("runs", "--json").json
    assert (row["note"], row["tags"]) == ("why", ["best", "lr-test"])
    assert [len(cli("runs", "--json", "--tag", tag).json) for tag in ("best", "lr-test")] == [1, 1]


def test_where_and_reverse(cli, new_run, script, refused):
    for name, lr, accuracy in (("a", 0.01, 0.98), ("b", 0.27092532949440995, 0.99)):
        new_run(script.started(config={"lr": lr}), script.epoch(1, accuracy), script.finished(1, accuracy), name=name)
    assert [row["name"] for row in cli("runs", "--json", "--where", "lr>0.1 acc>=99").json] == ["b"]
    assert [row["name"] for row in cli("runs", "--json", "--sort", "best", "--reverse").json] == ["a", "b"]
    assert "no run matches" in cli("runs", "--where", "nobody").err
    refused(cli("runs", "--where", "acc>high"), 2, "where = acc>high", "such as acc>99.4")
    assert cli("show", "b", "--json").json["config"]["lr"] == 0.27092532949440995
    text = cli("show", "b").out
    assert "lr=0.2709" in text.split()
    assert "lr=0.27092" not in text, "only the command that trains the same has it in full"
