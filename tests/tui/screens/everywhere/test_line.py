"""What waits in line, above any screen: shown, moved and dropped."""

from __future__ import annotations

import re
import threading

import pytest
from app_pilot import SMALL, WIDE, make_run, opened, screen_text, wait_for, wait_for_text

from experiments.execution.together.recorded import ResumedRun
from experiments.queue.line import Queue
from experiments.runs.folder import Meta
from tui.live.session import Job
from tui.screens.everywhere.line import LineScreen


@pytest.fixture
def line(tmp_path):
    """The line of the home, worked off by this process, which begins nothing."""
    queue = Queue.of(tmp_path)
    with queue.held():
        yield queue


@pytest.fixture
def three(line, tmp_path, script):
    """Three runs in line, the first first."""
    runs = [make_run(tmp_path, script, meta=Meta(f"run-{letter}")) for letter in "abc"]
    for run in runs:
        line.add([run], "test")
    return runs


def order(line) -> list[str]:
    return [line.runs(entry)[0].meta().name for entry in line.entries()]


def shown(pilot) -> list[str]:
    """The names of the runs, as the dialog has them from above."""
    return re.findall(r"\d +waiting +(run-\w)", screen_text(pilot))


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_runs_in_line_are_counted_listed_moved_and_dropped(tmp_path, line, three, size):
    async with opened(tmp_path, size) as pilot:
        await wait_for_text(pilot, "3 in line")
        await pilot.press("3", "Q")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, LineScreen))
        await wait_for(pilot, lambda: shown(pilot) == ["run-a", "run-b", "run-c"])
        await pilot.press("J")
        await wait_for(pilot, lambda: order(line) == ["run-b", "run-a", "run-c"])
        await wait_for(pilot, lambda: shown(pilot) == ["run-b", "run-a", "run-c"])
        await pilot.press("K")  # the same one: the row that was moved is still the current one
        await wait_for(pilot, lambda: order(line) == ["run-a", "run-b", "run-c"])
        await wait_for(pilot, lambda: shown(pilot) == ["run-a", "run-b", "run-c"])
        await pilot.press("d")
        await wait_for_text(pilot, "Drop it?")
        await pilot.press("enter")  # keeps it
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, LineScreen))
        assert order(line) == ["run-a", "run-b", "run-c"]
        await pilot.press("d")
        await wait_for_text(pilot, "Drop it?")
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: order(line) == ["run-b", "run-c"])
        await wait_for(pilot, lambda: not three[0].folder.exists())
        await wait_for(pilot, lambda: shown(pilot) == ["run-b", "run-c"])
        await pilot.press("escape")
        await wait_for_text(pilot, "2 in line")


async def test_keys_in_quick_succession_are_about_the_row_that_was_chosen(tmp_path, line, three):
    async with opened(tmp_path) as pilot:
        await wait_for_text(pilot, "3 in line")
        await pilot.press("3", "Q")
        await wait_for(pilot, lambda: shown(pilot) == ["run-a", "run-b", "run-c"])
        await pilot.press("down", "down", "K", "K", "d")
        await wait_for_text(pilot, "Drop it?")
        assert "run-c: " in screen_text(pilot)
        await pilot.press("escape")
        await wait_for(pilot, lambda: order(line) == ["run-c", "run-a", "run-b"])
        await wait_for(pilot, lambda: shown(pilot) == ["run-c", "run-a", "run-b"])


async def test_while_another_process_has_the_line_locked_keys_are_heard(tmp_path, line, three):
    async with opened(tmp_path) as pilot:
        await wait_for_text(pilot, "3 in line")
        await pilot.press("3", "Q")
        await wait_for(pilot, lambda: shown(pilot) == ["run-a", "run-b", "run-c"])
        with line.changing():
            await pilot.press("J")
            await wait_for(pilot, lambda: shown(pilot) == ["run-b", "run-a", "run-c"])
            assert order(line) == ["run-a", "run-b", "run-c"]
        await wait_for(pilot, lambda: order(line) == ["run-b", "run-a", "run-c"])


async def test_what_has_left_the_line_meanwhile_is_not_moved_and_it_is_said(tmp_path, line, three):
    async with opened(tmp_path) as pilot:
        await wait_for_text(pilot, "3 in line")
        await pilot.press("3", "Q")
        await wait_for(pilot, lambda: shown(pilot) == ["run-a", "run-b", "run-c"])
        line.drop(line.entries()[0].id)
        await pilot.press("J")
        await wait_for_text(pilot, "not in line any more")
        await wait_for(pilot, lambda: shown(pilot) == ["run-b", "run-c"])


async def test_an_empty_line_says_how_runs_get_there(tmp_path, line):
    async with opened(tmp_path, SMALL) as pilot:
        await pilot.press("3", "Q")
        await wait_for_text(pilot, "Nothing is in line.")
        await pilot.press("J", "K", "d", "Q")
        assert not isinstance(pilot.app.screen, LineScreen)


async def test_a_run_is_gone_on_with_at_once_when_the_job_that_has_ended_it_has_put_all_away(
    tmp_path, script, monkeypatch
):
    run = make_run(tmp_path, script, script.started(), script.stopped(1))
    run.release()
    started: list[Job] = []
    async with opened(tmp_path) as pilot:
        session = pilot.app.session
        monkeypatch.setattr(session, "start", started.append)
        job = session.job = Job([ResumedRun(run)])
        job.note_begun(run)
        job.ends[run.id] = script.stopped(1)
        pilot.app.run_watch.show(run)
        threading.Timer(0.3, job.done.set).start()
        await pilot.press("2", "c")
        await wait_for(pilot, lambda: started)
    assert [task.run for task in started[0].tasks] == [run]
    assert Queue.of(tmp_path).entries() == []
