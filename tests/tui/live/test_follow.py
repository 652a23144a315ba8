"""A run followed by its log: what is said of it before the log has been read to its end."""

from __future__ import annotations

import pytest
from app_pilot import make_run

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
