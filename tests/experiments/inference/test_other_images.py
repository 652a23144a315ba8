"""A run on images of another size, in other classes: it is recorded, read, scored, verified, exported and reported."""

from __future__ import annotations

import json

import pytest
import torch
from image_tasks import make_dataset, save_npz

from core.config import TrainConfig
from core.errors import InvalidValue, RunError
from core.events import RunFinished, RunStarted
from core.task import ImageTask
from experiments.bundles.pack import pack
from experiments.bundles.unpack import unpacked
from experiments.execution.runner import Runner
from experiments.export.formats import find_format, render
from experiments.inference.network import load_network
from experiments.inference.predict import predict
from experiments.inference.scoring import save_wrong, score_run
from experiments.reports.page import find_part, report
from experiments.runs.config import class_names, stored_task
from experiments.runs.folder import Meta
from experiments.verification.verify import verify

CASES = {
    "16 pixels, 3 classes": (ImageTask(16, 3), "c6p1 p2 c8 gap fc3"),
    "40 pixels, 26 classes, a named network": (ImageTask(40, 26), "gap7k"),
}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """A task, an architecture and data of one's own in a file."""
    task, arch = CASES[request.param]
    data = make_dataset(task)
    return task, arch, data, save_npz(tmp_path / "kinds.npz", data)


@pytest.fixture
def trained(case, locations):
    values = {"arch": case[1], "dataset": str(case[3]), "epochs": 2, "batch_size": 64, "lr": 0.05, "device": "cpu"}
    entries = list(Runner(locations).run(TrainConfig.checked(values), Meta("other")))
    assert isinstance(entries[-1].event, RunFinished)
    return Runner(locations).store.find("other")


def names_of(task: ImageTask) -> tuple[str, ...]:
    """The file has numbers for labels."""
    return tuple(map(str, range(task.classes)))


def test_the_run_says_what_its_images_are_and_everything_agrees_with_it(case, trained, locations, tmp_path):
    task, arch, *_ = case
    view = trained.view()
    assert isinstance(view.started, RunStarted)
    assert stored_task(trained, view) == view.started.task == task
    assert class_names(view.started) == names_of(task)
    recorded = trained.config()["arch"]
    if arch == "gap7k":
        assert recorded.endswith(" gap fc26")
    else:
        assert recorded == arch
    assert verify(trained, locations).agrees
    path = tmp_path / "run.zip"
    path.write_bytes(pack(trained))
    with unpacked(path) as [(run, checks)]:
        assert verify(run, locations, before=checks).agrees


def test_a_log_of_other_names_for_the_classes_does_not_agree(case, trained, locations):
    text = trained.log.read_text()
    assert '"classes": ["0", "1", "2"' in text
    trained.log.write_text(text.replace('"classes": ["0", "1", "2"', '"classes": ["0", "2", "1"'))
    differing = [check for check in verify(trained, locations).checks if check.agrees is False]
    assert [(one.item, one.stored, one.found) for one in differing] == [
        ("name of class 1", "2", "1"),
        ("name of class 2", "1", "2"),
    ]


def test_its_network_scores_exports_and_names_what_it_sees(case, trained, locations, tmp_path):
    from PIL import Image

    task, _, data, _ = case
    network = load_network(trained)
    assert (network.task, network.classes) == (task, names_of(task))
    scored = score_run(trained, locations, None, should_stop=lambda: "")
    assert scored.outputs.probabilities.shape == (len(data.test_labels), task.classes)
    assert scored.outputs.predictions.tolist() == trained.load_predictions().final.tolist()
    wrong = save_wrong(scored, tmp_path / "wrong")
    names = [path.name for path in (tmp_path / "wrong").iterdir()]
    assert len(names) == wrong
    assert all("-is-" in name for name in names)
    path = tmp_path / "one.png"
    Image.fromarray(data.test_images[0].numpy()).resize((200, 200)).save(path)
    (one,), errors = predict(network, [path])
    assert not errors
    assert one.image.shape == (task.size, task.size)
    assert one.to_json()["class"] == names_of(task)[one.prediction]
    assert len(one.probabilities) == task.classes
    page = report([find_part(Runner(locations).store, "other")])
    assert f"<th>{names_of(task)[-1]}</th>" in page
    metadata = json.loads(render(trained, find_format("json"), None, None))
    assert metadata["config"]["dataset"].startswith(f"{case[3]}@")


def test_onnx_has_the_size_and_the_classes(case, trained):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    task, _, data, _ = case
    model = onnx.load_from_string(render(trained, find_format("onnx"), None, None))
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape[1:] == [1, task.size, task.size]
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString())
    images = (data.test_images[:5, None].float() / 255).numpy()
    (logits,) = session.run(None, {"image": images})
    expected = load_network(trained).logits(data.test_images[:5])
    assert torch.allclose(torch.from_numpy(logits), expected, atol=1e-4)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert (facts["image_size"], facts["classes"]) == (str(task.size), str(task.classes))
    assert json.loads(facts["class_names"]) == list(names_of(task))


def test_it_goes_on_to_the_same_weights(case, trained, locations):
    values = {**trained.config(), "epochs": 3}
    runner = Runner(locations)
    whole = list(runner.run(TrainConfig.checked(values)))[-1].event
    extended = list(runner.resume(trained, epochs=3))[-1].event
    assert isinstance(whole, RunFinished)
    assert isinstance(extended, RunFinished)
    assert extended.weights_sha256 == whole.weights_sha256


def test_a_log_of_impossible_images_is_refused(case, trained):
    text = trained.log.read_text()
    assert f'"image_size": {case[0].size}' in text
    trained.log.write_text(text.replace(f'"image_size": {case[0].size}', '"image_size": 100000'))
    with pytest.raises(RunError, match="are not for networks"):
        load_network(trained)


def test_networks_that_do_not_fit_are_refused_before_anything_is_made(case, locations):
    task, _, _, path = case
    runner = Runner(locations)
    config = TrainConfig.checked({"dataset": str(path), "arch": "c8 gap fc10", "device": "cpu"})
    with pytest.raises(InvalidValue, match=f"gives 10 logits, kinds.npz has {task.classes} classes") as error:
        runner.check(config)
    assert error.value.hint == f"end it with fc{task.classes}"
    with pytest.raises(InvalidValue, match="does not fit a"):
        runner.check(config.changed(arch="p2 p2 p2 c8k9 gap fc10"))
    assert not locations.home.exists()
