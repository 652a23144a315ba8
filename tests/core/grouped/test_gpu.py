"""Grouped training on CUDA: eight copies against eight runs alone, one operation at a time and as recorded graphs."""

import pytest
import torch

from core.config import TrainConfig
from core.events import EpochFinished, RunFailed, RunFinished
from core.grouped.trainer import GroupTrainer
from core.models.network import make_network
from core.training.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICE = torch.device("cuda")


def configs_of(engine: str, **options: object) -> list[TrainConfig]:
    shared = {"batch_size": 48, "epochs": 3, "device": "cuda", "schedule": "onecycle", "engine": engine} | options
    return [TrainConfig.checked(shared | {"seed": seed, "lr": 0.01 + 0.005 * seed}) for seed in range(8)]


def train_group(configs, data):
    networks = [make_network(config) for config in configs]
    group = GroupTrainer(configs, data, networks[0][0], [model for _, model in networks], DEVICE)
    events = list(group.run(lambda _: ""))
    assert {type(event) for _, event in events[-8:]} == {RunFinished}
    return group, [[event for member, event in events if member.copy == copy] for copy in range(8)]


@pytest.mark.parametrize("engine", ["eager", "graph"])
@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("conv9", {"augment": "shift", "ema": True, "ema_decay": 0.9}),
        ("conv5", {"augment": "affine", "nesterov": True, "weight_decay": 0.001}),
        ("s6p1 a4 s12k3s2p1n s8k1 fc10", {"val_split": 40}),
        ("c6k5s2 a2 c8k3 gap fc12 fc10", {"momentum": 0.0}),
    ],
)
def test_eight_copies_are_eight_runs(blobs, engine, arch, options):
    configs = configs_of(engine, arch=arch, **options)
    group, events = train_group(configs, blobs)
    assert events[0][0].engine == engine
    assert events[0][0].note == ""  # nothing that could not be recorded
    for config, member, told in zip(configs, group.members, events, strict=True):
        trainer = Trainer(config, blobs, *make_network(config), DEVICE)
        alone = list(trainer.run())
        losses = [event.train_loss for event in alone if isinstance(event, EpochFinished)]
        assert [event.train_loss for event in told if isinstance(event, EpochFinished)] == pytest.approx(losses, 1e-2)
        for name, tensor in trainer.final_weights.items():
            torch.testing.assert_close(member.final_weights[name], tensor, rtol=2e-2, atol=2e-3, msg=name)


def test_a_replayed_group_follows_the_one_taken_step_by_step(blobs):
    groups = {}
    for engine in ("eager", "graph"):
        groups[engine], _ = train_group(configs_of(engine, arch="conv5", epochs=8), blobs)
    for eager, replayed in zip(groups["eager"].members, groups["graph"].members, strict=True):
        one, other = eager.checkpoint(), replayed.checkpoint()
        assert one.tensors.keys() == other.tensors.keys()
        for name, tensor in one.part("model").items():
            torch.testing.assert_close(other.part("model")[name], tensor, rtol=1e-2, atol=1e-3, msg=name)
        assert torch.equal(one.part("engine")["steps"], other.part("engine")["steps"])


def test_a_copy_that_diverges_in_a_graph_fails_by_itself(blobs):
    configs = configs_of("graph", arch="fc24 fc10")
    configs[3] = configs[3].changed(lr=100.0)
    networks = [make_network(config) for config in configs]
    group = GroupTrainer(configs, blobs, networks[0][0], [model for _, model in networks], DEVICE)
    ends = {member.copy: type(event) for member, event in group.run(lambda _: "")}
    assert ends == {copy: RunFailed if copy == 3 else RunFinished for copy in range(8)}
