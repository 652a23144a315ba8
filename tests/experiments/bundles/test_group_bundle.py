"""A bundle of a group is enough to verify its runs and to have them in another home, with weights of all or of one."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from core.errors import InvalidValue, RunError
from experiments.bundles import archive, pack, unpack
from experiments.bundles.bring_in import bring_in
from experiments.bundles.pack import pack_all
from experiments.bundles.unpack import unpacked
from experiments.inference.network import load_network
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.store import Store
from experiments.verification.verify import verify

GROUP = "g20260101-000000-aaaaaaaa"


@pytest.fixture
def elsewhere(tmp_path, cache_home) -> Locations:
    """Somebody else's machine: a home without runs."""
    return Locations(tmp_path / "other", tmp_path / "data", cache_home / "mnist-tui" / "decoded")


@pytest.fixture
def group(finished: Run, store: Store) -> list[Run]:
    """Two finished runs of a group, equal but for their ids."""
    twin = store.run("20260101-000000-abcd")
    shutil.copytree(finished.folder, twin.folder)
    twin.log.write_text(twin.log.read_text().replace(finished.id, twin.id))
    for run in (finished, twin):
        run.change_meta(group_id=GROUP)
    return [finished, twin]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def whole(group, tmp_path) -> Path:
    return written(tmp_path / "whole.zip", pack_all(GROUP, group))


@pytest.fixture
def logs(group, tmp_path) -> Path:
    return written(tmp_path / "logs.zip", pack_all(GROUP, group, logs=True))


def tree(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.folder.iterdir()}


def test_a_group_verifies_elsewhere(whole, group, elsewhere):
    with unpacked(whole) as found:
        assert [run.id for run, _ in found] == [run.id for run in group]
        for run, checks in found:
            assert next(check.item for check in checks) == f"SHA-256 of {run.id}.zip"
            assert verify(run, elsewhere, before=checks).agrees
    assert not elsewhere.home.exists()


def test_equal_groups_give_equal_bytes(group):
    assert pack_all(GROUP, group, logs=True) == pack_all(GROUP, group, logs=True)


def test_with_logs_the_first_run_alone_has_its_weights(logs, group, elsewhere):
    with unpacked(logs) as [(first, before), (second, others)]:
        assert verify(first, elsewhere, before=before).agrees
        assert load_network(first).source == "final"
        found = verify(second, elsewhere, before=others)
        assert found.agrees
        assert [check.item for check in found.checks if check.agrees is None] == ["scores of the epochs", "weights"]
        assert {check.item for check in found.checks} >= {"config", "epochs", "result", "parameters, from the spec"}
        with pytest.raises(RunError, match="came without weights"):
            load_network(second)


def test_a_log_that_says_something_else_differs_without_weights_too(group, elsewhere, tmp_path):
    second = group[1]
    text = second.log.read_text()
    second.log.write_text(text.replace('"epochs": 2, "final_test_accuracy"', '"epochs": 3, "final_test_accuracy"'))
    assert second.log.read_text() != text
    with unpacked(written(tmp_path / "x.zip", pack_all(GROUP, group, logs=True))) as [_, (run, checks)]:
        found = verify(run, elsewhere, before=checks)
    assert {check.where for check in found.checks if check.agrees is False} == {"events.jsonl, run_finished"}


def test_weights_that_a_bundle_had_are_missed(logs, elsewhere):
    with unpacked(logs) as [(run, _), _]:
        run.final_weights.unlink()
        run.best_weights.unlink()
        with pytest.raises(RunError, match="has no final weights"):
            verify(run, elsewhere)


def test_anonymous_leaves_out_who_made_it(group, tmp_path):
    personal = {"host", "command_line", "working_folder"}
    kept = group[0].environment()
    assert personal <= kept.keys()
    with unpacked(written(tmp_path / "x.zip", pack_all(GROUP, group, anonymous=True))) as found:
        for run, checks in found:
            assert run.environment() == {key: value for key, value in kept.items() if key not in personal}
            assert all(check.agrees for check in checks)


def test_runs_are_brought_into_a_home_once(whole, group, elsewhere):
    store = Store(elsewhere.home)
    assert [run.id for run in bring_in(store, whole).new] == [run.id for run in group]
    before = {run.id: tree(run) for run in store.runs()}
    for run in group:
        packed = set(before[run.id]) - {"manifest.json"}
        assert {name: before[run.id][name] for name in packed} == {name: tree(run)[name] for name in packed}
    assert {row.run_id: status.value for row, status in store.rows()} == {run.id: "finished" for run in group}
    again = bring_in(store, whole)
    assert (again.new, again.completed, len(again.known)) == ((), (), 2)
    assert {run.id: tree(run) for run in store.runs()} == before


def test_weights_come_later(logs, whole, group, elsewhere):
    store = Store(elsewhere.home)
    bring_in(store, logs)
    assert b"step_progress" in group[1].log.read_bytes()
    assert b"step_progress" not in store.run(group[1].id).log.read_bytes()
    store.run(group[1].id).change_meta(note="Mine.")
    found = bring_in(store, whole)
    assert ([run.id for run in found.completed], [run.id for run in found.known]) == ([group[1].id], [group[0].id])
    run = store.run(group[1].id)
    assert verify(run, elsewhere).agrees
    assert load_network(run).source == "final"
    assert run.meta().note == "Mine."
    assert run.log.read_bytes() == group[1].log.read_bytes()
    assert bring_in(store, logs).completed == ()  # and are not lost again
    assert load_network(run).source == "final"


def test_what_came_in_is_packed_as_it_came(logs, group, elsewhere):
    store = Store(elsewhere.home)
    runs = bring_in(store, logs).new
    assert pack_all(GROUP, runs) == logs.read_bytes()


def test_another_run_of_the_same_id_is_left_alone(whole, group, elsewhere):
    store = Store(elsewhere.home)
    bring_in(store, whole)
    shutil.rmtree(store.run(group[0].id).folder)
    with store.run(group[1].id).log.open("a") as log:
        log.write("{}\n")
    before = tree(store.run(group[1].id))
    with pytest.raises(InvalidValue, match="another log") as caught:
        bring_in(store, whole)
    assert group[1].id in caught.value.message
    assert [run.id for run in store.runs()] == [group[1].id]
    assert tree(store.run(group[1].id)) == before


def test_a_pipe_in_the_place_of_a_log_is_not_waited_for(whole, group, elsewhere):
    store = Store(elsewhere.home)
    bring_in(store, whole)
    store.run(group[0].id).log.unlink()
    os.mkfifo(store.run(group[0].id).log)
    with pytest.raises(InvalidValue, match="another log"):
        bring_in(store, whole)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(path: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def refused(path: Path, store: Store) -> str:
    with pytest.raises(RunError) as caught:
        bring_in(store, path)
    assert not store.home.exists()
    return caught.value.message


def test_what_was_altered_is_not_brought_in(whole, group, elsewhere, tmp_path):
    contents = members(whole)
    name = f"{group[1].id}.zip"
    inner = members(written(tmp_path / "inner.zip", contents[name]))
    inner["meta.json"] = b"{}"
    contents[name] = zipped(tmp_path / "inner.zip", inner).read_bytes()
    assert f"altered since it was made: {group[1].id}" in refused(zipped(whole, contents), Store(elsewhere.home))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda contents, first: contents.pop("manifest.json"), "it has no manifest.json"),
        (lambda contents, first: contents.update({"../evil.zip": b""}), "no bundle has a file '../evil.zip'"),
        (lambda contents, first: contents.update({"config.json": b""}), "no bundle has a file 'config.json'"),
        (lambda contents, first: contents.pop(first), "lists other runs than it has"),
        (lambda contents, first: contents.update({first: b"no zip"}), "its end is not that of a bundle"),
        (lambda contents, first: contents.update({first: contents["20260101-000000-abcd.zip"]}), "is of run"),
        (lambda contents, first: contents.update({"manifest.json": b'{"bundle": "mnist-tui"}'}), "manifest.json"),
        (lambda contents, first: contents.update({"manifest.json": b"[" * 100_000}), "manifest.json"),
    ],
)
def test_what_is_no_bundle_of_a_group_is_refused(whole, group, elsewhere, tmp_path, change, reason):
    contents = members(whole)
    change(contents, f"{group[0].id}.zip")
    assert reason in refused(zipped(tmp_path / "x.zip", contents), Store(elsewhere.home))


def test_a_bundle_cannot_fill_memory_or_disk(whole, elsewhere, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    store, contents = Store(elsewhere.home), members(whole)
    assert "packed in a way of its own" in refused(zipped(tmp_path / "x.zip", contents, zipfile.ZIP_DEFLATED), store)
    nested = zipped(tmp_path / "nested.zip", {"20260101-000000-abcd.zip": whole.read_bytes(), **contents})
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(nested, "a") as file:
        file.writestr("20260101-000000-abcd.zip", b"")
    assert "twice" in refused(nested, store)
    monkeypatch.setattr(unpack, "MAX_GROUP", 10_000)
    assert "more than 0 MiB" in refused(whole, store)
    monkeypatch.setattr(archive, "MAX_RUNS", 0)
    monkeypatch.setattr(archive, "LIMITS", {})
    monkeypatch.setattr(archive, "MAX_FILES", 1)
    assert "more files than a bundle has" in refused(whole, store)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_group_that_is_too_large_is_not_packed(group, monkeypatch):
    monkeypatch.setattr(pack, "MAX_RUNS", 1)
    with pytest.raises(InvalidValue, match="has 2 runs, a bundle holds 1"):
        pack_all(GROUP, group)
    monkeypatch.setattr(pack, "MAX_RUNS", 2)
    monkeypatch.setattr(pack, "MAX_GROUP", 1 << 10)
    with pytest.raises(InvalidValue, match="MiB"):
        pack_all(GROUP, group)


def test_the_manifest_says_what_was_left_out(logs, group):
    inner = zipfile.ZipFile(io.BytesIO(members(logs)[f"{group[1].id}.zip"]))
    manifest = json.loads(inner.read("manifest.json"))
    assert manifest["left_out"] == ["final.safetensors", "best.safetensors", "predictions.safetensors", "step_progress"]
    assert not {*manifest["left_out"]} & {*inner.namelist()}
