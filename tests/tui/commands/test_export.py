"""`predict`, `export`, `verify`, `bundle` and `report` as a user meets them: what they print, and every way to fail."""

import csv
import json
import os
import sys
from pathlib import Path

import pytest

FORMATS = ("safetensors", "csv", "json", "svg", "tensorboard")


def written() -> list[str]:
    """What is in the current folder."""
    return [path.name for path in Path().iterdir()]


@pytest.fixture
def trained(train, store, tmp_path, monkeypatch):
    """A finished run, in a folder to work in."""
    assert train("--quiet", "--name", "first").code == 0
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return store.find("first")


@pytest.fixture
def digits(trained, cli, tmp_path):
    """The first 100 test images as PNG files, in order."""
    from core.data.loader import Loader
    from core.data.picture import write_picture
    from experiments.locations import Locations

    locations = Locations.resolve(None, None)
    images = Loader(locations.data, locations.cache).load("mnist-5k").test_images[:100]
    paths = [tmp_path / "work" / f"{index:03}.png" for index in range(100)]
    for path, image in zip(paths, images, strict=True):
        write_picture(path, image)
    return paths


def test_the_first_100_test_images_are_predicted_as_they_were_in_the_run(cli, trained, digits):
    answer = cli("predict", "first", *digits, "--json")
    assert answer.code == 0
    assert [entry["path"] for entry in answer.json] == [str(path) for path in digits]
    assert [entry["prediction"] for entry in answer.json] == trained.load_predictions().final[:100].tolist()
    for entry in answer.json:
        assert sum(entry["probabilities"]) == pytest.approx(1)
        assert max(entry["probabilities"]) == entry["probabilities"][entry["prediction"]]


def test_predictions_as_a_table(cli, trained, digits):
    answer = cli("predict", "first", *digits[:2])
    head, *rows = answer.out.splitlines()
    assert head.split() == ["image", "class", "probability", "next"]
    assert [row.split()[0] for row in rows] == [str(path) for path in digits[:2]]
    assert [int(row.split()[1]) for row in rows] == trained.load_predictions().final[:2].tolist()


def test_a_picture_that_cannot_be_used_is_named_and_the_others_are_answered(cli, trained, refused, digits):
    from PIL import Image

    Path("empty.png").touch()
    Path("text.png").write_text("hello")
    Image.new("L", (200, 200), 255).save("blank.png")
    Image.new("1", (20_000, 20_000)).save("huge.png")
    for name in ("empty.png", "text.png", "blank.png", "huge.png", "missing.png"):
        answer = cli("predict", "first", name, digits[0], "--json")
        assert answer.code == 2
        assert f"image = {name}" in answer.err
        assert [entry["path"] for entry in answer.json] == [str(digits[0])]
        refused(cli("predict", "first", name), 2, f"image = {name}")
    refused(cli("predict", "nobody", digits[0]), 5, "no such run")
    assert cli("predict", "first").code == 2


def test_folders_and_patterns_mean_the_pictures_in_them(cli, trained, refused, digits):
    folder = digits[0].parent
    (folder / "notes.txt").write_text("no picture")
    answer = cli("predict", "first", folder, "--json")
    assert answer.code == 0
    assert {entry["path"] for entry in answer.json} == {str(path) for path in digits}
    assert cli("predict", "first", folder / "*.png", "--json").json == answer.json
    refused(cli("predict", "first", folder / "*.gif"), 2, "*.gif", "no file matches")
    Path("nothing").mkdir()
    refused(cli("predict", "first", "nothing"), 2, "image = nothing", "no pictures")


def test_of_two_digits_one_is_given_and_both_are_with_many(cli, trained, digits):
    from PIL import Image

    sheet = Image.new("L", (600, 300), 0)
    for left, path in ((20, digits[1]), (310, digits[3])):
        sheet.paste(Image.open(path).resize((240, 240), Image.Resampling.BICUBIC), (left, 30))
    sheet.save("two.png")
    answer = cli("predict", "first", "two.png")
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 2
    assert "two.png: 2 digits found" in answer.err
    both = cli("predict", "first", "two.png", "--many", "--json").json
    assert [(entry["digit"], entry["digits"]) for entry in both] == [(1, 2), (2, 2)]
    assert both[0]["box"][0] < both[1]["box"][0]


def test_what_the_network_saw_is_shown(cli, trained, digits):
    answer = cli("predict", "first", digits[0], "--show")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert len(lines) == 2 + 2 + 14
    assert any(set(line) - {" ", "\u2800"} for line in lines[4:])
    both = cli("predict", "first", digits[0], "--show", "--json")
    assert len(both.json) == 1  # stdout is data alone
    assert str(digits[0]) in both.err


def test_wrong_images_are_written_by_verify_and_by_report(cli, trained):
    stored = trained.load_predictions().final
    assert cli("verify", "first", "--save-wrong", "wrong").code == 0
    files = sorted(Path("wrong").iterdir())
    assert files
    for path in files:
        index, _, truth, _, said = path.stem.split("-")
        assert truth != said
        assert int(said) == int(stored[int(index)])
    assert cli("report", "first", "--save-wrong", "again", "-o", "page.html").code == 0
    assert [path.name for path in sorted(Path("again").iterdir())] == [path.name for path in files]
    Path("taken").write_text("a file")
    answer = cli("verify", "first", "--save-wrong", "taken")
    assert answer.code == 2
    assert "taken: cannot be written" in answer.err


def test_a_run_without_weights_exits_5(cli, trained, refused):
    for path in (trained.final_weights, trained.best_weights):
        path.unlink()
    for words in (("predict", "first", "x.png"), ("verify", "first"), ("bundle", "first")):
        refused(cli(*words), 5, "weights")
    for name in ("safetensors", "onnx"):
        refused(cli("export", "first", "--format", name), 5, "has no weights")
    assert written() == []
    assert cli("export", "first", "--format", "csv").code == 0


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_says_where_it_is_and_is_not_replaced(cli, trained, refused, name):
    answer = cli("export", "first", "--format", name)
    assert answer.code == 0
    assert answer.out.strip() in written()
    assert answer.out.startswith(trained.id)
    refused(cli("export", "first", "--format", name), 2, "output", "exists already")
    refused(cli("export", "first", "--format", name, "-o", "missing/out"), 2, "missing/out", "cannot be written")
    assert len(written()) == 1


def test_a_format_that_cannot_be_had_is_refused(cli, trained, refused, monkeypatch):
    refused(
        cli("export", "first", "--format", "pdf"), 2, "format = pdf", "safetensors, onnx, csv, json, svg, tensorboard"
    )
    for package, name, extra in (("onnx", "onnx", "export"), ("tensorboard", "tensorboard", "tensorboard")):
        monkeypatch.setitem(sys.modules, package, None)
        answer = cli("export", "first", "--format", name)
        refused(answer, 2, f"format = {name}", f"needs {package}")
        assert f"pip install 'mnist-tui[{extra}]'" in answer.err
    refused(cli("export", "nobody", "--format", "csv"), 5, "no such run")


def test_texts_can_go_to_stdout(cli, trained, refused):
    assert cli("export", "first", "--format", "csv", "-o", "-").out.startswith("epoch,train_loss")
    assert cli("export", "first", "--format", "json", "-o", "-").json["run_id"] == trained.id
    refused(cli("export", "first", "--format", "safetensors", "-o", "-"), 2, "output = -")


def test_the_epochs_of_a_group_are_one_table_with_the_seed_of_each(cli, train, store, refused, tmp_path, monkeypatch):
    assert train("--quiet", "--name", "two", "--seeds", "3,1").code == 0
    monkeypatch.chdir(tmp_path)
    runs = store.find_all("two")
    (target,) = cli("export", "two", "--format", "csv").out.splitlines()
    content = Path(target).read_text()
    rows = list(csv.DictReader(content.splitlines()))
    assert [(row["run_id"], row["seed"], row["epoch"], row["test_accuracy"]) for row in rows] == [
        (run.id, str(seed), str(epoch.epoch), str(epoch.test_accuracy))
        for run, seed in zip(runs, (1, 3), strict=True)
        for epoch in run.view().epochs
    ]
    assert len(rows) == 4
    assert cli("export", "two", "--format", "csv", "-o", "-").out == content
    refused(cli("export", "two", "--format", "csv"), 2, "output", "exists already")
    refused(cli("export", "two", "--format", "svg"), 2, "run = two", "is a group, and svg is of one run")


def test_verify_agrees_then_names_what_was_altered(cli, trained):
    answer = cli("verify", "first")
    assert (answer.code, answer.err) == (0, "")
    assert "checks agree" in answer.out.splitlines()[-1]
    assert cli("verify", "first", "--json").json["agrees"] is True
    trained.log.write_text(trained.log.read_text().replace('"total_params": 4', '"total_params": 5'))
    answer = cli("verify", "first")
    assert answer.code == 5
    assert "DIFFERS" in answer.out
    assert "events.jsonl, run_started" in answer.err
    record = cli("verify", "first", "--json")
    assert record.code == 5
    assert record.json["agrees"] is False
    assert {check["item"] for check in record.json["checks"] if check["agrees"] is False} == {
        "parameters, from the spec",
        "parameters, of the module",
    }


def test_a_group_is_verified_run_by_run(cli, train, store):
    group_id = json.loads(train("--jobs", "1", "--seeds", "0-1", "--json").out.splitlines()[-1])["group_id"]
    assert cli("verify", group_id).out.count("checks agree") == 2
    one, other = store.find_all(group_id)
    for path in (one.final_weights, one.best_weights):
        path.unlink()
    answer = cli("verify", group_id, "--json")
    assert answer.code == 5
    assert {record["run_id"]: record["agrees"] for record in answer.json["runs"]} == {one.id: False, other.id: True}
    for run in (one, other):
        run.change_meta(name=f"pair-{run.config()['seed']}")
    assert cli("verify", "pair", "--json").json["group_id"] == answer.json["group_id"] == group_id


def test_a_bundle_is_verified_by_somebody_without_the_run(cli, trained, tmp_path, refused):
    answer = cli("bundle", "first", "-o", "run.zip")
    assert (answer.code, answer.out.strip()) == (0, "run.zip")
    assert cli("verify", "run.zip", at=tmp_path / "nobody").code == 0
    refused(cli("bundle", "first", "-o", "run.zip"), 2, "run.zip", "exists already")
    assert cli("bundle", "first", "-o", "run.zip", "--force").code == 0
    os.truncate("run.zip", 1000)
    refused(cli("verify", "run.zip"), 5, "run.zip")
    refused(cli("verify", "missing.zip"), 5, "missing.zip")


def test_a_report_is_one_file(cli, trained, refused):
    answer = cli("report", "first", "-o", "page.html")
    assert (answer.code, answer.out.strip()) == (0, "page.html")
    assert trained.id in Path("page.html").read_text()
    assert cli("report", "first").out.strip() == f"{trained.id}.html"
    refused(cli("report", "first", "-o", "page.html"), 2, "page.html")
    refused(cli("report", "first", "-o", "page.md"), 2, "output = page.md: must end in .html")
    refused(cli("report", "first", "nobody"), 5, "no such run")


def test_a_module_of_ones_own_is_named_again(cli, train, store, tmp_path, refused, digits):
    path = tmp_path / "work" / "net.py"
    code = "import torch\nclass Net(torch.nn.Sequential):\n    def __init__(self):\n        super().__init__("
    path.write_text(code + "torch.nn.Flatten(), torch.nn.Linear(784, 10))\n")
    assert train("--arch", "net.py:Net", "--name", "own").code == 0
    for words in (("predict", "own", digits[0]), ("verify", "own")):
        answer = cli(*words)
        refused(answer, 2, "module of your own")
        assert f"--arch {path}:Net" in answer.err
        assert cli(*words, "--arch", f"{path}:Net").code == 0
    assert cli("export", "own", "--format", "safetensors").code == 0


def test_a_run_writes_event_files_when_told(train, store):
    assert train("--tensorboard", "--name", "shown").code == 0
    assert any((store.find("shown").folder / "tensorboard").iterdir())


def test_a_tracker_that_is_not_installed_is_named_before_anything_is_done(train, store, refused, monkeypatch):
    for package in ("trackio", "wandb", "tensorboard"):
        monkeypatch.setitem(sys.modules, package, None)
    for name in ("trackio", "wandb"):
        answer = train("--log-to", name)
        refused(answer, 2, f"log_to = {name}", f"needs {name}")
        assert f"pip install '{name}'" in answer.err
    refused(train("--tensorboard"), 2, "tensorboard")
    refused(train("--log-to", "paper"), 2, "paper", "trackio", "wandb")
    assert store.runs() == []


def test_a_tracker_that_fails_is_a_warning(train, store, tmp_path, monkeypatch):
    (tmp_path / "trackio.py").write_text("def init(**_): raise OSError('no route to host')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = train("--log-to", "trackio", "--name", "lonely", "--json")
    sys.modules.pop("trackio", None)
    assert answer.code == 0
    assert [record["event"] for record in answer.records][-1] == "run_finished"
    assert answer.err.count("warning: trackio: OSError: no route to host") == 1
    assert store.find("lonely").row().ended == "finished"
