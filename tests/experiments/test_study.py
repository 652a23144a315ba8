"""A study's folder: what a crash or a hand may have done to its files."""

from __future__ import annotations

import json

import pytest
from sweep_tools import Scripted, drive, tiny_plan

from core.errors import InvalidValue, RunError
from experiments.study import StudyFolder, study_names
from experiments.study_view import StudyReader, add_trial, study_view


@pytest.fixture
def journal(locations, script):
    """That of a study with one failed trial."""
    drive(locations, tiny_plan(trials=1), Scripted(script, lambda run, life: iter([script.failed()])))
    return StudyFolder.of(locations.home, "s").journal


def test_a_torn_last_line_is_passed_over_by_readers_and_cut_off_by_the_next_writer(locations, journal):
    whole = journal.read_bytes()
    for torn in (b'{"op_code": 4, "wor', b"x" * 10_000, b"\xff\x00"):
        journal.write_bytes(whole + torn)
        assert len(study_view(locations.home, "s").trials) == 1
    number = add_trial(locations.home, "s", {"lr": "0.5"})
    assert number == 1
    assert len(study_view(locations.home, "s").trials) == 2
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_a_damaged_line_within_is_named_and_left_alone(locations, journal, script):
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], "damage", *lines[1:]]) + "\n")
    damaged = journal.read_bytes()
    for use in (
        lambda: study_view(locations.home, "s"),
        lambda: drive(locations, tiny_plan(trials=2), Scripted(script, lambda run, life: iter(()))),
    ):
        with pytest.raises(RunError, match=r"journal\.jsonl: damaged"):
            use()
    assert journal.read_bytes() == damaged


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"space": {"lr": "0.1"}}', '{"space": 3}'])
def test_a_damaged_plan_is_named(locations, journal, content):
    plan = journal.with_name("study.json")
    plan.write_text(content)
    with pytest.raises(RunError, match=r"study\.json: damaged"):
        study_view(locations.home, "s")


def test_a_reader_sees_what_has_come_since_its_last_look(locations, journal):
    reader = StudyReader(locations.home, "s")
    assert len(reader.view().trials) == 1
    add_trial(locations.home, "s", {})
    assert [trial.state for trial in reader.view().trials] == ["failed", "waiting"]


def test_a_study_that_has_not_begun_has_no_trials_and_takes_none(locations):
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(tiny_plan())
    assert study_view(locations.home, "s").trials == ()
    assert not folder.journal.exists(), "looking makes no files"


def test_a_plan_reads_what_it_writes_and_studies_are_listed_by_name(locations):
    plan = tiny_plan({"batch_size": "64,128"}, pruner="median", trials=7)
    for name in ("a", "b"):
        StudyFolder.of(locations.home, name).write_plan(plan)
    assert StudyFolder.of(locations.home, "b").plan() == plan
    assert sorted(study_names(locations.home)) == ["a", "b"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "x" * 61, "a b", "a\n"])
def test_what_is_no_name_never_becomes_a_path(locations, name):
    with pytest.raises(InvalidValue, match="study"):
        StudyFolder.of(locations.home, name)
