"""Many processes in one home."""

from __future__ import annotations

import json

import fault_worker
import pytest

from core.events import EpochFinished, RunFinished, RunStarted, StepProgress
from experiments.locations import Locations
from experiments.runs.eventlog import EventReader
from experiments.runs.row import Status
from experiments.runs.store import Store

PROCESSES = 8


@pytest.fixture
def locations(tmp_path, cache_home) -> Locations:
    return Locations(tmp_path / "home", tmp_path / "data", cache_home)


def read_until_done(home, finished, seen) -> None:
    """A reader: lists all runs and follows each log, as an interface does, until told that training is over."""
    store, readers = Store(home), {}
    while True:
        last_look = finished.is_set()
        for row, _ in store.rows():
            reader = readers.setdefault(row.run_id, (EventReader(store.run(row.run_id).log), []))
            reader[1].extend(entry.to_json() for entry in reader[0].poll())
        if last_look:
            break
    seen.put({run_id: entries for run_id, (_, entries) in readers.items()})


def test_eight_processes_and_two_readers_lose_and_garble_nothing(locations):
    finished, seen = fault_worker.context.Event(), fault_worker.context.Queue()
    readers = [
        fault_worker.context.Process(target=read_until_done, args=(locations.home, finished, seen), daemon=True)
        for _ in range(2)
    ]
    trainers = [fault_worker.start(locations) for _ in range(PROCESSES)]
    for reader in readers:
        reader.start()
    for trainer in trainers:
        trainer.join(240)
    finished.set()
    followed = [seen.get(timeout=60) for _ in readers]

    assert [trainer.exitcode for trainer in trainers] == [0] * PROCESSES
    rows = Store(locations.home).rows()
    assert [status for _, status in rows] == [Status.FINISHED] * PROCESSES
    hashes = set()
    for row, _ in rows:
        run = Store(locations.home).run(row.run_id)
        lines = run.log.read_text().splitlines()
        assert all(json.loads(line)["run_id"] == row.run_id for line in lines)
        events = [entry.event for entry in EventReader(run.log).poll()]
        steps = [(event.epoch, event.step) for event in events if isinstance(event, StepProgress)]
        assert steps == [(epoch, step) for epoch in range(1, 13) for step in range(1, 9)]
        assert [event.epoch for event in events if isinstance(event, EpochFinished)] == list(range(1, 13))
        assert isinstance(events[0], RunStarted)
        assert isinstance(events[-1], RunFinished)
        hashes.add(events[-1].weights_sha256)
        for one_reader in followed:
            assert one_reader[row.run_id] == lines
    assert len(hashes) == 1
