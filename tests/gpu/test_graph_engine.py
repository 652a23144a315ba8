"""Steps replayed as CUDA graphs, held against eager ones and against a plain loop in double precision."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from plain_training import COMMON_RECIPES, assert_follows, make_step, start_epoch, train_plainly, train_with
from torch import Tensor, nn

from core.config import TrainConfig
from core.device.random_state import random_state, restore_random_state
from core.engines.graph.engine import GraphEngine
from core.events import EpochFinished
from core.models.network import make_network
from core.models.own.table import summarize_module
from core.training.evaluate import Evaluator, Labelled, Pixels
from core.training.step import TrainStep
from core.training.trainer import Trainer

pytestmark = pytest.mark.gpu

TINY = {"arch": "c4k5s3 p2 c8k3 gap fc10", "lr": 0.02, "batch_size": 48, "epochs": 8, "device": "cuda:0"}
"""On 320 images eight epochs of six batches and a tail of 32: 56 steps."""
CUDA = torch.device("cuda:0")


@pytest.mark.parametrize("recipe", COMMON_RECIPES)
def test_fifty_replayed_steps_equal_a_plain_loop_in_double_precision(blobs, recipe):
    config = TrainConfig.checked(TINY | COMMON_RECIPES[recipe])
    engine = GraphEngine(CUDA)
    # The fused optimizer reads the rate as float32 on CUDA, hence not 1e-9 where the rate is not one.
    tolerance = 1e-9 if config.schedule == "constant" else 1e-6
    config = config.changed(lr=2**-6)
    trained = train_with(config, blobs, torch.float64, engine)
    assert len(engine._graphs) == 2, engine.note
    assert_follows(trained, train_plainly(config.changed(device="cpu"), blobs), tolerance)


@pytest.mark.parametrize("arch", ["conv9", "conv5", "s6p1 a4 c8nk3 d0 fc12 fc10"])
@pytest.mark.parametrize("options", [{}, {"dropout": 0.2}, {"precision": "bf16"}, {"precision": "tf32"}])
def test_replayed_steps_follow_eager_ones(blobs, arch, options):
    config = TrainConfig.checked(TINY | options | {"arch": arch, "lr": 0.002, "schedule": "onecycle"})
    engine = GraphEngine(CUDA)
    replayed, eager = train_with(config, blobs, engine=engine), train_with(config, blobs)
    assert engine.note == ""
    assert replayed.rates == eager.rates
    for name, tensor in replayed.tensors().items():
        other = eager.tensors()[name].double()
        error = torch.linalg.vector_norm(tensor.double() - other)
        assert error <= (0.05 if options.get("precision") else 1e-3) * torch.linalg.vector_norm(other), name


def test_rate_momentum_weights_and_place_change_across_replays(blobs):
    config = TrainConfig.checked(TINY | {"schedule": "onecycle", "ema": True})
    engine = GraphEngine(CUDA)
    step, model, average = make_step(config, blobs, engine=engine)
    model.train()
    start_epoch(step, config, 320, 1)
    engine.prepare(step)
    assert set(engine._graphs) == {(step, 48), (step, 32)}, engine.note
    seen: list[list[Tensor]] = []
    for size in (48, 48, 48, 32):
        engine.run(step, size)
        state = step._optimizer.state.values()
        watched = [step._lr, step._places, *state, *model.parameters(), *average.model.parameters()]
        seen.append([tensor.detach().clone() for tensor in watched])
    for before, after in pairwise(seen):
        assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("batch_size", [48, 64])
def test_gauges_of_replayed_steps_are_those_of_eager_ones(blobs, batch_size):
    """With a tail that has a graph of its own, and without."""
    found = {}
    for engine in ("eager", "graph"):
        config = TrainConfig.checked(TINY | {"engine": engine, "batch_size": batch_size, "epochs": 2, "lr": 0.002})
        *_, last = [event for event in Trainer(config, blobs, *make_network(config), CUDA).run() if _is_epoch(event)]
        found[engine] = last
    for name in ("gradient_norms", "update_ratios"):
        eager, replayed = (getattr(found[engine], name) for engine in ("eager", "graph"))
        assert replayed == pytest.approx(eager, rel=0.05), name


def _is_epoch(event: object) -> bool:
    return isinstance(event, EpochFinished)


def test_recording_leaves_everything_as_it_was(blobs):
    config = TrainConfig.checked(TINY | {"dropout": 0.2, "ema": True, "augment": "affine"})
    engine = GraphEngine(CUDA)
    step, model, _ = make_step(config, blobs, engine=engine)
    model.train()
    start_epoch(step, config, 320, 1)
    step(48)
    before, random = [tensor.detach().clone() for tensor in step.changed()], random_state(CUDA)
    stream = torch.cuda.current_stream(CUDA)
    engine.prepare(step)
    assert engine.note == ""
    assert all(map(torch.equal, step.changed(), before))
    assert all(torch.equal(state, random_state(CUDA)[name]) for name, state in random.items())
    assert torch.cuda.current_stream(CUDA) == stream


def test_dropout_differs_from_replay_to_replay_and_comes_back_with_the_random_state(blobs):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10)).to(CUDA)
    config = TrainConfig.checked(TINY | {"momentum": 0.0})
    images, labels = blobs.train_images[:48].to(CUDA), blobs.train_labels[:48].to(CUDA)
    step = TrainStep(model, config, images, labels, Pixels(0.2, 0.15), None)
    engine = GraphEngine(CUDA)

    def loss() -> float:
        start_epoch(step, config.changed(lr=1e-30), 48, 1)
        engine.run(step, 48)
        return step.totals()[0].loss

    start_epoch(step, config, 48, 1)
    engine.prepare(step)
    assert engine.note == ""
    state = random_state(CUDA)
    losses = [loss() for _ in range(4)]
    assert len(set(losses)) == 4
    restore_random_state(state, CUDA)
    assert [loss() for _ in range(4)] == losses
    torch.manual_seed(5)
    seeded = loss()
    assert seeded not in losses
    torch.manual_seed(5)
    assert loss() == seeded


def test_a_replayed_evaluation_equals_an_eager_one_for_whatever_weights_there_are(blobs):
    model = make_network(TrainConfig.checked(TINY))[1].to(CUDA)
    rows = torch.arange(320, device=CUDA).flip(0)[:310]
    data = Labelled(blobs.train_images.to(CUDA), blobs.train_labels.to(CUDA), rows)
    evaluator = Evaluator(model, data, Pixels(0.2, 0.15))
    engine = GraphEngine(CUDA)
    evaluator.prepare(engine)
    assert engine.note == ""
    losses = []
    for _ in range(3):
        replayed, eager = evaluator.score(str, engine), evaluator.score(str)
        assert replayed.loss == pytest.approx(eager.loss, rel=1e-6)
        assert (replayed.correct, replayed.total) == (eager.correct, 310)
        assert torch.equal(replayed.predictions, eager.predictions)
        losses.append(eager.loss)
        with torch.no_grad():
            model[0].weight.mul_(-2.0)
    assert len(set(losses)) == 3


class Reading(nn.Module):
    """A network that reads a value back in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits = self.linear(images.flatten(1))
        return logits * (1 + float(logits.detach().abs().amax() > 1e9))


def test_a_network_that_cannot_be_recorded_is_trained_all_the_same_and_this_is_said_once(blobs):
    config = TrainConfig.checked({**TINY, "arch": "reading.py:Reading", "engine": "graph", "epochs": 2})
    model = Reading()
    events = list(Trainer(config, blobs, summarize_module(model, config.arch), model, CUDA).run())
    assert events[0].engine == "graph"
    assert "steps are not replayed as CUDA graphs: " in events[0].note
    assert events[0].note.count("not replayed") == 1
    assert events[-1].NAME == "run_finished"
    assert torch.cuda.current_stream(CUDA) == torch.cuda.default_stream(CUDA)


class Failing(nn.Module):
    """A network that cannot be recorded, as is only seen when it is tried: it waits for the device in each step, or the
    first step fails while the device is still at work on it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)
        self.register_buffer("seen", torch.zeros(()))
        self.way = way
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        logits = self.linear(images.flatten(1))
        if self.way == "waits":
            torch.cuda.synchronize()
        elif self.calls == 1:
            torch.cuda._sleep(100_000_000)
            self.seen += 100
            raise RuntimeError("the first time")
        self.seen += 1
        return logits


@pytest.mark.parametrize("way", ["waits", "raises"])
def test_a_step_that_fails_while_it_is_recorded_leaves_everything_as_it_was(blobs, way):
    config = TrainConfig.checked({**TINY, "arch": "failing.py:Failing"})
    model = Failing(way).to(CUDA)
    step = TrainStep(model, config, blobs.train_images.to(CUDA), blobs.train_labels.to(CUDA), Pixels(0.2, 0.15), None)
    start_epoch(step, config, 320, 1)
    before = [tensor.detach().clone() for tensor in step.changed()]
    engine = GraphEngine(CUDA)
    engine.prepare(step)
    torch.cuda.synchronize()
    assert "not replayed" in engine.note
    assert all(map(torch.equal, step.changed(), before))
    assert torch.cuda.current_stream(CUDA) == torch.cuda.default_stream(CUDA)
    engine.run(step, 48)
    assert float(model.seen) == 1


@pytest.mark.parametrize("options", [{}, {"ema": True, "augment": "shift", "dropout": 0.1, "val_split": 30}])
def test_a_run_goes_on_from_a_checkpoint_of_either_engine(blobs, options):
    base = TrainConfig.checked(TINY | options | {"epochs": 3, "schedule": "cosine"})

    def trainer(engine: str) -> Trainer:
        return Trainer(base.changed(engine=engine), blobs, *make_network(base), CUDA)

    whole = trainer("graph")
    started, *_ = whole.run()
    assert started.note == ""
    for first, second in (("graph", "graph"), ("graph", "eager"), ("eager", "graph")):
        asked = iter([""] * 9 + ["enough"] * 99)
        stopped = trainer(first)
        assert list(stopped.run(lambda asked=asked: next(asked)))[-1].NAME == "run_stopped"
        checkpoint = stopped.checkpoint()  # before another network is made, which draws random numbers
        resumed = trainer(second)
        resumed.restore(checkpoint)
        assert list(resumed.run())[-1].NAME == "run_finished"
        for name, tensor in resumed.final_weights.items():
            expected = whole.final_weights[name].double()
            error = torch.linalg.vector_norm(tensor.double() - expected)
            assert error <= 1e-3 * torch.linalg.vector_norm(expected), f"{first} then {second}: {name}"


def test_auto_takes_graphs_for_a_run_of_some_length(blobs):
    config = TrainConfig.checked(TINY | {"epochs": 20})
    events = Trainer(config, blobs, *make_network(config), CUDA).run()
    assert next(events).engine == "graph"
    events.close()
