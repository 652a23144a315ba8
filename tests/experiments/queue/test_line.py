"""Runs in line: added, moved, dropped, by as many processes as there are, and nothing lost with any of them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from core.errors import InvalidValue, RunError
from experiments.queue.line import Queue
from experiments.runs.owner import Owner
from experiments.runs.row import Status


@pytest.fixture
def queue(store) -> Queue:
    return Queue.of(store.home)


@pytest.fixture
def three(queue, new_run):
    """Three entries of one run each."""
    return [queue.add([new_run()], "test") for _ in range(3)]


def order(queue) -> list[str]:
    return [entry.id for entry in queue.entries()]


def test_those_who_come_later_wait_longer_and_an_entry_says_who_asked_and_when(queue, three):
    assert order(queue) == [entry.id for entry in three]
    assert [entry.place for entry in queue.entries()] == [1, 2, 3]
    assert queue.entries() == three
    assert {entry.by for entry in three} == {"test"}
    assert all(entry.asked.startswith("20") and entry.host and entry.user for entry in three)


@pytest.mark.parametrize(
    ("moved", "place", "then"), [(2, 1, [2, 0, 1]), (0, 2, [1, 0, 2]), (0, 99, [1, 2, 0]), (1, 0, [1, 0, 2])]
)
def test_an_entry_is_given_another_place(queue, three, moved, place, then):
    queue.move(three[moved].id, place)
    assert order(queue) == [three[number].id for number in then]


def test_what_is_dropped_is_out_of_line_and_its_run_that_never_began_is_deleted(queue, three):
    [run] = queue.runs(three[1])
    assert queue.drop(three[1].id) == [run.id]
    assert order(queue) == [three[0].id, three[2].id]
    assert not run.folder.exists()
    with pytest.raises(RunError, match="not in line any more"):
        queue.drop(three[1].id)


def test_a_run_that_has_been_trained_is_dropped_with_nothing_lost(queue, new_run, script):
    run = new_run(script.started(), script.epoch(1), script.stopped(1, "SIGTERM"))
    entry = queue.add([run], "test")
    assert queue.drop(entry.id) == []
    assert (queue.entries(), run.status()) == ([], Status.STOPPED)


def test_a_run_that_was_there_before_is_dropped_and_kept_though_it_never_began(queue, new_run, script):
    run = new_run(script.stopped(0))
    entry = queue.add([run], "test", before={run.id: run.view().updated_at}, epochs=3, no_budget=True, arch="a.py:A")
    assert queue.entries() == [entry]
    assert queue.drop(entry.id) == []
    assert run.status() is Status.STOPPED


def test_what_is_trained_now_is_not_dropped(queue, new_run, script):
    run = new_run(script.started())
    entry = queue.add([run], "test")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run.hand_over(Owner.of(process.pid))
        with queue.changing():
            queue.write(replace(entry, starts=1))
        with pytest.raises(InvalidValue, match="is trained now"):
            queue.drop(entry.id)
        process.stdin.close()
    assert len(queue.entries()) == 1


@pytest.mark.parametrize("reference", ["2", "entry", "run"])
def test_an_entry_is_found_by_its_place_its_id_and_its_run(queue, three, reference):
    words = {"2": "2", "entry": three[1].id, "run": three[1].runs[0]}
    assert queue.find(words[reference]) == three[1]


@pytest.mark.parametrize("reference", ["0", "4", "nobody"])
def test_what_is_not_in_line_is_said_not_to_be(queue, three, reference):
    with pytest.raises(RunError, match=f"not in line: '{reference}'"):
        queue.find(reference)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 3}', '{"id": "q", "runs": [1]}', "before"])
def test_a_damaged_entry_is_passed_over(queue, three, content):
    if content == "before":
        path = queue.folder / f"{three[0].id}.json"
        content = path.read_text().replace('"before": {}', '"before": {"a": 1}')
        assert '"a": 1' in content
    (queue.folder / "q20260101-000000-aaaa.json").write_text(content)
    assert order(queue) == [entry.id for entry in three]


def test_an_entry_that_names_no_run_leads_nowhere(queue, three):
    path = queue.folder / f"{three[0].id}.json"
    path.write_text(path.read_text().replace(three[0].runs[0], "../../etc"))
    assert queue.runs(queue.entries()[0]) == []


def test_many_at_once_lose_none_and_leave_an_order(queue, new_run):
    runs = [new_run() for _ in range(12)]

    def add(run) -> None:
        entry = queue.add([run], "test")
        queue.move(entry.id, 1)

    threads = [Thread(target=add, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = queue.entries()
    assert {run for entry in entries for run in entry.runs} == {run.id for run in runs}
    assert len({entry.place for entry in entries}) == 12


def test_a_process_that_is_killed_in_the_middle_of_a_change_holds_up_nobody(queue, three):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom experiments.queue.line import Queue\n"
        "with Queue.of(Path(sys.argv[1])).changing():\n    print('locked', flush=True)\n    time.sleep(600)\n"
    )
    pipes = {"stdout": subprocess.PIPE, "env": {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}}
    with subprocess.Popen([sys.executable, "-c", code, str(queue.folder.parent)], text=True, **pipes) as process:
        assert process.stdout.readline() == "locked\n"
        process.kill()
    queue.move(three[2].id, 1)
    assert order(queue)[0] == three[2].id
