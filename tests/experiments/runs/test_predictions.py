"""What a finished run predicted for each test image, and what is made of a file of predictions that is not whole."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.data.loader import Loader
from core.errors import RunError
from core.events import RunFinished
from core.models.network import make_network
from core.storage.checkpoint import load_checkpoint
from experiments.execution.runner import Runner
from experiments.runs.folder import Run
from experiments.runs.predictions import MAX_BYTES, read_predictions, write_predictions


@pytest.fixture
def finish(locations):
    """Train to the end; returns the run and its last event."""

    def run(config) -> tuple[Run, RunFinished]:
        runner = Runner(locations)
        entries = list(runner.run(config))
        return runner.store.run(entries[-1].run_id), entries[-1].event

    return run


def classes(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8)


def test_the_predictions_are_those_of_the_stored_weights_and_give_the_score_in_the_log(finish, locations, tiny):
    run, end = finish(tiny)
    found = run.load_predictions()
    assert found.dataset == "mnist-5k"
    assert found.selected is None
    data = Loader(locations.data, locations.cache).load("mnist-5k").limited(None, 200)
    assert found.labels.tolist() == data.test_labels.tolist()
    assert (found.final == found.labels).mean() == pytest.approx(end.final_test_accuracy)
    _, model = make_network(tiny)
    model.load_state_dict(load_file(run.final_weights))
    with torch.no_grad():
        inputs = (data.test_images[:, None].float() / 255 - data.mean) / data.std
        assert found.final.tolist() == model.eval()(inputs).argmax(1).tolist()


def test_with_a_validation_split_those_of_the_selected_epoch_are_kept_too(finish, tiny):
    run, end = finish(tiny.changed(val_split=56, epochs=3, lr=0.3))
    found = run.load_predictions()
    assert (found.final == found.labels).mean() == pytest.approx(end.final_test_accuracy)
    assert (found.selected == found.labels).mean() == pytest.approx(end.selected_test_accuracy)


def test_a_run_that_only_had_to_write_its_end_scores_again_for_its_predictions(finish, locations, tiny):
    """A process killed behind the last checkpoint leaves the scores of all epochs and no predictions."""
    run, end = finish(tiny)
    whole = run.load_predictions()
    assert load_checkpoint(run.checkpoint).state["epoch"] == 2
    run.predictions.unlink()
    lines = run.log.read_bytes().splitlines(keepends=True)
    run.log.write_bytes(b"".join(lines[:-1]))
    again = [entry.event for entry in Runner(locations).resume(run)]
    assert (again[-1].final_test_accuracy, again[-1].weights_sha256) == (end.final_test_accuracy, end.weights_sha256)
    assert np.array_equal(run.load_predictions().final, whole.final)


def test_a_run_that_has_not_finished_has_none(locations, tiny):
    entries = Runner(locations).run(tiny)
    run = Runner(locations).store.run(next(entries).run_id)
    entries.close()
    assert run.load_predictions() is None


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "predictions.safetensors"
    write_predictions(path, {"labels": classes(1, 2), "final": classes(1, 9), "selected": classes(0, 2)}, "kmnist")
    found = read_predictions(path)
    assert found.dataset == "kmnist"
    assert [part.tolist() for part in (found.labels, found.final, found.selected)] == [[1, 2], [1, 9], [0, 2]]
    write_predictions(path, {"labels": classes(1, 2), "final": classes(1, 25)}, "/a/letters.npz@0123456789ab", 26)
    assert read_predictions(path).dataset == "letters.npz@0123456789ab"
    assert read_predictions(path).final.tolist() == [1, 25]


WHOLE = {"labels": classes(1, 2), "final": classes(1, 3)}
NAMED = {"dataset": "mnist", "test_images": "2"}


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        (WHOLE, {}),
        (WHOLE, None),
        (WHOLE, NAMED | {"test_images": "3"}),
        (WHOLE, NAMED | {"test_images": "two"}),
        ({"labels": classes(1, 2)}, NAMED),
        (WHOLE | {"final": classes(1)}, NAMED),
        (WHOLE | {"final": classes(1, 10)}, NAMED),
        (WHOLE | {"final": classes(1, 26)}, NAMED | {"classes": "26"}),
        (WHOLE, NAMED | {"classes": "ten"}),
        (WHOLE | {"final": torch.tensor([1, 2])}, NAMED),
        (WHOLE | {"final": torch.tensor([1.0, 2.0], dtype=torch.bfloat16)}, NAMED),
        (WHOLE | {"selected": classes(1, 2, 3)}, NAMED),
        (WHOLE | {"final": classes(1, 2).view(1, 2)}, NAMED),
        (WHOLE | {"more": torch.zeros(MAX_BYTES, dtype=torch.uint8)}, NAMED),
    ],
)
def test_what_is_not_a_class_for_each_image_is_damage(tmp_path, tensors, metadata):
    path = tmp_path / "predictions.safetensors"
    save_file(tensors, path, metadata)
    with pytest.raises(RunError, match="damaged") as caught:
        read_predictions(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 40, b"\x02" + bytes(7) + b"{}", b"\x02" + bytes(7) + b"[]"])
def test_bytes_that_are_no_tensors_are_damage(tmp_path, content):
    path = tmp_path / "predictions.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        read_predictions(path)


def test_a_pipe_or_a_folder_in_the_place_of_the_file_is_damage(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(RunError, match="damaged"):
            read_predictions(path)
