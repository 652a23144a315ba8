"""Exports hold what the run holds, in formats that their own readers open."""

import csv
import io
import json
import os
import sys
from dataclasses import asdict
from xml.etree import ElementTree

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.errors import InvalidValue, RunError, StorageError
from core.events import to_record
from core.storage.files import draft_prefix
from core.storage.tensors import weights_sha256
from experiments.execution.runner import Runner
from experiments.export.formats import FORMATS, export, find_format, render
from experiments.inference.network import load_network
from experiments.runs.folder import Meta


def test_safetensors_hold_the_weights_and_say_what_they_are(finished, tmp_path):
    path = tmp_path / "net.safetensors"
    export(finished, find_format("safetensors"), path, None, None)
    stored, end = load_file(finished.final_weights), finished.view().end
    found = load_file(path)
    assert found.keys() == stored.keys()
    assert weights_sha256(found) == end.weights_sha256
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["spec"] == "c4 p2 c8 gap fc10"
    assert metadata["weights_sha256"] == end.weights_sha256
    assert (metadata["weights"], metadata["epoch"], metadata["dataset"]) == ("final", "2", "mnist-5k")
    assert json.loads(metadata["config"])["batch_size"] == 128
    scores = json.loads(metadata["scores"])
    assert scores["final_test_accuracy"] == end.final_test_accuracy
    assert scores["best_test_accuracy"] == end.best_test_accuracy
    assert scores["test_images"] == 200


def test_the_best_weights_can_be_exported_too(finished):
    from safetensors.torch import load

    found = load(render(finished, find_format("safetensors"), "best", None))
    stored = load_file(finished.best_weights)
    assert all(torch.equal(found[name], tensor) for name, tensor in stored.items())


def test_csv_has_a_row_for_each_epoch(finished):
    rows = list(csv.DictReader(io.StringIO(render(finished, find_format("csv"), None, None).decode())))
    epochs = finished.view().epochs
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert [float(row["test_accuracy"]) for row in rows] == [epoch.test_accuracy for epoch in epochs]
    assert [float(row["train_loss"]) for row in rows] == [epoch.train_loss for epoch in epochs]
    assert {row["val_loss"] for row in rows} == {""}


def test_the_steps_of_a_run_that_was_resumed_are_in_the_json_once_and_in_order(new_run, script):
    first = [script.progress(1, step, loss=None if step == 3 else 1 / step) for step in range(1, 6)]
    again = [script.progress(1, step, loss=2 / step, images_per_second=1e-7, threads=2) for step in range(4, 8)]
    run = new_run(script.started(), *first, script.started(), *again, script.stopped(1))
    record = json.loads(text := render(run, find_format("json"), None, None))
    assert record["steps"] == [asdict(event) for event in [*first[:3], *again]]
    assert text == json.dumps(record, indent=1).encode() + b"\n"
    assert json.loads(render(new_run(script.started()), find_format("json"), None, None))["steps"] == []


def test_json_has_config_curves_and_result(finished):
    record = json.loads(render(finished, find_format("json"), None, None))
    view = finished.view()
    assert record["run_id"] == finished.id
    assert record["config"] == dict(view.config)
    assert record["end"] == to_record(view.end)
    assert [epoch["test_loss"] for epoch in record["epochs"]] == [epoch.test_loss for epoch in view.epochs]
    places = [(step["epoch"], step["step"]) for step in record["steps"]]
    assert places
    assert places == sorted(set(places))


def test_svg_is_a_picture_with_all_charts(finished):
    root = ElementTree.fromstring(render(finished, find_format("svg"), None, None))
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["Accuracy", "Accuracy, that on training images too", "Loss, log scale"]


def test_event_files_are_read_by_tensorboard(finished, tmp_path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "events"
    export(finished, find_format("tensorboard"), folder, None, None)
    events = EventAccumulator(str(folder))
    events.Reload()
    view = finished.view()
    for tag, field in (("accuracy/test", "test_accuracy"), ("loss/train", "train_loss"), ("lr", "lr")):
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == [1, 2]
        assert [scalar.value for scalar in scalars] == pytest.approx([getattr(epoch, field) for epoch in view.epochs])
    assert events.Scalars("loss/step")[-1].step <= 4
    assert events.Scalars("accuracy/final")[0].value == pytest.approx(view.end.final_test_accuracy)
    assert "accuracy/held_out" not in events.Tags()["scalars"]
    assert [path.name for path in tmp_path.iterdir() if "events" in path.name] == ["events"]  # and no draft


def test_nothing_is_replaced_unless_that_is_wanted(finished, tmp_path):
    path = tmp_path / "curves.csv"
    path.write_text("mine")
    with pytest.raises(InvalidValue, match="exists already"):
        export(finished, find_format("csv"), path, None, None)
    assert path.read_text() == "mine"
    export(finished, find_format("csv"), path, None, None, force=True)
    assert path.read_text().startswith("epoch,")
    for name in ("csv", "tensorboard"):
        with pytest.raises(InvalidValue, match="exists already, as a folder"):
            export(finished, find_format(name), tmp_path, None, None, force=True)


@pytest.mark.parametrize("name", FORMATS)
def test_a_place_that_cannot_be_written_is_named_before_anything_slow(finished, tmp_path, name):
    (tmp_path / "file").touch()
    for parent in ("missing", "file"):
        target = tmp_path / parent / "out"
        with pytest.raises(StorageError, match="cannot be written") as caught:
            export(finished, find_format(name), target, None, None)
        assert str(target) in caught.value.message
        assert "choose another place" in caught.value.hint


@pytest.mark.parametrize("name", ["csv", "tensorboard"])
def test_what_a_killed_export_under_another_name_has_left_is_deleted(finished, tmp_path, name):
    half = tmp_path / f"{draft_prefix(tmp_path / 'other.csv')}1a2b3c4d"
    half.write_text("epoch,")
    os.utime(half, (1, 1))
    export(finished, find_format(name), tmp_path / "curves", None, None)
    assert not half.exists()


def test_a_failed_export_leaves_what_was_there(finished, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_text("mine")
    finished.final_weights.write_text("damaged")
    with pytest.raises(RunError, match="damaged"):
        export(finished, find_format("safetensors"), path, "final", None, force=True)
    assert path.read_text() == "mine"
    assert sum("net" in found.name for found in tmp_path.iterdir()) == 1


@pytest.mark.parametrize(("name", "package", "extra"), [("onnx", "onnxscript", "export"), ("tensorboard",) * 3])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, name, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InvalidValue, match=package) as caught:
        find_format(name)
    assert caught.value.hint == f"pip install 'mnist-tui[{extra}]'"


def test_a_network_that_torch_cannot_translate_is_refused_in_one_line(locations, tiny, tmp_path, capfd):
    code = "import torch\nclass Net(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(784, 10)\n"
    code += "    def forward(self, x):\n        x = x.flatten(1)\n"
    code += "        return super().forward(x if x.sum().item() > 0 else -x)\n"
    (tmp_path / "net.py").write_text(code)
    runner, arch = Runner(locations), f"{tmp_path / 'net.py'}:Net"
    run = runner.store.run(list(runner.run(tiny.changed(arch=arch)))[-1].run_id)
    with pytest.raises(InvalidValue, match="torch cannot translate") as caught:
        render(run, find_format("onnx"), None, arch)
    assert "data-dependent" in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_onnxruntime_computes_the_same_logits_for_1000_images(finished, locations):
    """Of any number at once, on pixels as they come: standardisation is part of the model."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import onnxruntime

    from core.data.loader import Loader

    model = render(finished, find_format("onnx"), None, None)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    images = Loader(locations.data, locations.cache).load("mnist-5k").test_images[:1000]
    expected = load_network(finished).logits(images)
    pixels = (images[:, None].float() / 255).numpy()
    for count in (1000, 1, 7):
        found = torch.from_numpy(session.run(["logits"], {"image": pixels[:count]})[0])
        assert found.shape == (count, 10)
        assert (found - expected[:count]).abs().max() < 1e-4
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["spec"] == "c4 p2 c8 gap fc10"
    assert metadata["weights_sha256"] == finished.view().end.weights_sha256
    assert "0 (black) to 1" in session.get_modelmeta().description


NEW_LAYERS = (
    "scale2 c6b0r dc0.1 res(c6p1b0r c6p1l) relu p3s2p1 tie2(c6k1x3b0) loop2(c6p1b0r) gn3 silu c8g2l in gelu "
    "res(c8s2 | c8k3s2l) lrelu0.2 a3s2p1 inw1 ln elu c8k1p1r tanh bnw0 sigmoid flat bn fc16b0l ln fc10b0"
)


def test_onnxruntime_computes_the_same_logits_for_every_layer_of_specs(tiny, locations, store):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import onnxruntime

    list(Runner(locations).run(tiny.changed(arch=NEW_LAYERS), Meta("layers")))
    run = store.find("layers")
    session = onnxruntime.InferenceSession(
        render(run, find_format("onnx"), None, None), providers=["CPUExecutionProvider"]
    )
    images = torch.randint(0, 256, (50, 28, 28), dtype=torch.uint8)
    expected = load_network(run).logits(images)
    for count in (50, 1):
        found = torch.from_numpy(session.run(["logits"], {"image": (images[:count, None].float() / 255).numpy()})[0])
        assert (found - expected[:count]).abs().max() < 1e-4


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_file_of_the_users_own_is_never_replaced(finished, tmp_path, force):
    os.mkfifo(tmp_path / "pipe")
    log = finished.log.read_bytes()
    for target, why in ((tmp_path / "pipe", "not a regular file"), (finished.log, "a run's own file")):
        with pytest.raises(InvalidValue, match=why):
            export(finished, find_format("csv"), target, None, None, force=force)
    assert (tmp_path / "pipe").is_fifo()
    assert finished.log.read_bytes() == log


def test_a_link_is_written_through(finished, tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    export(finished, find_format("csv"), tmp_path / "link", None, None, force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text().startswith("epoch")


def test_a_name_that_is_too_long_is_said_in_a_line(finished, tmp_path):
    with pytest.raises(StorageError, match="File name too long"):
        export(finished, find_format("csv"), tmp_path / ("a" * 300), None, None)
