"""A run that goes well, or is stopped: what it leaves in its folder and what it says meanwhile."""

import socket
from datetime import datetime
from hashlib import sha256

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.config import TrainConfig
from core.data.loader import Loader
from core.errors import Stopped
from core.events import EpochFinished, RunFinished, RunStarted, RunStopped, StepProgress
from core.models.build import build_model
from core.models.network import summarize_config
from core.storage.tensors import weights_sha256
from experiments.execution.grouped_runs import train_group
from experiments.execution.runner import Runner
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.row import Status
from experiments.verification.verify import verify


@pytest.fixture
def runner(locations):
    return Runner(locations)


@pytest.fixture
def finished(runner, tiny):
    """The entries of a whole run, and the run."""
    entries = list(runner.run(tiny, Meta("mine", ("a",), "g1")))
    return entries, runner.store.find("latest")


def is_a(kind):
    return lambda entry: isinstance(entry.event, kind)


def test_what_is_yielded_is_what_is_in_the_log(finished):
    entries, run = finished
    assert list(EventReader(run.log).poll()) == entries
    assert {entry.run_id for entry in entries} == {run.id}
    assert all(datetime.fromisoformat(entry.time).utcoffset().total_seconds() == 0 for entry in entries)


def test_a_run_starts_makes_progress_in_each_epoch_and_finishes(finished, tiny):
    events = [entry.event for entry in finished[0]]
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert [e.epoch for e in events if isinstance(e, EpochFinished)] == [1, 2]
    assert [(e.epoch, e.step) for e in events if isinstance(e, StepProgress)][-1] == (2, 2)
    assert (events[0].train_images, events[0].test_images, events[0].steps_per_epoch) == (256, 200, 2)
    assert events[0].config == tiny.model_dump()
    assert events[-1].seconds > 0


def test_a_finished_run_leaves_config_log_environment_and_both_weights(finished, tiny):
    _, run = finished
    assert TrainConfig.checked(run.config()) == tiny
    assert run.meta() == Meta("mine", ("a",), "g1")
    assert run.status() is Status.FINISHED
    environment = run.environment()
    assert environment["versions"]["torch"] == torch.__version__.split("+")[0]
    assert environment["host"] == socket.gethostname()
    assert {"git_revision", "command_line", "cpu", "device"} <= environment.keys()
    left = {path.name for path in run.folder.iterdir()}
    assert {"config.json", "events.jsonl", "env.json", "best.safetensors", "final.safetensors"} <= left
    assert not {name for name in left if name.startswith(".") or name == "reserve"}


def test_the_hash_in_the_log_is_that_of_the_stored_final_weights(finished):
    entries, run = finished
    weights = load_file(run.final_weights)
    assert entries[-1].event.weights_sha256 == weights_sha256(weights)
    by_hand = sha256()
    for name, tensor in sorted(weights.items()):
        by_hand.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode() + tensor.numpy().tobytes())
    assert entries[-1].event.weights_sha256 == by_hand.hexdigest()


def test_stored_weights_load_into_a_new_network_and_say_which_epoch_they_are(finished, tiny):
    entries, run = finished
    for path, epoch in ((run.best_weights, entries[-1].event.best_epoch), (run.final_weights, 2)):
        build_model(summarize_config(tiny)).load_state_dict(load_file(path))
        with safe_open(path, framework="pt") as file:
            assert file.metadata() == {"arch": tiny.arch, "spec": tiny.arch, "epoch": str(epoch)}


def test_stored_weights_have_the_scores_that_the_log_gives_them(runner, tiny, locations):
    config = tiny.changed(epochs=6, lr=0.3, batch_size=32)
    end = list(runner.run(config))[-1].event
    run = runner.store.find("latest")
    data = Loader(locations.data, locations.cache).load("mnist-5k").limited(256, 200)
    images = (data.test_images[:, None].float() / 255 - 0.1307) / 0.3081
    model = build_model(summarize_config(config)).eval()
    for path, accuracy in ((run.best_weights, end.best_test_accuracy), (run.final_weights, end.final_test_accuracy)):
        model.load_state_dict(load_file(path))
        with torch.no_grad():
            correct = int((model(images).argmax(1) == data.test_labels).sum())
        assert correct / 200 == accuracy
    assert end.best_test_accuracy > 0.2


def test_equal_configs_give_equal_weights_and_another_seed_others(runner, tiny):
    hashes = [list(runner.run(tiny.changed(seed=seed)))[-1].event.weights_sha256 for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_auto_is_recorded_as_the_data_set_that_it_turned_out_to_be(runner, tiny, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    started = next(iter(runner.run(tiny.changed(dataset="auto")))).event
    assert started.config["dataset"] == started.dataset == "mnist-5k"
    assert "full MNIST is not here" in started.note
    assert runner.store.find("latest").config()["dataset"] == "mnist-5k"


def test_with_a_validation_split_the_test_set_is_scored_once_at_the_end(runner, tiny):
    entries = list(runner.run(tiny.changed(val_split=56)))
    for epoch in (entry.event for entry in filter(is_a(EpochFinished), entries)):
        assert (epoch.test_loss, epoch.test_accuracy, epoch.test_correct, epoch.test_total) == (None,) * 4
        assert epoch.val_loss > 0
        assert round(epoch.val_accuracy * 56, 6).is_integer()
    started, end = entries[0].event, entries[-1].event
    assert (started.train_images, started.val_images) == (200, 56)
    assert (end.best_test_accuracy, end.best_epoch) == (None, None)
    assert end.selected_epoch in (1, 2)
    assert 0 <= end.selected_test_accuracy <= 1
    assert 0 <= end.final_test_accuracy <= 1


def test_nothing_is_trained_or_written_before_the_first_event_is_taken(runner, tiny, locations):
    runner.run(tiny)
    assert not locations.home.exists()


def test_a_consumer_that_takes_no_more_has_stopped_the_run(runner, tiny):
    events = runner.run(tiny.changed(epochs=20))
    taken = next(entry for entry in events if isinstance(entry.event, EpochFinished))
    events.close()
    run = runner.store.find("latest")
    assert run.status() is Status.STOPPED
    view = run.view()
    assert [e.epoch for e in view.epochs] == [taken.event.epoch] == [1]
    assert isinstance(view.end, RunStopped)
    assert view.end.reason
    assert not (run.folder / "reserve").exists()


@pytest.mark.parametrize("grouped", [False, True], ids=["alone", "in a group"])
def test_a_consumer_that_takes_no_more_after_the_end_has_stopped_nothing(runner, tiny, grouped):
    entries = train_group(runner, [RunSpec(tiny)]) if grouped else runner.run(tiny)
    next(entry for entry in entries if isinstance(entry.event, RunFinished))
    entries.close()
    run = runner.store.find("latest")
    assert run.status() is Status.FINISHED
    assert isinstance([entry.event for entry in EventReader(run.log).poll()][-1], RunFinished)


def test_a_consumer_that_takes_no_more_after_the_last_epoch_leaves_all_that_its_checkpoint_has(runner, tiny, locations):
    entries = runner.run(tiny.changed(epochs=1))
    next(entry for entry in entries if isinstance(entry.event, EpochFinished))
    entries.close()
    run = runner.store.find("latest")
    assert run.best_weights.exists()
    list(runner.resume(run))
    assert verify(run, locations).agrees


def test_a_reason_to_stop_ends_the_run_with_that_reason(locations, tiny):
    reasons: list[str] = []
    entries = []
    for entry in Runner(locations, lambda: "".join(reasons)).run(tiny.changed(epochs=20)):
        entries.append(entry)
        if isinstance(entry.event, EpochFinished):
            reasons.append("SIGTERM")
    assert entries[-1].event == RunStopped(epoch=2, reason="SIGTERM")
    assert Runner(locations).store.find("latest").status() is Status.STOPPED


def test_a_reason_to_stop_before_the_start_leaves_no_run(locations, tiny):
    runner = Runner(locations, lambda: "SIGTERM")
    with pytest.raises(Stopped, match="SIGTERM"):
        list(runner.run(tiny))
    assert runner.store.runs() == []
