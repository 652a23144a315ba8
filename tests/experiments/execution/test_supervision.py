"""What a training process does beside training: those that look at its runs see that it lives."""

import os

from experiments.execution.supervision import KeepingPlaces


def test_runs_that_wait_for_their_turn_are_shown_to_have_a_live_process(new_run):
    waiting = [new_run(), new_run()]
    owners = [run.folder / "owner.json" for run in waiting]
    for owner in owners:
        os.utime(owner, (0, 0))
    should_stop = KeepingPlaces(waiting, lambda: "SIGINT")
    assert should_stop() == "SIGINT"
    assert all(owner.stat().st_mtime > 0 for owner in owners)
