"""Images of other sizes and classes than MNIST's: every way to train them does the same."""

from __future__ import annotations

import pytest
import torch
from image_tasks import TASKS, make_dataset
from plain_training import assert_follows, train_plainly, train_with
from torch import nn

from core.config import TrainConfig
from core.engines.native.engine import NativeEngine
from core.errors import InvalidValue
from core.events import EpochFinished, RunFinished, RunStarted, from_record, to_record
from core.grouped.trainer import GroupTrainer
from core.models.network import build_network, make_network
from core.models.own.table import summarize_module
from core.task import ImageTask
from core.training.trainer import Trainer
from core.training.trial import Sizes, try_module

CPU = torch.device("cpu")
RECIPE = {"batch_size": 48, "epochs": 2, "lr": 0.02, "device": "cpu", "engine": "eager"}


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", TASKS)
def test_the_kernels_equal_a_plain_loop_in_double_precision(name):
    task, arch = TASKS[name]
    config, data = TrainConfig.checked(RECIPE | {"arch": arch}), make_dataset(task)
    engine = NativeEngine()
    assert_follows(train_with(config, data, torch.float64, engine), train_plainly(config, data), 1e-9)
    assert engine.note == ""


@pytest.mark.parametrize("name", TASKS)
def test_each_copy_of_a_group_is_the_single_run_of_its_seed(name, make_trainer):
    task, arch = TASKS[name]
    data = make_dataset(task)
    arch = arch.replace(" p2", " a2")  # in max pooling a tie may fall another way
    configs = [TrainConfig.checked(RECIPE | {"arch": arch, "seed": seed}) for seed in (0, 1)]
    networks = [make_network(config, task) for config in configs]
    group = GroupTrainer(configs, data, networks[0][0], [module for _, module in networks], CPU)
    for _ in group.run(lambda _: ""):
        pass
    for member in group.members:
        trainer = make_trainer(data=data, **RECIPE | {"arch": arch, "seed": member.config.seed})
        for _ in trainer.run():
            pass
        for key, tensor in trainer.final_weights.items():
            assert torch.allclose(member.final_weights[key], tensor, atol=2e-4), key
        assert member.predictions["final"].max() < task.classes


@pytest.mark.parametrize("name", TASKS)
def test_a_run_learns_says_what_its_images_are_and_goes_on_to_the_same_bits(name, make_trainer):
    task, arch = TASKS[name]
    data = make_dataset(task)
    options = RECIPE | {"arch": arch, "augment": "affine", "epochs": 3}
    whole = make_trainer(data=data, **options)
    events = list(whole.run())
    started = next(event for event in events if isinstance(event, RunStarted))
    assert (started.task, started.classes) == (task, data.classes)
    assert from_record({**to_record(started), "classes": list(data.classes)}) == started
    losses = [event.train_loss for event in events if isinstance(event, EpochFinished)]
    assert losses[-1] < losses[0]
    first = make_trainer(data=data, **options)
    for event in first.run():
        if isinstance(event, EpochFinished):
            break
    second = make_trainer(data=data, **options)
    second.restore(first.checkpoint())
    assert isinstance(list(second.run())[-1], RunFinished)
    for key, tensor in whole.final_weights.items():
        assert torch.equal(second.final_weights[key], tensor), key


class Letters(nn.Module):
    """For images of 16 pixels, of three classes; no spec equals it, as it looks at the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.out = nn.Linear(4 * 49, 3)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        x = torch.nn.functional.max_pool2d(x, 2)
        return self.out(x.flatten(1)) * (1.0 if len(x) > 1000 else 2.0)


def test_a_module_of_ones_own_is_tried_and_trained_for_the_task_of_its_data():
    task = ImageTask(16, 3)
    data = make_dataset(task)
    model = Letters()
    config = TrainConfig.checked(RECIPE | {"arch": "net.py:Letters"})
    trainer = Trainer(config, data, summarize_module(model, config.arch, (), task), model, CPU)
    assert isinstance(list(trainer.run())[-1], RunFinished)
    with pytest.raises(InvalidValue, match=r"16 x 16|28, 28|784|wants"):
        try_module(Letters(), config, CPU, Sizes((4,)), images=160)
    with pytest.raises(InvalidValue, match=r"not \(4, 5\)"):
        try_module(Letters(), config, CPU, Sizes((4,)), images=160, task=ImageTask(16, 5))


def test_a_file_of_ones_own_is_translated_and_refused_by_the_task(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))\n"
    )
    config = TrainConfig.checked({"arch": f"{file}:Net"})
    found = build_network(config, task=ImageTask(16, 3))
    assert found.summary.total_params == 4 * 10 + 3 * (4 * 14 * 14 + 1)
    with pytest.raises(InvalidValue, match=r"not \(2, 5\)") as error:
        build_network(config, task=ImageTask(16, 5))
    assert error.value.hint == "forward takes (N, 1, 16, 16) and returns logits (N, 5)"
