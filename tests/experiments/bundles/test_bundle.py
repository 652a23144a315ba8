"""A bundle is enough for somebody else's verification, and no bundle, however made, harms who opens it."""

import io
import json
import os
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from core.errors import InvalidValue, RunError
from experiments.bundles import unpack
from experiments.bundles.contents import LIMITS
from experiments.bundles.pack import pack
from experiments.bundles.unpack import unpacked
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.verification.verify import verify


@pytest.fixture
def elsewhere(tmp_path, cache_home) -> Locations:
    """Somebody else's machine: a home without runs."""
    return Locations(tmp_path / "other", tmp_path / "data", cache_home / "mnist-tui" / "decoded")


@pytest.fixture
def contents(finished) -> dict[str, bytes]:
    """The files of a whole bundle."""
    with zipfile.ZipFile(io.BytesIO(pack(finished))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def test_a_bundle_verifies_elsewhere_and_leaves_nothing_behind(finished, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = tmp_path / "run.zip"
    path.write_bytes(pack(finished))
    with unpacked(path) as [(run, checks)]:
        assert run.id == finished.id
        assert len(checks) == 7
        assert verify(run, elsewhere, before=checks).agrees
        assert run.load_predictions() is not None
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not elsewhere.home.exists()


def test_equal_runs_give_equal_bytes(finished):
    first = pack(finished)
    os.utime(finished.log, (0, 0))
    assert pack(finished) == first


def test_a_file_altered_in_the_bundle_is_named(contents, elsewhere, tmp_path):
    contents["env.json"] = contents["env.json"].replace(b"cpu", b"gpu", 1)
    with unpacked(zipped(tmp_path / "run.zip", contents)) as [(run, checks)]:
        found = verify(run, elsewhere, before=checks)
    assert [(check.where, check.item) for check in found.checks if check.agrees is False] == [
        ("manifest.json", "SHA-256 of env.json")
    ]
    del contents["env.json"]
    with unpacked(zipped(tmp_path / "run.zip", contents)) as [(_, checks)]:
        assert [check.found for check in checks if not check.agrees] == ["none"]


def refused(path: Path) -> str:
    with pytest.raises(RunError) as caught, unpacked(path):
        pass
    assert str(path) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/config.json", "C:\\evil", "evil.py", "checkpoint.safetensors", "x" * 5000]
)
def test_a_name_that_no_bundle_has_is_refused(contents, tmp_path, name):
    path = zipped(tmp_path / "run.zip", {key: contents[key] for key in list(contents)[:-2]} | {name: b"evil"})
    assert "no bundle has a file" in refused(path)
    assert not (tmp_path.parent / "evil").exists()
    assert not Path("/tmp/evil").exists()


def test_links_and_folders_are_refused(contents, tmp_path):
    for mode, target in ((stat.S_IFLNK, b"/etc/passwd"), (stat.S_IFDIR, b""), (stat.S_IFIFO, b"")):
        path = zipped(tmp_path / "run.zip", {key: value for key, value in contents.items() if key != "env.json"})
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo("env.json")
            info.create_system, info.external_attr = 3, (mode | 0o644) << 16
            archive.writestr(info, target)
        assert "env.json is not a plain file" in refused(path)


def test_more_than_a_file_may_hold_is_refused_unread(contents, tmp_path):
    contents["env.json"] = bytes(LIMITS["env.json"] + 1)
    assert "env.json would have 1,048,577 bytes" in refused(zipped(tmp_path / "run.zip", contents))


def test_a_size_that_is_a_lie_is_refused(contents, tmp_path):
    """The list says a kilobyte, the packed content has a megabyte more."""
    contents["env.json"] = bytes(LIMITS["env.json"])
    path = zipped(tmp_path / "run.zip", contents)
    content = path.read_bytes().replace(struct.pack("<I", LIMITS["env.json"]), struct.pack("<I", 1000))
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_a_list_of_many_files_is_refused_before_it_is_read(contents, tmp_path):
    many = contents | {f"file-{number}": b"" for number in range(1000)}
    assert "more files than a bundle has" in refused(zipped(tmp_path / "run.zip", many))


def test_a_name_twice_is_refused(contents, tmp_path):
    del contents["meta.json"]
    path = zipped(tmp_path / "run.zip", contents)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", b"{}")
    assert "twice" in refused(path)


@pytest.mark.parametrize("missing", ["manifest.json", "config.json", "events.jsonl"])
def test_what_every_bundle_has_must_be_there(contents, tmp_path, missing):
    del contents[missing]
    assert f"it has no {missing}" in refused(zipped(tmp_path / "run.zip", contents))


@pytest.mark.parametrize(
    "change", [{"run_id": "../../evil"}, {"run_id": 1}, {"version": 2}, {"bundle": "x"}, {"files": []}, None]
)
def test_a_manifest_that_is_not_whole_is_refused(contents, tmp_path, change):
    manifest = json.loads(contents["manifest.json"])
    contents["manifest.json"] = b"[" * 100_000 if change is None else json.dumps(manifest | change).encode()
    assert "manifest.json" in refused(zipped(tmp_path / "run.zip", contents))


@pytest.mark.parametrize(
    ("arch", "reason"),
    [
        ("c60000k1 gap fc10", "channels must be 1 to 4096"),
        ("c1024k1 gap fc10", "802,816 values"),
        ("c300p1 tie5(res(c300p1)) gap fc10", "multiply-adds"),
        ("c300p1 rep5(c300p1) gap fc10", "multiply-adds"),
        ("fc4096 rep4(fc4096) fc10", "70,381,578 parameters"),
        ("res(" * 200, "brackets may be 8 deep"),
    ],
)
def test_a_network_that_would_fill_memory_or_time_is_refused(contents, tmp_path, arch, reason):
    config = json.loads(contents["config.json"]) | {"arch": arch}
    contents["config.json"] = json.dumps(config).encode()
    assert reason in refused(zipped(tmp_path / "run.zip", contents))


def test_what_is_no_zip_is_refused(contents, tmp_path):
    whole = zipped(tmp_path / "whole.zip", contents).read_bytes()
    for name, content in (("empty", b""), ("text", b"no zip at all" * 10), ("half", whole[: len(whole) // 2])):
        (tmp_path / f"{name}.zip").write_bytes(content)
        refused(tmp_path / f"{name}.zip")
    for place in range(0, len(whole), len(whole) // 60):
        flipped = bytearray(whole)
        flipped[place] ^= 0xFF
        (tmp_path / "flipped.zip").write_bytes(flipped)
        with suppress(RunError), unpacked(tmp_path / "flipped.zip") as [(_, checks)]:
            assert checks
    os.mkfifo(tmp_path / "pipe.zip")
    refused(tmp_path / "pipe.zip")
    refused(tmp_path / "missing.zip")


def test_a_module_of_ones_own_is_not_run_from_a_bundle(locations, elsewhere, tiny, tmp_path):
    code = "import torch\nclass Net(torch.nn.Sequential):\n    def __init__(self):\n        super().__init__("
    (tmp_path / "net.py").write_text(code + "torch.nn.Flatten(), torch.nn.Linear(784, 10))\n")
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny.changed(arch=f"{tmp_path / 'net.py'}:Net")))[-1].run_id)
    (tmp_path / "run.zip").write_bytes(pack(run))
    with unpacked(tmp_path / "run.zip") as [(found, checks)]:
        with pytest.raises(InvalidValue, match="module of your own"):
            verify(found, elsewhere)
        assert verify(found, elsewhere, arch=f"{tmp_path / 'net.py'}:Net", before=checks).agrees


def test_what_is_damaged_is_named_as_a_part_of_the_bundle(contents, tmp_path):
    whole = dict(contents)
    contents["config.json"] = b'{"lrr": 1}'
    path = zipped(tmp_path / "run.zip", contents)
    said = "not a bundle that is safe to open: config.json: damaged: lrr = 1: there is no such field"
    assert refused(path) == f"{path}: {said}"
    with pytest.raises(RunError) as caught, unpacked(zipped(path, whole)) as [(run, _)]:
        raise RunError(f"{run.log}: gone")
    assert caught.value.message == f"{path}: {run.id}/events.jsonl: gone"


def test_a_run_without_weights_is_not_packed(finished: Run):
    finished.final_weights.unlink()
    finished.best_weights.unlink()
    with pytest.raises(RunError, match="has no weights"):
        pack(finished)


@pytest.mark.parametrize("name", ["epoch_finished", "epoch_\\u0066inished"])
def test_epochs_are_counted_however_their_name_is_written(contents, tmp_path, monkeypatch, name):
    monkeypatch.setattr(unpack, "MAX_EPOCHS", 5)
    lines = contents["events.jsonl"].splitlines(keepends=True)
    (epoch, *_) = [line for line in lines if b"epoch_finished" in line]
    contents["events.jsonl"] += 6 * epoch.replace(b"epoch_finished", name.encode())
    assert "its log has more than 5 epochs" in refused(zipped(tmp_path / "run.zip", contents))


def test_a_log_of_starts_that_are_as_large_as_a_line_can_be_is_refused(contents, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MAX_STARTS", 5)
    (start, *_) = contents["events.jsonl"].splitlines(keepends=True)
    contents["events.jsonl"] += 6 * start
    assert "its log has more than 5 starts" in refused(zipped(tmp_path / "run.zip", contents))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([[0]] * 20_002, "it has 20,002 tensors, more than 20,000"),
        ([[1] * 60_001], "t0 has more than 16 dimensions"),
        ([[0] * 17], "t0 has more than 16 dimensions"),
    ],
)
def test_a_small_file_cannot_fill_the_memory_with_tensors(contents, elsewhere, tmp_path, shapes, words):
    header = {f"t{at}": {"dtype": "U8", "shape": shape, "data_offsets": [0, 0]} for at, shape in enumerate(shapes)}
    text = json.dumps(header).encode()
    crafted = struct.pack("<Q", len(text)) + text
    names = [name for name in contents if name.endswith(".safetensors") and len(crafted) < LIMITS[name]]
    path = zipped(tmp_path / "run.zip", contents | dict.fromkeys(names, crafted))
    with unpacked(path) as [(run, _)]:
        with pytest.raises(RunError, match=words):
            verify(run, elsewhere)
        if run.predictions.name in names:
            with pytest.raises(RunError, match=words):
                run.load_predictions()
