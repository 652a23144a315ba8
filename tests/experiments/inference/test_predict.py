"""Which pictures are meant, what a network is given of them; drawings are kept, each in a file of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from picture_files import read_picture
from PIL import Image
from rights import may_not_enter

from core.errors import StorageError
from experiments.execution.runner import Runner
from experiments.inference.network import load_network
from experiments.inference.pictures import picture_files
from experiments.inference.predict import predict, save_drawing


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


def test_a_picture_for_a_network_of_other_things_is_neither_searched_nor_turned(locations, store, tiny, tmp_path):
    list(Runner(locations).run(tiny.changed(epochs=1, limit_train=200)))
    digits = load_network(store.find("latest"))
    picture = Image.new("L", (56, 56), 230)
    picture.save(tmp_path / "plain.png")
    picture.paste(40, (4, 4, 52, 30))
    picture.save(tmp_path / "a.png")
    whole = torch.tensor(list(picture.reduce(2).tobytes()), dtype=torch.uint8).view(28, 28)
    for dataset in ("fashion", "kmnist"):
        network = replace(digits, config=digits.config.model_copy(update={"dataset": dataset}))
        (one, _), errors = predict(network, [tmp_path / "a.png", tmp_path / "plain.png"])
        assert errors == []
        assert torch.equal(one.image, whole)
    (error,) = predict(digits, [tmp_path / "plain.png"])[1]
    assert "nothing is drawn" in error.message


def test_pictures_that_cannot_be_looked_at_are_named_and_the_others_are_found(tmp_path):
    good = tmp_path / "good.png"
    Image.new("L", (8, 8)).save(good)
    (tmp_path / "shut").mkdir()
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / "long.png").symlink_to("x" * 300)
    names = [tmp_path / ("x" * 300), tmp_path / "with", tmp_path / "with" / "*.png", good]
    files, errors = picture_files(names)
    assert files == [good]
    assert [error.value for error in errors] == list(map(str, names[:3]))
    assert all("cannot be read: File name too long" in error.message for error in errors)
    with may_not_enter(tmp_path / "shut"):
        files, (error,) = picture_files([tmp_path / "shut" / "a.png"])
    assert "ermission denied" in error.message
