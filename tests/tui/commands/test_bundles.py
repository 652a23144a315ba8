"""`bundle` of a group, and `import`, as a user meets them."""

import pytest

from experiments.runs.owner import Owner


@pytest.fixture
def group(train, store, tmp_path, monkeypatch):
    """The runs of a finished group called `three`, in a folder to work in."""
    assert train("--quiet", "--name", "three", "--seeds", "0-2", "--jobs", "1").code == 0
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return store.find_all("three")


def without_time(record: dict[str, object]) -> dict[str, object]:
    """What a command says as JSON, but for when it said it."""
    return {key: value for key, value in record.items() if key != "time"}


def test_a_group_moves_to_another_home(cli, group, tmp_path):
    there = tmp_path / "there"
    assert cli("bundle", "three", "-o", "three.zip").out == "three.zip\n"
    answer = cli("import", "three.zip", at=there)
    assert answer.code == 0
    assert answer.out.split() == [run.id for run in group]
    for words in (("show", "three", "--json"), ("show", "three", "--ensemble", "--json")):
        assert without_time(cli(*words, at=there).json) == without_time(cli(*words).json)
    assert cli("verify", "three", at=there).code == 0
    answer = cli("import", "three.zip", at=there)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "three.zip: 3 of 3 runs are here already\n"


def test_a_small_bundle_has_all_that_statistics_need(cli, group, tmp_path, refused):
    there = tmp_path / "there"
    assert cli("bundle", "three", "--logs", "--anonymous", "-o", "small.zip").code == 0
    answer = cli("verify", "small.zip", "--json")
    assert answer.code == 0
    assert answer.json["agrees"]
    assert answer.json["group_id"] == group[0].meta().group_id
    assert [run["run_id"] for run in answer.json["runs"]] == [run.id for run in group]
    assert cli("import", "small.zip", at=there).code == 0
    words = ("show", "three", "--json")
    assert without_time(cli(*words, at=there).json) == without_time(cli(*words).json)
    assert cli("verify", "three", at=there).code == 0
    assert cli("verify", group[0].id, at=there).code == 0
    refused(cli("show", "three", "--ensemble", at=there), 5, group[1].id, "came without weights")
    refused(cli("export", group[1].id, "-f", "safetensors", at=there), 5, "came without weights")
    assert cli("bundle", "three", "-o", "whole.zip").code == 0
    answer = cli("import", "whole.zip", "--json", at=there)
    first, *others = [run.id for run in group]
    assert answer.json == [{"file": "whole.zip", "new": [], "completed": others, "known": [first]}]
    assert cli("show", "three", "--ensemble", at=there).code == 0


def test_runs_without_weights_are_left_out_and_named(cli, group, refused):
    for name in ("final", "best"):
        (group[1].folder / f"{name}.safetensors").unlink()
    answer = cli("bundle", "three", "-o", "three.zip")
    assert (answer.code, answer.err) == (0, f"run {group[1].id} is left out: it has no weights\n")
    assert len(cli("verify", "three.zip", "--json").json["runs"]) == 2
    for run in group:
        for name in ("final", "best"):
            (run.folder / f"{name}.safetensors").unlink(missing_ok=True)
    refused(cli("bundle", "three", "-o", "none.zip"), 5, "has no run with weights")


def test_bundles_that_cannot_be(cli, group, refused, tmp_path):
    refused(cli("bundle", group[0].id, "--logs"), 2, "logs", "is for a group")
    refused(cli("bundle", "four"), 5, "four")
    refused(cli("import", "missing.zip"), 5, "missing.zip")
    (tmp_path / "work" / "text.zip").write_text("no zip")
    refused(cli("import", "text.zip"), 5, "text.zip", "not a bundle")
    assert cli("import").code == 2


def test_a_run_that_is_being_trained_is_not_packed(cli, group, refused):
    group[2].hand_over(Owner.this_process())
    with group[2].open_log():
        refused(cli("bundle", "three", "-o", "three.zip"), 2, group[2].id, "is running")
