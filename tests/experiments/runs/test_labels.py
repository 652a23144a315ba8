"""Tags and notes: how people write them, and that nothing of them is lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.config import TrainConfig
from core.errors import InvalidValue
from experiments.bundles.pack import pack
from experiments.bundles.unpack import unpacked
from experiments.runs.folder import Meta
from experiments.runs.labels import MAX_NOTE, checked_note, note_in, split_tags


@pytest.mark.parametrize(
    ("texts", "at_spaces", "tags"),
    [
        (["best, lr-test"], False, ("best", "lr-test")),
        (["best, lr-test"], True, ("best", "lr-test")),
        (["best lr-test"], True, ("best", "lr-test")),
        (["best lr-test"], False, ("best lr-test",)),
        (["#best, best,,  "], False, ("best",)),
        (["kept one, new one"], True, ("kept one", "new", "one")),
    ],
)
def test_commas_stand_between_tags(texts, at_spaces, tags):
    assert split_tags(texts, at_spaces=at_spaces, known=["kept one"]) == tags


def test_tags_that_were_kept_as_one_text_are_two(store):
    run = store.create(TrainConfig(), Meta(), {})
    (run.folder / "meta.json").write_text(json.dumps({"name": "x", "tags": ["best, lr-test"], "group_id": None}))
    assert run.meta().tags == ("best", "lr-test")
    ((row, _),) = store.rows()
    assert row.tags == ("best", "lr-test")


def test_a_note_has_several_lines_and_survives_a_new_name_and_new_tags(store):
    run = store.create(TrainConfig(), Meta("old", note="one\n\n  two"), {})
    run.change_meta(name="new")
    run.change_meta(tags=("a",))
    assert run.meta() == Meta("new", ("a",), note="one\n\n  two")
    assert run.row().note == "one\n\n  two"


def test_a_note_is_taken_away_by_an_empty_one(store):
    run = store.create(TrainConfig(), Meta(note="x"), {})
    run.change_meta(note="")
    assert run.meta().note == ""
    assert "note" not in json.loads((run.folder / "meta.json").read_text())


def test_a_note_goes_with_the_run_into_a_bundle(store, script, new_run, tmp_path):
    run = new_run(script.started(), script.epoch(1), script.finished(1))
    run.change_meta(note="Result\nit worked")
    run.final_weights.write_bytes(b"weights")
    (tmp_path / "x.zip").write_bytes(pack(run))
    with unpacked(tmp_path / "x.zip") as [(other, _)]:
        assert other.meta().note == "Result\nit worked"


def test_of_changes_at_the_same_time_none_is_lost(store):
    run = store.create(TrainConfig(), Meta(), {})

    def change(number: int) -> None:
        run.change_meta(**{("name", "note")[number % 2]: f"{number}", **({"tags": ("t",)} if number == 0 else {})})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(40)))
    meta = run.meta()
    assert meta.tags == ("t",)
    assert int(meta.name) % 2 == 0
    assert int(meta.note) % 2 == 1


def test_a_note_from_a_file_is_bounded_and_its_lines_end_as_ours_do():
    assert note_in("a\r\nb\rc\u2028d\n") == "a\nb\nc\nd"
    assert len(note_in("x" * 2 * MAX_NOTE)) == MAX_NOTE
    assert note_in(["no text"]) == ""


def test_a_note_that_is_too_long_is_refused():
    with pytest.raises(InvalidValue, match="may have 20,000"):
        checked_note("x" * (MAX_NOTE + 1))
