"""Tensors: a hash that anyone can recompute; files written whole or not at all, the one before kept if asked for."""

import os
import struct
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from core.errors import RunError
from core.storage.tensors import read_cache, read_tensors, weights_sha256, write_cache, write_tensors


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118  # not a mapping


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_tensors_of_any_type_shape_and_strides_come_back_equal(tmp_path):
    tensors = {
        "weight": torch.rand(4, 3, 2, 2).to(memory_format=torch.channels_last),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "count": torch.tensor(7),
        "sum": torch.tensor(0.1, dtype=torch.float64),
        "small": torch.tensor([[-3, 127]], dtype=torch.int8),
        "half": torch.rand(3).bfloat16(),
        "none": torch.zeros(0, 2),
    }
    write_tensors(tmp_path / "file", tensors, {"text": 'k\u00e4se "\n'})
    found, metadata = read(tmp_path / "file")
    assert metadata == {"text": 'k\u00e4se "\n'}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_the_one_before_goes_where_it_is_to_be_kept(tmp_path):
    path, keep = tmp_path / "file", tmp_path / "kept"
    for value in (1.0, 2.0, 3.0):
        write_tensors(path, {"a": torch.tensor(value)}, {}, keep=keep)
    assert [read(where)[0]["a"].item() for where in (path, keep)] == [3.0, 2.0]
    write_tensors(path, {"a": torch.tensor(4.0)}, {})
    assert [read(where)[0]["a"].item() for where in (path, keep)] == [4.0, 2.0]
    assert set(written(tmp_path)) == {"file", "kept"}


def test_a_disk_that_turns_out_full_only_when_it_is_synced_leaves_both_files_as_they_were(tmp_path, monkeypatch):
    path, keep = tmp_path / "file", tmp_path / "kept"
    for value in (1.0, 2.0):
        write_tensors(path, {"a": torch.tensor(value)}, {}, keep=keep)
    before = written(tmp_path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_tensors(path, {"a": torch.tensor(3.0)}, {}, keep=keep)
    assert written(tmp_path) == before


def test_what_was_written_is_read(tmp_path):
    write_tensors(tmp_path / "file", {"a": torch.arange(3)}, {"epoch": "2"})
    tensors, metadata = read_tensors(tmp_path / "file", 1000)
    assert torch.equal(tensors["a"], torch.arange(3))
    assert metadata == {"epoch": "2"}


def test_a_file_that_is_too_large_damaged_or_no_file_is_named(tmp_path):
    write_tensors(tmp_path / "large", {"a": torch.zeros(1000)}, {})
    (tmp_path / "text").write_text("no tensors")
    os.mkfifo(tmp_path / "pipe")
    for name in ("large", "text", "pipe", "."):
        with pytest.raises(RunError) as caught:
            read_tensors(tmp_path / name, 2000)
        assert str(tmp_path / name) in caught.value.message
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "missing", 2000)


def test_a_pipe_in_the_place_of_a_cache_is_not_waited_for(tmp_path):
    write_cache(tmp_path / "file", {"a": torch.arange(3)})
    assert read_cache(tmp_path / "file").keys() == {"a"}
    os.mkfifo(tmp_path / "pipe")
    assert read_cache(tmp_path / "pipe") is None


def test_the_hash_is_of_name_type_shape_and_bytes_in_the_order_of_the_names():
    weights = {"b": torch.tensor([[1.0, 2.0, 3.0]]), "a": torch.tensor(7)}
    by_hand = b"a torch.int64 ()\n" + struct.pack("<q", 7) + b"b torch.float32 (1, 3)\n" + struct.pack("<3f", 1, 2, 3)
    assert weights_sha256(weights) == sha256(by_hand).hexdigest()


def test_the_hash_tells_name_type_shape_and_values_apart_and_nothing_else():
    values = torch.arange(24.0).reshape(1, 4, 2, 3)
    base = weights_sha256({"w": values, "v": torch.zeros(0)})
    assert base == weights_sha256({"v": torch.zeros(0), "w": values.to(memory_format=torch.channels_last)})
    others = [
        {"w2": values, "v": torch.zeros(0)},
        {"w": values.reshape(4, 6), "v": torch.zeros(0)},
        {"w": values.view(torch.int32), "v": torch.zeros(0)},
        {"w": values + torch.eye(3)[1:], "v": torch.zeros(0)},
        {"w": values},
    ]
    assert len({base, *map(weights_sha256, others)}) == 6


def test_weights_of_half_precision_can_be_hashed():
    assert weights_sha256({"w": torch.ones(2, dtype=torch.bfloat16)}) != weights_sha256({"w": torch.ones(2)})


def test_a_cache_that_another_user_could_have_written_is_not_believed(tmp_path):
    """With its sum corrected: only where it lies tells it from one of our own."""
    folder = tmp_path / "cache"
    write_cache(folder / "file", {"labels": torch.arange(3)})
    assert read_cache(folder / "file") is not None
    folder.chmod(0o777)
    assert read_cache(folder / "file") is None
