"""Checkpoints: what goes in comes out, a run goes on exactly, and no file can do harm."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from core.config import AUGMENTATIONS, TrainConfig
from core.errors import RunError
from core.events import EpochFinished, RunFinished, RunStopped, StepProgress
from core.models.network import make_network
from core.storage.checkpoint import MAX_BYTES, Checkpoint, load_checkpoint, previous, save_checkpoint
from core.training.trainer import Trainer

CPU = torch.device("cpu")
SPEC = "c4 p2 c8 gap fc10"
PLAIN = {"arch": SPEC, "epochs": 3, "batch_size": 64, "device": "cpu"}  # five steps an epoch
FULL = PLAIN | {"dropout": 0.2, "augment": "affine", "ema": True, "schedule": "onecycle", "nesterov": True}
SPLIT = PLAIN | {"val_split": 60, "augment": "shift", "schedule": "cosine", "weight_decay": 1e-4}
PLATEAU = PLAIN | {"schedule": "plateau", "patience": 0, "threshold": 0.2, "gamma": 0.5, "warmup_epochs": 0.5}
CYCLE = PLAIN | {"schedule": "onecycle", "cycle_momentum": True, "optimizer": "adam", "lr": 0.01}
BF16 = PLAIN | {"precision": "bf16", "momentum": 0.0, "schedule": "step", "step_size": 1}

MEAN = PLAIN | {"swa": True, "swa_start": 0.0}


def make_trainer(values, dataset) -> Trainer:
    config = TrainConfig.checked(values)
    summary, model = make_network(config)
    return Trainer(config, dataset, summary, model, CPU)


def after(calls: int):
    """A `should_stop` that gives a reason from so manyth question on."""
    left = iter(range(calls))
    return lambda: "" if next(left, None) is not None else "enough"


def scores(events) -> list[tuple[object, ...]]:
    return [
        (e.epoch, e.train_loss, e.train_accuracy, e.test_loss, e.test_accuracy, e.val_loss, e.val_accuracy, e.lr)
        for e in events
        if isinstance(e, EpochFinished)
    ]


def outcome(end: RunFinished) -> tuple[object, ...]:
    return (end.epochs, end.final_test_accuracy, end.best_test_accuracy, end.selected_test_accuracy, end.weights_sha256)


@pytest.mark.parametrize(
    "values",
    [PLAIN, FULL, SPLIT, BF16, MEAN, PLATEAU, CYCLE],
    ids=["plain", "full", "split", "bf16", "mean", "plateau", "cycle"],
)
def test_a_run_stopped_anywhere_goes_on_to_the_same_scores_and_weights(values, blobs, tmp_path):
    whole = list(make_trainer(values, blobs).run())
    path = tmp_path / "checkpoint.safetensors"
    found = 5 * sum(epoch > 1 for epoch in range(1, 4)) * ("swa" in values)  # batches of statistics for a mean
    for questions in range(1, 18 + found):  # five steps and an evaluation of one batch in each epoch
        first = make_trainer(values, blobs)
        before = list(first.run(after(questions)))
        assert isinstance(before[-1], RunStopped)
        save_checkpoint(first.checkpoint(), path)
        torch.manual_seed(questions)  # whatever the next process has done before
        second = make_trainer(values, blobs)
        second.restore(load_checkpoint(path))
        then = list(second.run())
        assert scores(before) + scores(then) == scores(whole)
        assert outcome(then[-1]) == outcome(whole[-1])
        assert second.best_weights.keys() == second.model.state_dict().keys()


@pytest.mark.parametrize("augment", [*AUGMENTATIONS, "affine,elastic,erase,contrast"])
def test_the_changes_of_an_epoch_under_way_are_gone_on_with(augment, blobs, tmp_path):
    values = PLAIN | {"augment": augment, "epochs": 2}
    whole = list(make_trainer(values, blobs).run())
    first = make_trainer(values, blobs)
    list(first.run(after(9)))
    assert (first.epoch, first.step) == (2, 3)
    save_checkpoint(first.checkpoint(), tmp_path / "c.safetensors")
    assert (tmp_path / "c.safetensors").stat().st_size < 100_000
    second = make_trainer(values, blobs)
    second.restore(load_checkpoint(tmp_path / "c.safetensors"))
    then = list(second.run())
    assert (scores(then)[-1], outcome(then[-1])) == (scores(whole)[-1], outcome(whole[-1]))
    plain = list(make_trainer(PLAIN | {"epochs": 2}, blobs).run())
    assert outcome(plain[-1]) != outcome(whole[-1])
    other = make_trainer(PLAIN | {"augment": "affine,brightness"}, blobs)
    with pytest.raises(RunError, match="does not fit"):
        other.restore(load_checkpoint(tmp_path / "c.safetensors"))


def test_shifts_and_warps_alone_are_kept_as_they_always_were(blobs):
    for augment, dtype, numbers in (("shift", torch.int8, 2), ("affine", torch.float32, 4)):
        trainer = make_trainer(PLAIN | {"augment": augment}, blobs)
        list(trainer.run(after(2)))
        kept = trainer.checkpoint().part("draw")
        assert kept.keys() == {"order", "changes"}
        assert (kept["changes"].dtype, tuple(kept["changes"].shape)) == (dtype, (320, numbers))


def test_a_stop_loses_no_step_and_repeats_none(blobs, tmp_path, monkeypatch):
    monkeypatch.setattr("core.training.loop.PROGRESS_INTERVAL", 0.0)
    first, second = make_trainer(PLAIN, blobs), make_trainer(PLAIN, blobs)
    steps = [(e.epoch, e.step) for e in first.run(after(9)) if isinstance(e, StepProgress)]
    save_checkpoint(first.checkpoint(), tmp_path / "c.safetensors")
    second.restore(load_checkpoint(tmp_path / "c.safetensors"))
    steps += [(e.epoch, e.step) for e in second.run() if isinstance(e, StepProgress)]
    assert steps == [(epoch, step) for epoch in (1, 2, 3) for step in range(1, 6)]


def test_a_finished_run_can_be_trained_on_for_more_epochs(blobs, tmp_path):
    longer = list(make_trainer(PLAIN | {"epochs": 5}, blobs).run())
    first, second = make_trainer(PLAIN, blobs), make_trainer(PLAIN | {"epochs": 5}, blobs)
    list(first.run())
    save_checkpoint(first.checkpoint(), tmp_path / "c.safetensors")
    second.restore(load_checkpoint(tmp_path / "c.safetensors"))
    assert outcome(list(second.run())[-1]) == outcome(longer[-1])


@pytest.mark.parametrize("rule", [{"threshold": 0.2}, {"threshold": 0.9}, {"warmup_epochs": 1.0}])
def test_and_on_a_plateau_it_goes_on_as_if_it_had_been_longer(blobs, tmp_path, rule):
    values = PLATEAU | rule
    longer = list(make_trainer(values | {"epochs": 6}, blobs).run())
    first, second = make_trainer(values, blobs), make_trainer(values | {"epochs": 6}, blobs)
    before = list(first.run())
    save_checkpoint(first.checkpoint(), tmp_path / "c.safetensors")
    second.restore(load_checkpoint(tmp_path / "c.safetensors"))
    then = list(second.run())
    assert scores(before) + scores(then) == scores(longer)
    assert outcome(then[-1]) == outcome(longer[-1])
    assert len({rates[-1] for rates in scores(longer)}) > 1


def without_losses(checkpoint: Checkpoint) -> Checkpoint:
    """As earlier versions made it."""
    return Checkpoint(checkpoint.tensors, {key: value for key, value in checkpoint.state.items() if key != "losses"})


def test_a_checkpoint_of_before_losses_were_kept_goes_on_to_the_same_weights(blobs):
    whole = list(make_trainer(PLAIN, blobs).run())
    first, second = make_trainer(PLAIN, blobs), make_trainer(PLAIN, blobs)
    before = list(first.run(after(8)))
    second.restore(without_losses(first.checkpoint()))
    then = list(second.run())
    assert scores(before) + scores(then) == scores(whole)
    assert outcome(then[-1]) == outcome(whole[-1])
    assert second.checkpoint().state["losses"] == []  # rather than those of some epochs
    third = make_trainer(PLAIN, blobs)
    third.restore(second.checkpoint())
    assert third.done


def test_a_plateau_needs_the_losses_of_all_epochs(blobs):
    first = make_trainer(PLATEAU, blobs)
    list(first.run(after(8)))
    with pytest.raises(RunError, match="0 losses beside 1 accuracies"):
        make_trainer(PLATEAU, blobs).restore(without_losses(first.checkpoint()))


def test_a_checkpoint_of_another_network_is_refused_with_a_hint(blobs):
    checkpoint = make_trainer(PLAIN, blobs).checkpoint()
    with pytest.raises(RunError, match="does not fit") as caught:
        make_trainer(PLAIN | {"arch": "c5 gap fc10"}, blobs).restore(checkpoint)
    assert caught.value.message.isprintable()
    assert caught.value.hint


@pytest.mark.parametrize("values", [{}, {"optimizer": "adam", "lr": 0.01}, {"optimizer": "muon", "lr": 0.01}])
def test_a_checkpoint_that_lacks_a_part_of_the_optimizers_state_is_refused_as_damaged(blobs, values):
    checkpoint = make_trainer(PLAIN | values, blobs).checkpoint()
    kinds = ("engine.momentum.", "engine.exp_avg.", "engine.step.")
    parts = [next((name for name in checkpoint.tensors if name.startswith(kind)), "") for kind in kinds]
    for part in filter(None, parts):
        rest = {name: tensor for name, tensor in checkpoint.tensors.items() if name != part}
        with pytest.raises(RunError, match=f"does not fit the run's config: it has no {part.removeprefix('engine.')}"):
            make_trainer(PLAIN | values, blobs).restore(Checkpoint(rest, checkpoint.state))
    make_trainer(PLAIN | values, blobs).restore(checkpoint)
    assert any(parts)


@pytest.fixture
def two(tmp_path):
    """Where two checkpoints were saved, the second over the first."""
    path = tmp_path / "checkpoint.safetensors"
    for epoch in (1, 2):
        save_checkpoint(Checkpoint({"model.a": torch.full((3,), float(epoch))}, {"epoch": epoch}), path)
    return path


def test_the_last_two_are_kept(two):
    assert load_checkpoint(two).state == {"epoch": 2}
    assert load_checkpoint(previous(two)).part("model")["a"].tolist() == [1.0, 1.0, 1.0]
    assert sorted(path.name for path in two.parent.iterdir()) == [previous(two).name, two.name]


def test_there_may_be_none(tmp_path):
    assert load_checkpoint(tmp_path / "checkpoint.safetensors") is None


@pytest.mark.parametrize("at", [0, 7, 60, -1])
def test_a_changed_byte_is_noticed_and_the_one_before_is_taken(two, at):
    content = bytearray(two.read_bytes())
    content[at] ^= 0x10
    two.write_bytes(content)
    assert load_checkpoint(two).state == {"epoch": 1}


@pytest.mark.parametrize("keep", [0, 5, 100])
def test_a_truncated_one_is_noticed_and_the_one_before_is_taken(two, keep):
    two.write_bytes(two.read_bytes()[:keep])
    assert load_checkpoint(two).state == {"epoch": 1}


def test_between_the_two_renames_of_a_save_the_one_before_is_taken(two):
    two.unlink()
    assert load_checkpoint(two).state == {"epoch": 1}


def test_when_none_is_whole_the_file_is_named(two):
    for path in (two, previous(two)):
        path.write_bytes(b"\0" * 100)
    with pytest.raises(RunError) as caught:
        load_checkpoint(two)
    assert str(two) in caught.value.message


def test_one_of_another_version_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_file({"model.a": torch.zeros(1)}, path, {"version": "2", "state": "{}", "sha256": "0"})
    with pytest.raises(RunError, match="version 2, not 1"):
        load_checkpoint(path)


def test_a_pickle_in_its_place_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(path)
    torch.save({"model": Harm()}, path)
    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(path)
    assert not (tmp_path / "harm").exists()


def test_a_file_too_large_for_a_checkpoint_is_not_read(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(RunError, match="larger than any checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_damage_and_not_waited_for(tmp_path, make):
    path = tmp_path / "checkpoint.safetensors"
    make(path)
    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(path)


def test_a_header_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4 << 40]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(path)
    path.write_bytes((1 << 60).to_bytes(8, "little"))
    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(path)
