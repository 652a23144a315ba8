"""The event log: what was written is read back, and no damage whatever hides what is whole."""

import json
import random

import pytest

from core.events import StepProgress
from experiments.runs.eventlog import MAX_LINE, EventReader, EventWriter
from experiments.runs.view import fold

RUN_ID = "20260102-030405-abcd"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture
def every_event(script):
    return [
        script.started(),
        script.progress(1, loss=None),
        script.epoch(1),
        script.epoch(2, on_test=False),
        script.finished(),
        script.stopped(reason='quoted " and \\ and \u2028 and \U0001f600'),
        script.failed(error="no space\tleft"),
    ]


def read(path) -> list[object]:
    return [entry.event for entry in EventReader(path).poll()]


def write(path, *events):
    with EventWriter(path, RUN_ID) as log:
        return [log.append(event) for event in events]


def test_what_is_appended_is_read_back_in_order_with_time_and_run(path, every_event):
    written = write(path, *every_event)
    entries = list(EventReader(path).poll())
    assert entries == written
    assert [entry.event for entry in entries] == every_event
    assert {entry.run_id for entry in entries} == {RUN_ID}
    assert [entry.time for entry in entries] == sorted(entry.time for entry in entries)


def test_each_line_is_a_json_object_that_starts_with_event_time_and_run(path, every_event):
    write(path, *every_event)
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(every_event)
    for line in lines:
        assert list(json.loads(line))[:3] == ["event", "time", "run_id"]


def test_a_second_writer_goes_on_where_the_first_ended(path, script):
    write(path, script.started())
    write(path, script.epoch(1))
    assert read(path) == [script.started(), script.epoch(1)]


def test_a_log_that_is_not_there_yet_is_empty_until_it_is(path, script):
    reader = EventReader(path)
    assert list(reader.poll()) == []
    write(path, script.started())
    assert [entry.event for entry in reader.poll()] == [script.started()]


def test_polling_yields_only_what_has_come_since_for_each_reader_by_itself(path, script):
    first, second = EventReader(path), EventReader(path)
    with EventWriter(path, RUN_ID) as log:
        log.append(script.started())
        assert [entry.event for entry in first.poll()] == [script.started()]
        assert list(first.poll()) == []
        log.append(script.epoch(1))
        log.append(script.epoch(2))
        assert [entry.event for entry in first.poll()] == [script.epoch(1), script.epoch(2)]
        assert len(list(second.poll())) == 3
        assert list(second.poll()) == []


def test_a_line_is_seen_once_it_is_whole_wherever_it_was_cut(path, tmp_path, script):
    write(path, script.started(), script.epoch(1))
    content = path.read_bytes()
    growing = tmp_path / "growing.jsonl"
    first_line = content.index(b"\n") + 1
    for cut in range(first_line, len(content)):
        growing.write_bytes(content[:cut])
        reader = EventReader(growing)
        assert [entry.event for entry in reader.poll()] == [script.started()]
        growing.write_bytes(content)
        assert [entry.event for entry in reader.poll()] == [script.epoch(1)]


def test_a_torn_last_line_is_cut_off_by_the_next_writer(path, script):
    write(path, script.started(), script.epoch(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    write(path, script.epoch(1, 0.5))
    assert read(path) == [script.started(), script.epoch(1, 0.5)]
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("length", [10, MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE + 5])
def test_a_torn_last_line_of_any_length_swallows_no_later_event(path, script, length):
    write(path, script.started())
    with path.open("ab") as file:
        file.write(b"x" * length)
    write(path, script.finished())
    assert read(path) == [script.started(), script.finished()]


GARBAGE = {
    "binary": bytes(range(256)),
    "empty lines": b"\n\n \n",
    "half a line": b'{"event": "epoch_finished", "time": "2026',
    "huge": b'{"event": "' + b"x" * (2 * MAX_LINE) + b'"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "a very long number": b"1" * 100_000,
    "not an object": b'[1]\n"text"\n3\nnull\ntrue',
    "unknown event": b'{"event": "promoted", "time": "2026-01-01T00:00:00+00:00", "run_id": "r"}',
    "event is not a text": b'{"event": ["run_started"], "time": "t", "run_id": "r"}',
    "a key is missing": b'{"event": "run_stopped", "time": "t", "run_id": "r", "epoch": 1}',
    "a value is of another type": b'{"event": "run_stopped", "time": "t", "run_id": "r", "epoch": "1", "reason": ""}',
    "no time": b'{"event": "run_stopped", "run_id": "r", "epoch": 1, "reason": "x"}',
    "time is a number": b'{"event": "run_stopped", "time": 3, "run_id": "r", "epoch": 1, "reason": "x"}',
    "no run": b'{"event": "run_stopped", "time": "t", "epoch": 1, "reason": "x"}',
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_between_two_events_is_passed_over(path, script, kind):
    write(path, script.started())
    with path.open("ab") as file:
        file.write(GARBAGE[kind] + b"\n")
    write(path, script.finished())
    assert read(path) == [script.started(), script.finished()]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_spoils_only_its_own_line(path, script, literal):
    write(path, script.started(), script.epoch(1), script.epoch(2, train_loss=0.625))
    path.write_text(path.read_text().replace("0.625", literal))
    assert read(path) == [script.started(), script.epoch(1)]


def test_any_bytes_at_all_are_read_without_an_error(path, every_event):
    write(path, *every_event)
    content = path.read_bytes()
    rng = random.Random(3)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 20)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 30)] = rng.randbytes(rng.randint(0, 30))
        path.write_bytes(damaged)
        assert len(read(path)) <= len(every_event) + 1


def test_skimming_leaves_out_progress_that_more_progress_follows_and_nothing_else(path, script):
    events = [script.started(), *(script.progress(1, step) for step in (1, 2, 3)), script.epoch(1)]
    events += [script.progress(2, 1), script.stopped(), script.progress(3, 1), script.progress(3, 2)]
    written = write(path, *events)
    assert list(EventReader(path).skim()) == [written[place] for place in (0, 3, 4, 5, 6, 8)]


@pytest.mark.parametrize("seed", range(20))
def test_of_a_damaged_log_skimming_tells_what_reading_does(path, every_event, script, seed):
    chance = random.Random(seed)
    write(path, *chance.choices([*every_event, script.progress(2), script.progress(2, 120)], k=30))
    lines = path.read_bytes().splitlines(keepends=True)
    for _ in range(5):
        place = chance.randrange(len(lines))
        lines[place] = chance.choice([b"", b"x\n", b"\0" * 50, lines[place][:40] + b"\n", lines[place] * 2])
    path.write_bytes(b"".join(lines)[:-3])
    read = [entry for entry in EventReader(path).poll() if not isinstance(entry.event, StepProgress)]
    assert [entry for entry in EventReader(path).skim() if not isinstance(entry.event, StepProgress)] == read


@pytest.mark.parametrize(
    "change",
    [
        ('"epoch": 2', '"epoch": 02'),
        ('"epoch": 2', '"epoch": -2'),
        ('"epoch": 2', f'"epoch": {"9" * 400}'),
        ('"epoch": 2', '"epoch": 2.5'),
        ('"loss": 0.0123', '"loss": NaN'),
        ('"loss": 0.0123', '"loss": 1e999'),
        ('"loss": 0.0123', '"loss": 1e99'),
        ('"loss": 0.0123', '"loss": null'),
        ('"loss": 0.0123', '"loss": .5'),
        ('"time": "', '"time": "\\u0031'),
        ('"time": "', '"time": "\x01'),
        ('"time": "', '"time": "\\'),
        ('"run_id": "', '"run_id": "x'),
        ("}\n", ', "more": 1}\n'),
        ("}\n", "}}\n"),
        ('{"event"', ' {"event"'),
    ],
)
def test_a_line_of_progress_that_is_passed_over_unparsed_is_one_that_would_have_been_understood(path, script, change):
    with EventWriter(path, script.RUN_ID) as log:
        log.append(script.started())
        log.append(script.progress(1))
    before = path.read_text()
    start, line = before.splitlines(keepends=True)
    line = line.replace('"epoch": 1', '"epoch": 2').replace(*change, 1)
    path.write_text(start + line * 2 + before.splitlines(keepends=True)[1])
    polled, skimmed = EventReader(path), EventReader(path)
    entries = list(polled.poll())
    assert {entry.run_id for entry in entries} == {entry.run_id for entry in skimmed.skim()}
    assert polled.damaged == skimmed.damaged
    assert fold(entries) == fold(EventReader(path).skim())
