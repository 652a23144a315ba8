"""What the machine has to train with, found without holding up a key."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path
from threading import Event

from app_pilot import wait_for
from stage import staged
from waiting import wait_until

from core.config import TrainConfig
from core.device.device import available_devices
from core.events import RunFinished
from experiments.locations import Locations
from experiments.runs.folder import RunSpec
from tui.live.machine import devices_found, import_torch
from tui.live.session import Job
from tui.screens.lab import LabScreen
from tui.widgets.forms.run_form import RunForm

_TYPE_AND_COUNT = """
import asyncio, sys
from pathlib import Path
from threading import Event
from stage import staged
from tui.screens.lab import LabScreen

opened = []
counting = False
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if counting and event == "open" else None)

async def main():
    global counting
    async with staged(LabScreen(), Path(sys.argv[1])) as pilot:
        keys = ["v", "up", "up", "right", "left", "down", "down", "5", "backspace", "e", "backspace", "x", "backspace"]
        await pilot.press(*keys)  # what is imported when it is first needed
        counting = True
        await pilot.press("escape", *keys)
        counting = False

asyncio.run(main())
print(opened)
"""


def test_the_devices_are_those_that_doctor_finds():
    done = Event()
    import_torch(then=done.set)
    wait_until(done.is_set)
    assert list(devices_found()) == available_devices()


async def test_the_lab_offers_the_devices_once_they_are_known(tmp_path, monkeypatch):
    found: list[str] = []
    monkeypatch.setattr("tui.screens.lab.devices_found", lambda: tuple(found))
    async with staged(LabScreen(), tmp_path) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        form.on_fold_toggled()
        await wait_for(pilot, lambda: form.unfolded)
        field = pilot.app.screen.query_one("#field-device")
        assert field.options == ("auto", "cpu")
        found += ["cpu", "mps", "cuda:0", "cuda:1"]
        while "mps" not in field.options:
            await pilot.pause(0.05)
        assert field.options == ("auto", "cpu", "mps", "cuda:0", "cuda:1")
        for unfolded in (False, True):
            form.on_fold_toggled()
            await wait_for(pilot, lambda is_so=unfolded: form.unfolded == is_so)
        assert pilot.app.screen.query_one("#field-device").options == field.options


def test_a_keystroke_in_the_lab_opens_no_file(tmp_path):
    command = [sys.executable, "-c", _TYPE_AND_COUNT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_with_support())
    assert done.stdout.strip() == "[]"


class Circle:
    """Something that only the collector can find to be gone."""

    def __init__(self) -> None:
        self.me = self


def test_what_there_is_while_later_runs_train_is_found_by_the_collector_when_they_have_ended(tmp_path, cache_home):
    locations = Locations(tmp_path / "home", tmp_path / "data", cache_home / "mnist-tui" / "decoded")
    values = {"arch": "fc10", "dataset": "mnist-5k", "epochs": 1, "limit_train": 64, "limit_test": 50, "device": "cpu"}
    config = TrainConfig.checked(values)
    Job([RunSpec(config)]).train(locations)
    job, circle = Job([RunSpec(config)]), Circle()
    gone = weakref.ref(circle)
    job.train(locations)
    assert [type(end) for end in job.ends.values()] == [RunFinished]
    del circle
    gc.collect()
    assert gone() is None


def _with_support() -> dict[str, str]:
    """The environment, in which helpers of tests can be imported."""
    support = str(Path(__file__).parents[2] / "support")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (support, os.environ.get("PYTHONPATH"))))}
