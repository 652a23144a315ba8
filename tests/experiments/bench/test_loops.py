"""The benchmark times what it says it times."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress

import pytest
import torch

from core.config import TrainConfig
from core.engines.choose import choose_engine
from core.errors import TrainingFailed
from core.models.network import make_network
from experiments.bench import loops as bench
from experiments.bench.example_loop import WARM_UP_STEPS, example_batches, example_process, write_idx_files
from experiments.bench.peak import MatrixProducts, step_flops


@pytest.fixture
def config() -> TrainConfig:
    return TrainConfig.checked({"arch": "c4 p2 c8 gap fc10", "batch_size": 64, "device": "cpu"})


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_example_and_the_trainer_take_turns_on_the_same_images(config, blobs, monkeypatch):
    rounds = []
    time_steps = bench.TrainerLoop.time_steps
    monkeypatch.setattr(bench.TrainerLoop, "time_steps", lambda *args: rounds.append(args) or time_steps(*args))
    example, trainer = bench.compare_loops(config, blobs, rounds=2, steps=3, engines=("eager",))
    assert len(rounds) == 2
    assert (example.loop, trainer.loop) == ("example", "eager")
    assert example.ratio_to_example == 1.0
    for timing in (example, trainer):
        assert 0 < timing.ms_lowest <= timing.ms_highest
        assert timing.images_per_second == pytest.approx(64e3 / timing.ms_per_step)
        flops = step_flops(make_network(config)[0], 64)
        assert timing.share_of_peak == pytest.approx(flops / (1e-3 * timing.ms_per_step) / (1e9 * timing.peak_gflops))
    assert trainer.ratio_to_example == pytest.approx(example.ms_per_step / trainer.ms_per_step)
    assert trainer.share_of_peak / example.share_of_peak == pytest.approx(trainer.ratio_to_example)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("on_gpu", [False, True])
def test_the_examples_batches_are_the_data_sets_images_as_torchvision_makes_them(blobs, tmp_path, on_gpu):
    write_idx_files(blobs, tmp_path)
    batches = example_batches(320, tmp_path, blobs.mean, blobs.std, on_gpu=on_gpu)
    images, labels = next(batches)
    batches.close()
    expected = (blobs.train_images[:, None] / 255 - blobs.mean) / blobs.std
    key = torch.linspace(0, 1, 784)
    order, found = (expected.reshape(320, -1) @ key).argsort(), (images.reshape(320, -1) @ key).argsort()
    torch.testing.assert_close(images[found], expected[order])
    assert torch.equal(labels[found], blobs.train_labels[order])


def test_the_examples_process_leaves_signals_to_its_starter_and_ends_without_a_word(config, blobs, tmp_path, capfd):
    with example_process(config, blobs, tmp_path) as example:
        (process,) = multiprocessing.active_children()
        os.kill(process.pid, signal.SIGINT)  # before it can have said what a signal means to it
        example.send(2)
        assert len(example.recv()) == 2
        os.kill(process.pid, signal.SIGHUP)
        example.send(3)  # and nobody takes the answer
    assert (process.exitcode, capfd.readouterr().err) == (0, "")


def test_who_gives_up_does_not_wait_for_the_example_to_end_its_round(config, blobs, tmp_path):
    with suppress(KeyboardInterrupt), example_process(config, blobs, tmp_path) as example:
        (process,) = multiprocessing.active_children()
        example.send(1_000_000)
        raise KeyboardInterrupt
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("batch_size", [16, 64, 320])  # epochs of 20 steps, of 5 and of 1
def test_as_many_steps_are_timed_as_were_asked_for_round_after_round(config, blobs, monkeypatch, batch_size):
    monkeypatch.setattr("core.training.loop.PROGRESS_INTERVAL", 0.0)
    loop = bench.TrainerLoop(config.changed(batch_size=batch_size), blobs)
    assert loop.trainer.epoch == 0
    assert [len(loop.time_steps(7)) for _ in range(3)] == [7, 7, 7]
    epochs = loop.trainer.epoch
    loop.close()
    assert epochs >= 3 * (WARM_UP_STEPS + 7) // -(-320 // batch_size)


def test_the_time_to_the_target_is_that_of_a_run_that_stops_there(config, blobs):
    config = config.changed(arch="c4k5s3 p2 c8k3 gap fc10", lr=0.1, epochs=20, target=50.0)
    reached = bench.time_to_target(config, blobs)
    assert reached.reached
    assert 1 <= reached.epochs < 20
    assert reached.seconds > 0
    missed = bench.time_to_target(config.changed(lr=1e-9, epochs=1), blobs)
    assert (missed.reached, missed.epochs, missed.engine) == (
        False,
        1,
        choose_engine(config, torch.device("cpu"), 1).name,
    )


def test_the_arithmetic_of_a_step_is_forward_and_both_gradients():
    summary, _ = make_network(TrainConfig.checked({"arch": "fc20 fc10"}))
    first, second = 784 * 20, 20 * 10
    assert step_flops(summary, 64) == 2 * 64 * (2 * first + 3 * second)
    assert step_flops(make_network(TrainConfig.checked({"arch": "conv9"}))[0], 256) == pytest.approx(2.24e9, rel=0.02)


def test_the_matrix_peak_is_a_plausible_number():
    assert 1e8 < MatrixProducts(torch.device("cpu")).rate() < 1e14


def test_a_run_that_diverges_is_not_taken_for_a_measured_one(config, blobs):
    loop = bench.TrainerLoop(config.changed(lr=100.0, momentum=0.99), blobs)
    with pytest.raises(TrainingFailed, match="loss"):
        loop.time_steps(10_000)
