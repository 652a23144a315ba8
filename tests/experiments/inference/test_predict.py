"""Drawings are kept, and never in the place of another one."""

from __future__ import annotations

import pytest
import torch
from picture_files import read_picture

from core.errors import StorageError
from experiments.inference.predict import save_drawing


def test_each_drawing_gets_a_file_of_its_own_that_reads_back(tmp_path):
    image = torch.zeros(112, 112, dtype=torch.uint8)
    image[20:90, 50:60] = 255
    paths = [save_drawing(tmp_path, image) for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.parent == tmp_path / "drawings" and path.suffix == ".png" for path in paths)
    assert int(read_picture(paths[0]).max()) == 255


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "drawings").write_text("not a folder")
    with pytest.raises(StorageError, match="drawings: cannot be written"):
        save_drawing(tmp_path, torch.zeros(4, 4, dtype=torch.uint8))
