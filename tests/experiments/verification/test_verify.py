"""A run as it was trained verifies; after one change to weights, log, config or predictions it does not, and it is said
where."""

import json
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from core.errors import DataError, InvalidValue, RunError, Stopped
from core.events import EndEvent, RunFailed, RunFinished, RunStopped
from experiments.execution.runner import Runner
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta, Run
from experiments.runs.owner import Owner
from experiments.verification.rescoring import CPU_LOSS_TOLERANCE, Rescored
from experiments.verification.verify import Verification, verify


@pytest.fixture
def verified(locations):
    return lambda run, **options: verify(run, locations, **options)


def differing(verification: Verification) -> str:
    """Every place that does not agree, and what it is."""
    return "; ".join(f"{check.where}: {check.item}" for check in verification.checks if check.agrees is False)


def edit_log(run: Run, event: str, change, *, epoch: int | None = None) -> None:
    """Change the records of a kind in the log."""
    lines = [json.loads(line) for line in run.log.read_text().splitlines()]
    for record in lines:
        if record["event"] == event and (epoch is None or record["epoch"] == epoch):
            change(record)
    run.log.write_text("".join(json.dumps(record) + "\n" for record in lines))


def edit_weights(path, name: str, change) -> None:
    weights = load_file(path)
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    change(weights[name])
    save_file(weights, path, metadata)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"val_split": 56},
        {"ema": True},
        {"swa": True, "swa_start": 0.0, "tta": "affine"},
        {"val_split": 56, "tta": "shift"},
        {"dropout": 0.1, "schedule": "onecycle"},
        {"stop_at_target": True, "target": 1},
        {"schedule": "plateau", "patience": 0, "threshold": 0.9, "epochs": 4},
        {"schedule": "plateau", "patience": 0, "threshold": 0.9, "epochs": 4, "val_split": 56, "warmup_epochs": 0.5},
        {"schedule": "multistep", "milestones": "1", "warmup_epochs": 0.5},
        {"schedule": "onecycle", "cycle_momentum": True, "three_phase": True, "anneal": "linear"},
        {"early_stop": 1, "lr": 1e-7, "arch": "fc10", "epochs": 4},
    ],
)
def test_a_run_that_nobody_touched_agrees(verified, locations, tiny, changes):
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny.changed(**changes)))[-1].run_id)
    found = verified(run)
    assert differing(found) == ""
    assert found.agrees
    assert {check.agrees for check in found.checks} == {True}


def test_extended_resumed_and_unfinished_runs_agree(verified, locations, tiny):
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny))[-1].run_id)
    entries = runner.resume(run, epochs=4)
    for entry in entries:
        if getattr(entry.event, "epoch", 0) == 3 and entry.event.NAME == "checkpoint_saved":
            break
    entries.close()
    assert run.row().ended == "stopped"
    found = verified(run)
    assert differing(found) == ""
    assert any(check.agrees is None and "not finished" in check.found for check in found.checks)
    list(runner.resume(run))
    assert differing(verified(run)) == ""


def nudge(tensor: torch.Tensor) -> None:
    """The least change that there is to one value."""
    flat = tensor.view(-1)
    flat[0] = torch.nextafter(flat[0], torch.tensor(10.0))


@pytest.mark.parametrize("source", ["final", "best"])
def test_one_altered_weight_is_found_and_its_tensor_named(finished, verified, source):
    edit_weights(finished.folder / f"{source}.safetensors", "Linear-7.weight", nudge)
    found = verified(finished)
    assert not found.agrees
    assert f"{source}.safetensors: Linear-7.weight" in differing(found)
    assert ("SHA-256" in differing(found)) == (source == "final")


def test_an_altered_weight_is_found_without_a_checkpoint_by_hash_and_loss(finished, verified):
    for name in ("checkpoint", "checkpoint-previous"):
        (finished.folder / f"{name}.safetensors").unlink(missing_ok=True)
    assert verified(finished).agrees
    edit_weights(finished.final_weights, "Linear-7.weight", nudge)
    assert differing(verified(finished)) == "final.safetensors: SHA-256 of final weights"
    edit_weights(finished.best_weights, "Linear-7.bias", lambda bias: bias[0].add_(0.1))
    assert "test, best weights: loss" in differing(verified(finished))


def one_more(key: str, by: float = 1 / 200):
    return lambda record: record.update({key: record[key] + by})


def test_one_altered_score_of_any_epoch_is_found_and_the_epoch_named(finished, verified):
    edit_log(finished, "epoch_finished", one_more("test_accuracy", 0.001), epoch=1)
    assert "events.jsonl, epoch 1: test_accuracy" in differing(verified(finished))


def test_a_score_altered_consistently_within_the_log_is_found(finished, verified):
    """Of the best epoch by its weights, of any other by the checkpoint."""
    best = finished.view().best_epoch

    def better(record):
        record["test_correct"] += 1
        record["test_accuracy"] = record["test_correct"] / record["test_total"]

    edit_log(finished, "epoch_finished", better, epoch=best)
    edit_log(finished, "run_finished", one_more("best_test_accuracy"))
    found = differing(verified(finished))
    assert f"events.jsonl, epoch {best}: test, best weights: accuracy" in found
    assert f"events.jsonl, epoch {best}: accuracy" in found


@pytest.mark.parametrize("key", ["final_test_accuracy", "best_test_accuracy", "best_epoch", "epochs", "weights_sha256"])
def test_an_altered_result_is_found_and_named(finished, verified, key):
    def alter(record):
        record[key] = "0" * 64 if key == "weights_sha256" else record[key] - 1 / 200 if "accuracy" in key else 3

    edit_log(finished, "run_finished", alter)
    found = differing(verified(finished))
    assert ("SHA-256" if key == "weights_sha256" else f"run_finished: {key}") in found


@pytest.mark.parametrize(
    ("key", "item"), [("total_params", "parameters"), ("spec", "spec"), ("test_images", "test_total")]
)
def test_an_altered_description_of_the_network_or_data_is_found(finished, verified, key, item):
    def alter(record):
        record[key] = "c4 p2 c8 gap d0.1 fc10" if key == "spec" else record[key] + 1

    edit_log(finished, "run_started", alter)
    assert item in differing(verified(finished))


def test_altered_losses_rates_and_epochs_are_found(finished, verified):
    whole = finished.log.read_text()
    edit_log(finished, "epoch_finished", one_more("test_loss", 1e-3), epoch=2)
    assert "events.jsonl, epoch 2: test, final weights: loss" in differing(verified(finished))
    finished.log.write_text(whole)
    edit_log(finished, "epoch_finished", one_more("lr", 1e-3), epoch=2)
    assert differing(verified(finished)) == "events.jsonl, epoch 2: lr"
    finished.log.write_text(
        "".join(line for line in whole.splitlines(keepends=True) if '"epoch": 1, "train' not in line)
    )
    assert "first epoch missing" in differing(verified(finished))
    finished.log.write_text(whole + "{not json}\n")
    assert differing(verified(finished)) == "events.jsonl: damaged lines"
    finished.log.write_text(whole.replace(finished.id, "20200101-000000-0000", 1))
    assert differing(verified(finished)) == "events.jsonl: lines of other runs"


def test_an_altered_config_is_found_field_by_field(finished, verified):
    path = finished.folder / "config.json"
    path.write_text(path.read_text().replace('"lr": 0.03772', '"lr": 0.05'))
    assert "config.json: config lr" in differing(verified(finished))


def test_one_altered_prediction_is_found_and_the_image_named(finished, verified):
    edit_weights(finished.predictions, "final", lambda classes: classes[17].add_(1).remainder_(10))
    found = verified(finished)
    assert differing(found) == "predictions.safetensors: predictions of the final weights"
    assert "test image 17" in next(check.found for check in found.checks if check.agrees is False)
    edit_weights(finished.predictions, "labels", lambda labels: labels[3].add_(1).remainder_(10))
    assert "labels of the test images" in differing(verified(finished))


def test_missing_files_differ_and_nothing_at_all_is_an_error(finished, verified):
    finished.final_weights.unlink()
    assert differing(verified(finished)) == "final.safetensors: final weights"
    finished.predictions.write_text("damaged")
    assert "predictions.safetensors: predictions" in differing(verified(finished))
    finished.best_weights.unlink()
    with pytest.raises(RunError, match="has no"):
        verified(finished)
    finished.log.unlink()
    with pytest.raises(RunError, match="no start"):
        verified(finished)


def test_a_run_that_is_being_trained_is_not_verified(finished, verified):
    finished.hand_over(Owner.this_process())
    with pytest.raises(InvalidValue, match="is running"):
        verified(finished)


def put(**values: object):
    return lambda record: record.update(values)


def put_config(**values: object):
    return lambda record: record["config"].update(values)


CONTRADICTIONS = {
    "batch size and steps": ("run_started", put_config(batch_size=7), None, "steps for batches of 7"),
    "held-out images": ("run_started", put_config(val_split=3), None, "held-out images"),
    "device": ("run_started", put(device="cuda:0 (NVIDIA H200)"), None, "device"),
    "more images than allowed": ("run_started", put_config(limit_train=100), None, "training images"),
    "images of the data set": ("run_started", put(test_images=100), None, "test images"),
    "ended too early": ("run_started", put_config(epochs=20), None, "epochs of the config"),
    "went on beyond its end": ("run_started", put_config(epochs=1), None, "epochs beyond those of the config"),
    "went on beyond its target": (
        "run_started",
        put_config(stop_at_target=True, target=0.01),
        None,
        "epochs up to the target",
    ),
    "ended by another rule": ("run_finished", put(ended_by="early_stop"), None, "ended_by"),
    "a rate that does not fall": (
        "run_started",
        put_config(schedule="plateau", threshold=0.99, patience=0, warmup_epochs=1.0),
        None,
        "lr",
    ),
    "scores on held-out images": ("epoch_finished", put(val_accuracy=0.5, val_loss=1.0), 2, "held-out scores"),
    "no score on the test images": ("epoch_finished", put(test_accuracy=None, test_correct=None), 1, "test scores"),
    "a loss below 0": ("epoch_finished", put(train_loss=-0.1), 2, "losses below 0"),
    "more than all correct": ("epoch_finished", put(train_accuracy=2.0), 2, "accuracies outside 0 to 1"),
    "faster than its time": ("epoch_finished", put(seconds=1e-6), 2, "images_per_second"),
    "shorter than its epochs": ("run_finished", put(seconds=1e-6), None, "seconds"),
    "a selected epoch": ("run_finished", put(selected_epoch=1), None, "selected scores"),
    "a part of an image": (
        "run_finished",
        put(selected_test_accuracy=0.5001),
        None,
        "selected_test_accuracy as a share",
    ),
    "a score of views": ("run_finished", put(tta_test_accuracy=0.5, tta_test_correct=32), None, "tta scores"),
    "a step that there is not": ("step_progress", put(step=3), 2, "line out of order"),
    "a checkpoint of later": ("checkpoint_saved", put(epoch=9), 1, "line out of order"),
    "an epoch before its time": ("epoch_finished", put(epoch=2), 1, "line out of order"),
}


def test_a_score_with_views_that_is_not_that_of_the_weights_is_found(verified, locations, tiny):
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny.changed(tta="shift")))[-1].run_id)
    edit_log(run, "run_finished", lambda record: record.update(tta_test_correct=record["tta_test_correct"] + 1))
    assert "tta_test_accuracy as a share" in differing(verified(run))
    images = next(json.loads(line)["test_images"] for line in run.log.read_text().splitlines())
    edit_log(run, "run_finished", lambda record: record.update(tta_test_accuracy=record["tta_test_correct"] / images))
    assert "test, shift views, final weights: accuracy" in differing(verified(run))


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_contradicts_something_else_in_the_log_is_found(finished, verified, name):
    event, change, epoch, item = CONTRADICTIONS[name]
    edit_log(finished, event, change, epoch=epoch)
    if event == "run_started":  # so that config.json alone does not give it away
        config = next(json.loads(line)["config"] for line in finished.log.read_text().splitlines())
        (finished.folder / "config.json").write_text(json.dumps(config))
    assert item in differing(verified(finished))


EARLY = {"early_stop": 2, "lr": 1e-7, "arch": "fc10", "epochs": 5}


@pytest.fixture
def early(locations, tiny):
    """A run that ended after three of five epochs."""
    runner = Runner(locations)
    return runner.store.run(list(runner.run(tiny.changed(**EARLY)))[-1].run_id)


@pytest.mark.parametrize(
    ("event", "change", "epoch", "item"),
    [
        ("run_started", put_config(early_stop=1), None, "epochs up to the last one without a better accuracy"),
        ("run_started", put_config(early_stop=0), None, "epochs of the config"),
        ("run_started", put_config(early_stop=3), None, "epochs of the config"),
        ("run_finished", put(ended_by="epochs"), None, "ended_by"),
    ],
)
def test_an_early_end_that_its_scores_do_not_call_for_is_found(early, verified, event, change, epoch, item):
    assert verified(early).agrees
    edit_log(early, event, change, epoch=epoch)
    if event == "run_started":
        config = next(json.loads(line)["config"] for line in early.log.read_text().splitlines())
        (early.folder / "config.json").write_text(json.dumps(config))
    assert item in differing(verified(early))


def test_a_rate_that_did_not_follow_its_plateau_is_found(locations, tiny, verified):
    runner = Runner(locations)
    rule = {"schedule": "plateau", "patience": 0, "threshold": 0.9, "epochs": 3}
    run = runner.store.run(list(runner.run(tiny.changed(**rule)))[-1].run_id)
    assert verified(run).agrees
    edit_log(run, "epoch_finished", put(lr=tiny.lr), epoch=3)
    assert differing(verified(run)) == "events.jsonl, epoch 3: lr"
    edit_log(run, "epoch_finished", put(test_loss=1e-9), epoch=2)  # after which the rate would not have fallen
    found = differing(verified(run))
    assert "epoch 3: lr" not in found
    assert "epoch 2: loss" in found


@pytest.mark.parametrize("schedule", ["step", "onecycle", "cosine", "plateau", "multistep"])
@pytest.mark.parametrize("steps", [0, -1, 10**400], ids=["none", "less than none", "huge"])
def test_a_number_of_steps_that_cannot_be_is_found(finished, verified, schedule, steps):
    edit_log(finished, "run_started", put(steps_per_epoch=steps))
    edit_log(finished, "run_started", put_config(schedule=schedule))
    config = next(json.loads(line)["config"] for line in finished.log.read_text().splitlines())
    (finished.folder / "config.json").write_text(json.dumps(config))
    assert "steps for batches" in differing(verified(finished))


@pytest.mark.parametrize("change", [{"spec": "c4 p2 c8 gap d0.1 fc10"}, {"dataset": "mnist"}, {"train_images": 255}])
def test_a_start_that_is_not_of_the_same_run_is_found(finished, verified, change):
    lines = finished.log.read_text().splitlines(keepends=True)
    other = json.dumps(json.loads(lines[0]) | change) + "\n"
    finished.log.write_text(other + "".join(lines))
    assert "line out of order" in differing(verified(finished))


def test_a_run_that_was_stopped_or_could_not_go_on_before_a_start_agrees(verified, locations, tiny, monkeypatch):
    runner, asked = Runner(locations), iter(range(3))
    run = runner.create(tiny, Meta())
    for lives in range(2):
        with pytest.raises(Stopped):
            list(Runner(locations, lambda: "SIGINT").resume(run))
        with monkeypatch.context() as patch:
            patch.setattr(Runner, "load_dataset", Mock(side_effect=DataError("gone", hint="bring it back")))
            with pytest.raises(DataError):
                list(runner.resume(run))
        if not lives:
            list(Runner(locations, lambda: "" if next(asked, None) is not None else "enough").resume(run))
    list(runner.resume(run))
    kinds = [type(entry.event) for entry in EventReader(run.log).poll() if isinstance(entry.event, EndEvent)]
    assert kinds == [RunStopped, RunFailed, RunStopped, RunStopped, RunFailed, RunFinished]
    assert verified(run).agrees


def test_a_failure_after_the_end_of_a_finished_run_is_found(finished, verified, script):
    script.write(finished, script.failed())
    assert "line out of order" in differing(verified(finished))


def test_what_comes_after_the_end_or_before_a_start_is_found(finished, verified):
    lines = finished.log.read_text().splitlines(keepends=True)
    finished.log.write_text("".join([*lines, lines[-1]]))
    assert "line out of order" in differing(verified(finished))
    finished.log.write_text("".join([lines[1], *lines]))
    assert "line out of order" in differing(verified(finished))


def test_losses_that_are_nearly_0_agree_as_far_as_single_precision_can_tell():
    logits, labels = torch.zeros(9, 3), torch.full((9,), 2)
    logits[:, 2] = 14 + torch.linspace(0, 1, 9)
    trained = functional.cross_entropy(logits, labels)
    exact = functional.cross_entropy(logits.double(), labels)
    assert abs(trained - exact) > 1e-3 * exact, "this is a case of it"
    score = Rescored(float(exact), 9, (2,) * 9, frozenset(), CPU_LOSS_TOLERANCE)
    (accuracy, loss) = score.compare_with("test", "log", 1.0, float(trained))
    assert accuracy.agrees
    assert loss.agrees
    (_, loss) = score.compare_with("test", "log", 1.0, float(exact) + 1e-6)
    assert not loss.agrees
