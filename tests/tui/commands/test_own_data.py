"""Runs on one's own data by the command line: recorded with what is in them, gone on with and verified on just that."""

import pytest
from own_data import draw, write_csv, write_images, write_npz

TRAIN, TRAIN_LABELS = draw(300, size=28, classes=10)
TEST, TEST_LABELS = draw(60, size=28, classes=10, seed=1)
QUICK = ("--arch", "c4 gap fc10", "--epochs", "2", "--device", "cpu", "--batch-size", "64")


@pytest.fixture
def own(tmp_path):
    arrays = {"x_train": TRAIN, "y_train": TRAIN_LABELS, "x_test": TEST, "y_test": TEST_LABELS}
    return write_npz(tmp_path / "letters.npz", **arrays)


def change(own) -> None:
    write_npz(own, x_train=TRAIN[::-1], y_train=TRAIN_LABELS[::-1], x_test=TEST, y_test=TEST_LABELS)


def test_a_run_is_recorded_by_the_files_name_and_the_sum_of_what_is_in_it(cli, own, monkeypatch, store):
    monkeypatch.chdir(own.parent)
    answer = cli("run", "--dataset", "letters.npz", "--json", *QUICK)
    assert answer.code == 0, answer.err
    started = answer.records[0]
    name, _, digits = started["dataset"].partition("@")
    assert (name, len(digits)) == ("letters.npz", 12)
    assert started["config"]["dataset"] == f"{own}@{digits}" == store.find("latest").config()["dataset"]
    assert (started["train_images"], started["test_images"]) == (300, 60)
    assert (started["pixel_mean"], started["pixel_std"]) == pytest.approx(
        (TRAIN.mean() / 255, TRAIN.std() / 255), abs=1e-6
    )
    (row,) = cli("runs", "--json", "--dataset", started["dataset"]).json
    assert row["dataset"] == started["dataset"]
    assert f"{name}@{digits}" in cli("show", "latest").out
    assert cli("verify", "latest").code == 0
    again = cli("run", "--dataset", started["config"]["dataset"], "--json", *QUICK)
    assert again.records[-1]["weights_sha256"] == answer.records[-1]["weights_sha256"]


def test_the_same_run_on_the_same_data_elsewhere_has_the_same_weights(cli, own, tmp_path):
    (tmp_path / "tables").mkdir()
    write_csv(tmp_path / "tables" / "train.csv.gz", TRAIN, TRAIN_LABELS)
    write_csv(tmp_path / "tables" / "test.csv", TEST, TEST_LABELS, last=True)
    forms = (own, tmp_path / "tables")
    ends = [cli("run", "--dataset", path, "--name", path.name, "--json", *QUICK).records for path in forms]
    assert ends[0][-1]["weights_sha256"] == ends[1][-1]["weights_sha256"]
    assert ends[0][0]["dataset"].partition("@")[2] == ends[1][0]["dataset"].partition("@")[2]
    assert "the two give every test image the same class" in cli("compare", "letters.npz", "tables").out
    taught = cli("run", "--dataset", own, "--teacher", "tables", "--quiet", *QUICK)
    assert taught.code == 0, taught.err
    assert cli("verify", "latest").code == 0


@pytest.mark.parametrize("asked", ["letters.npz", "./letters.npz", "{own}", "{recorded}"])
def test_runs_on_ones_own_data_are_found_by_its_path_or_name(cli, own, asked):
    assert cli("run", "--dataset", own, "--quiet", *QUICK).code == 0
    assert cli("run", "--dataset", "mnist-5k", "--limit-train", "100", "--quiet", *QUICK).code == 0
    (recorded,) = [row["dataset"] for row in cli("runs", "--json").json if row["dataset"] != "mnist-5k"]
    wanted = asked.format(own=own, recorded=recorded)
    assert [row["dataset"] for row in cli("runs", "--json", "--dataset", wanted).json] == [recorded]


def test_a_run_whose_data_changed_is_neither_gone_on_with_nor_verified(cli, refused, own):
    assert cli("run", "--dataset", own, "--quiet", *QUICK).code == 0
    kept = own.read_bytes()
    change(own)
    refused(cli("resume", "latest", "--epochs", "3"), 4, str(own), "changed: the sum of what is in it begins with")
    answer = cli("verify", "latest")
    assert answer.code == 4
    assert "changed" in answer.err
    own.unlink()
    refused(cli("resume", "latest", "--epochs", "3"), 4, str(own), "missing")
    own.write_bytes(kept)
    assert cli("resume", "latest", "--epochs", "3", "--quiet").code == 0
    assert cli("verify", "latest").code == 0


def test_runs_on_other_data_of_the_same_name_are_not_taken_for_one_group(cli, own):
    first = cli("run", "--dataset", own, "--seeds", "0-1", "--json", *QUICK)
    assert first.code == 0, first.err
    groups = {record.get("dataset") for record in first.records if record["event"] == "run_started"}
    assert len(groups) == 1
    change(own)
    second = cli("run", "--dataset", own, "--json", *QUICK)
    assert {second.records[0]["dataset"]}.isdisjoint(groups)


def test_what_is_wrong_with_own_data_is_one_line_before_any_run_is_made(cli, refused, tmp_path, store):
    path = write_images(tmp_path / "own", TRAIN[:20], TRAIN_LABELS[:20].tolist())
    (path / "3" / "0001.png").write_bytes(b"no image")
    refused(cli("run", "--dataset", path, *QUICK), 4, str(path / "3" / "0001.png"))
    refused(
        cli("run", "--dataset", "letters", *QUICK), 2, "dataset = letters", "must be one of auto, mnist", "the path of"
    )
    refused(cli("run", "--dataset", tmp_path / "nothing.csv", *QUICK), 4, "nothing.csv: missing")
    assert store.runs() == []


def test_data_describes_verifies_and_locates_ones_own(cli, refused, own):
    answer = cli("data", "verify", "--dataset", own)
    assert answer.code == 0
    assert answer.out.startswith(f"{own}@")
    assert "300 images to train on, 60 to test on, 28 x 28 pixels, 10 classes" in answer.err
    assert "300 + 60" in cli("data", "--dataset", own).out
    assert cli("data", "path", "--dataset", own).out == f"{own}\n"
    refused(cli("data", "download", "--dataset", own), 2, "is your own, which is not downloaded")
    refused(cli("data", "--dataset", "auto"), 2, "dataset = auto")


def test_the_list_has_every_known_set(cli, tmp_path):
    from core.dataset_names import TASKS

    first = [line.split()[0] for line in cli("data", data=tmp_path / "d").out.splitlines()[1:]]
    assert first[:4] == ["mnist", "mnist-5k", "fashion", "kmnist"]
    assert set(first) == set(TASKS) - {"auto", "emnist"}
    assert not (tmp_path / "d").exists()


def test_a_sweep_goes_on_with_the_data_it_began_with_and_no_others(cli, refused, own):
    words = ("sweep", "--study", "letters", "--lr", "0.01,0.05", "--sampler", "grid", "--epochs", "1", "--jobs", "1")
    words += ("--arch", "c4 gap fc10", "--device", "cpu", "--batch-size", "64", "--dataset", str(own))
    answer = cli(*words, "--trials", "1", "--json")
    assert answer.code == 0, answer.err
    change(own)
    answer = cli(*words, "--trials", "2")
    assert answer.code == 4
    assert "changed" in answer.err
