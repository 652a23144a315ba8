"""Continuing a run of a user's own module from the interface: code that came from elsewhere is asked about."""

from __future__ import annotations

import pytest
from app_pilot import opened, screen_text, wait_for, wait_for_text
from own_files import change_own, write_own

from core.config import TrainConfig
from core.models.own.files import OwnFiles
from experiments.execution import apart
from experiments.runs.folder import Meta
from experiments.runs.own_code import remember_named
from experiments.runs.store import Store
from tui.screens.dialogs import Ask


@pytest.fixture
def named(tmp_path, monkeypatch):
    """What the runner is told to run, in the place of doing it."""
    monkeypatch.setattr("experiments.runs.own_code.named_code_folder", lambda: tmp_path / "named")
    named: list[str | None] = []

    def train_on(runner, run, *, arch=None, **_):
        named.append(arch)
        return iter(())

    monkeypatch.setattr(apart, "train_on", train_on)
    return named


@pytest.fixture
def run(tmp_path, script):
    config = TrainConfig(arch=write_own(tmp_path / "mine"), dataset="mnist")
    path = tmp_path / "mine" / "net.py"
    run = Store(tmp_path).create(config, Meta("own"), {}, OwnFiles.read(path.parent, "net.py", ()))
    script.write(run, script.started(config=config.model_dump()), script.stopped(1))
    run.release()
    change_own(path)
    return run


def copy_of(run) -> str:
    return f"{run.folder / 'source' / 'net.py'}:Net"


async def test_c_goes_on_with_the_copy_of_what_its_user_has_named(tmp_path, run, named):
    remember_named(OwnFiles.read(run.folder / "source", "net.py", ()))
    async with opened(tmp_path) as pilot:
        pilot.app.run_watch.show(run)
        await pilot.press("2", "c")
        await wait_for(pilot, lambda: named == [copy_of(run)])


async def test_c_asks_before_it_runs_a_copy_that_came_from_elsewhere(tmp_path, run, named):
    async with opened(tmp_path) as pilot:
        pilot.app.run_watch.show(run)
        await pilot.press("2", "c")
        await wait_for_text(pilot, "Run that code and continue")
        assert "of this machine" in screen_text(pilot)
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: not isinstance(pilot.app.screen, Ask))
        await pilot.press("c")
        await wait_for_text(pilot, "Run that code and continue")
        assert named == []
        await pilot.press("enter")
        await wait_for(pilot, lambda: named == [copy_of(run)])


async def test_c_refuses_a_run_whose_record_of_its_code_is_damaged(tmp_path, run, named):
    (run.folder / "source.json").write_text("{")
    async with opened(tmp_path) as pilot:
        pilot.app.run_watch.show(run)
        await pilot.press("2", "c")
        await wait_for_text(pilot, "Cannot continue")
    assert named == []
