"""`data show`: augmented digits beside what they were, as wide as the terminal is."""

import numpy as np
import pytest

SHOW = ("data", "show", "--dataset", "mnist-5k")


def widths(out: str) -> int:
    return max(map(len, out.splitlines()))


@pytest.mark.parametrize(("columns", "pairs"), [(200, 6), (80, 2), (40, 1), (20, 1)])
def test_as_many_pairs_stand_side_by_side_as_fit(cli, monkeypatch, columns, pairs):
    monkeypatch.setenv("COLUMNS", str(columns))
    answer = cli(*SHOW, "--augment", "affine,erase")
    assert answer.code == 0
    assert len(answer.out.splitlines()) == -(-16 // pairs) * 9 - 1
    assert len(answer.out.splitlines()[0].split()) == pairs
    assert columns < 29 or widths(answer.out) <= columns
    assert "left as it is, right by affine,erase: as epoch 1 of a run with seed 0 begins" in answer.err


@pytest.mark.parametrize(
    "kind", ["shift", "affine", "rotate", "scale", "shear", "elastic", "erase", "brightness", "contrast", "crop"]
)
def test_each_kind_changes_what_is_drawn_by_its_strength_and_seed(cli, kind):
    option = {"affine": "rotation", "rotate": "rotation"}.get(kind, kind)
    more = ("--erase-chance", "1") if kind == "erase" else ()

    def shown(*options: str) -> str:
        answer = cli(*SHOW, "--augment", kind, *more, *options)
        assert answer.code == 0, answer
        return answer.out

    first = shown()
    assert first == shown()
    assert first != shown("--seed", "1")
    stronger = {"shift": "6", "crop": "6", "rotation": "80", "shear": "40", "elastic": "90"}.get(option, "0.45")
    assert first != shown(f"--{option}", stronger)


def test_ascii_is_ascii(cli):
    answer = cli(*SHOW, "--augment", "elastic+contrast", "--ascii", "--count", "3")
    assert answer.code == 0
    assert answer.out.isascii()
    assert "@" in answer.out
    assert len(answer.out.splitlines()) == 8


def test_without_augmentation_the_digits_are_alone(cli):
    answer = cli(*SHOW, "--count", "2")
    assert widths(answer.out) == 14 + 3 + 14
    assert "nothing is changed" in answer.err


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--augment", "flip"), ("augment = flip", "none, or some of")),
        (("--augment", "shift,shift"), ("augment = shift,shift", "each once")),
        (("--augment", "shear", "--shear", "61"), ("shear = 61", "at most 60")),
        (("--augment", "crop", "--crop", "1.5"), ("crop = 1.5", "whole number")),
        (("--count", "0"), ("count = 0", "at least 1")),
        (("--count", "x"), ("count = x", "whole number")),
        (("--seed", "-1"), ("seed = -1", "at least 0")),
    ],
)
def test_bad_values_are_refused(cli, refused, options, parts):
    refused(cli(*SHOW, *options), 2, *parts)


@pytest.mark.parametrize("options", [("--augment", "shift"), ("--count", "3"), ("--ascii",), ("--seed", "0")])
@pytest.mark.parametrize("action", ["verify", "path", "download", None])
def test_its_options_are_for_it_alone(cli, refused, options, action):
    command = ("data", action) if action else ("data",)
    refused(cli(*command, "--dataset", "mnist-5k", *options), 2, "is an option of data show")


def test_missing_data_are_an_error_as_everywhere(cli, refused, no_network, tmp_path):
    answer = cli("data", "show", "--dataset", "fashion", "--augment", "shift", data=tmp_path / "nothing")
    refused(answer, 4, "train-images-idx3-ubyte.gz cannot be downloaded")
    assert not answer.out


def test_where_there_is_no_mnist_the_bundled_digits_are_shown_and_it_is_said(cli, no_network, tmp_path):
    answer = cli("data", "show", "--augment", "shift", "--count", "1", data=tmp_path / "nothing")
    assert answer.code == 0
    assert "bundled mnist-5k" in answer.err


@pytest.mark.parametrize(("size", "columns"), [(8, 12), (28, 14), (64, 32)])
def test_images_of_any_size_are_drawn_in_a_size_that_can_be_read(cli, tmp_path, size, columns):
    images = np.zeros((20, size, size), np.uint8)
    images[:, size // 4 : size // 2] = 255
    labels = np.arange(20) % 2
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    answer = cli("data", "show", "--dataset", tmp_path / "own.npz", "--augment", "shear", "--count", "1")
    assert answer.code == 0, answer
    assert widths(answer.out) == 2 * columns + 1
