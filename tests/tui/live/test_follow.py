"""A run followed by its log: what is said of it before the log has been read to its end."""

from __future__ import annotations

import pytest
from app_pilot import make_run, opened, wait_for_text

from experiments.runs.row import Status
from tui.live.follow import READING, Follower


@pytest.mark.parametrize("is_over", [True, False])
def test_a_run_is_said_to_have_crashed_only_when_all_of_its_log_has_been_read(tmp_path, script, monkeypatch, is_over):
    monkeypatch.setattr("tui.live.follow.CHUNK", 4)
    end = [script.finished(1)] if is_over else []
    run = make_run(tmp_path, script, script.started(), *(script.progress(1, step) for step in range(1, 7)), *end)
    run.release()
    follower = Follower(run)
    said = [follower.standing]
    while follower.poll():
        said.append(follower.standing)
    assert set(said[:-1]) == {READING}
    assert said[-1] == (Status.FINISHED if is_over else Status.CRASHED)


@pytest.mark.parametrize("keys", ["enter", "A equals_sign", "Y"])
async def test_a_log_that_cannot_be_read_is_a_line_on_the_screen_and_the_interface_goes_on(tmp_path, script, keys):
    for name in ("a", "b"):
        run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9), script.finished(1, 0.9))
        run.release()
        run.log.rename(tmp_path / name)
        run.log.symlink_to(tmp_path / name)
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "2 runs, 0 live")
        await pilot.press(*keys.split())
        await wait_for_text(pilot, "mnist-tui run" if keys == "Y" else "not a regular file")


def test_a_log_that_can_be_read_again_is_read_on(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.finished(1))
    run.release()
    run.log.rename(tmp_path / "elsewhere")
    run.log.symlink_to(tmp_path / "elsewhere")
    follower = Follower(run)
    follower.finish()
    assert follower.unreadable is not None
    (tmp_path / "elsewhere").replace(run.log)
    follower.finish()
    assert follower.unreadable is None
    assert follower.status is Status.FINISHED
