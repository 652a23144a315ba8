"""`queue`: what is in line as a table and as JSON, another order, what is dropped, and mistakes in one line."""

from __future__ import annotations

import pytest

from experiments.queue.line import Queue
from experiments.runs.row import Status


@pytest.fixture
def line(store):
    """The line of the home, worked off by this process, which begins nothing."""
    queue = Queue.of(store.home)
    with queue.held():
        yield queue


@pytest.fixture
def three(line, new_run):
    """The runs of three entries: two alone, and two seeds of a group."""
    group = [new_run(name=f"c-{seed}", group_id="g20260102-030405-abcdabcd") for seed in range(2)]
    entries = [[new_run(name="a")], [new_run(name="b")], group]
    for runs in entries:
        line.add(runs, "test")
    return entries


def names(cli):
    return [record["name"] for record in cli("queue", "--json").json]


@pytest.mark.parametrize("words", [("queue",), ("queue", "list")])
def test_the_table_has_a_line_an_entry_the_next_one_first(cli, three, words):
    answer = cli(*words)
    head, *rows = answer.out.splitlines()
    assert (answer.code, len(rows)) == (0, 3)
    assert head.split()[:3] == ["place", "id", "name"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert [row.split()[1] for row in rows] == [three[0][0].id, three[1][0].id, "g20260102-030405-abcdabcd"]
    assert all("waiting" in row for row in rows)


def test_the_json_says_what_is_to_be_trained_and_who_asked(cli, three, line):
    answer = cli("queue", "list", "--json")
    records, entries = answer.json, line.entries()
    assert [record["entry_id"] for record in records] == [entry.id for entry in entries]
    assert [record["runs"] for record in records] == [[run.id for run in runs] for runs in three]
    assert [record["place"] for record in records] == [1, 2, 3]
    last = records[-1]
    assert (last["status"], last["group_id"], last["by"]) == ("waiting", "g20260102-030405-abcdabcd", "test")
    assert (last["user"], last["host"], last["asked"]) == (entries[2].user, entries[2].host, entries[2].asked)
    assert len(last["seeds"]) == 2
    assert last["config"].items() <= three[2][0].config().items()
    assert "seed" not in last["config"]


@pytest.mark.parametrize("reference", ["3", "g20260102-030405-abcdabcd", "c-1"])
def test_what_is_moved_has_its_new_place(cli, three, reference):
    answer = cli("queue", "move", reference, "1")
    assert answer.code == 0
    assert answer.out.splitlines()[1].split()[1] == "g20260102-030405-abcdabcd"
    assert names(cli)[1:] == ["a", "b"]


def test_what_is_dropped_is_gone_if_it_has_never_begun_and_kept_if_it_has(cli, three, line, new_run, script):
    begun = new_run(script.started(), script.epoch(1), script.stopped(1, "SIGTERM"), name="d")
    line.add([begun], "test")
    dropped = cli("queue", "drop", "b")
    assert (dropped.code, dropped.out) == (0, "")
    assert dropped.err == f"dropped {three[1][0].id}\n"
    assert not three[1][0].folder.exists()
    kept = cli("queue", "drop", "3")
    assert f"{begun.id} out of line, with all that was trained" in kept.err
    assert begun.status() is Status.STOPPED
    assert len(cli("queue", "--json").json) == 2


def test_an_empty_line_is_no_mistake(cli, line):
    assert cli("queue", "--json").json == []
    answer = cli("queue")
    assert (answer.code, answer.out) == (0, "")
    assert "nothing is in line" in answer.err


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("drop", "4"), 5, "not in line: '4'"),
        (("drop", "0"), 5, "not in line: '0'"),
        (("move", "nobody", "1"), 5, "not in line: 'nobody'"),
        (("move", "a", "0"), 2, "place"),
        (("move", "a", "first"), 2, "first"),
        (("train", "nobody"), 5, "not in line: 'nobody'"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_changes_nothing(cli, three, refused, words, code, named):
    before = cli("queue", "--json").json
    refused(cli("queue", *words), code, named)
    assert cli("queue", "--json").json == before


def test_runs_tells_a_run_that_waits_from_one_in_training(cli, three, new_run, script):
    new_run(script.started(), name="now")
    rows = {row["name"]: row for row in cli("runs", "--status", "running", "--json").json}
    assert {row["status"] for row in rows.values()} == {"running"}
    assert {name: row["waiting"] for name, row in rows.items()} == dict.fromkeys(("a", "b", "c-0", "c-1"), True) | {
        "now": False
    }
    words = {row.split()[1]: row.split()[2] for row in cli("runs").out.splitlines()[1:]}
    assert (words["a"], words["now"]) == ("waiting", "running")
