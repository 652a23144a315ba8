"""Somebody's own module is tried before its run: the memory format in which it trains, or why it does not."""

import textwrap
from dataclasses import replace

import pytest
import torch

from core.config import TrainConfig
from core.errors import InvalidValue
from core.events import RunFailed, RunFinished
from core.models.network import make_network
from core.storage.tensors import weights_sha256
from core.training.average import copy_weights
from core.training.trainer import Trainer
from core.training.trial import Sizes, batch_size_without_one, scoring_format, try_module

pytestmark = pytest.mark.usefixtures("every_step_is_told")

CPU = torch.device("cpu")

BASE = """
import random
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4), nn.Linear(256, 10)
        self.passes = 0
    def maps(self, x):
        self.passes += self.training
        return F.relu(self.norm(self.conv(x)))
    def forward(self, x):
        return self.head(self.maps(x).flatten(1))

class Net(Base):
    def forward(self, x):
"""


@pytest.fixture
def network(tmp_path):
    """Writes a module whose forward is this, and makes it: config, table, module."""

    def make(forward: str, **options: object):
        path = tmp_path / "net.py"
        path.write_text(BASE + textwrap.indent(textwrap.dedent(forward).strip("\n"), " " * 8) + "\n")
        config = TrainConfig.checked(
            {"arch": f"{path}:Net", "batch_size": 64, "epochs": 2, "device": "cpu", "lr": 0.05, **options}
        )
        return config, *make_network(config)

    return make


PLAIN = "return self.head(self.maps(x).flatten(1))"
VIEW = "x = self.maps(x)\nreturn self.head(x.view(-1, 256))"
AS_IT_LIES = "x = self.maps(x)\nreturn self.head(x.as_strided((len(x), 256), (256, 1)))"
DROPOUT = "return self.head(F.dropout2d(self.maps(x), 0.4, self.training).flatten(1))"
NORM_OF_UNITS = """
x = self.maps(x).flatten(1)
return self.head(F.batch_norm(x, None, None, training=True) if self.training else x)
"""
NOISE = "x = x + self.training * (np.random.normal(0, 0.1) + random.gauss(0, 0.1))\n" + PLAIN
VIEW_OF_TAIL = "x = self.maps(x)\nreturn self.head(x.view(-1, 256) if len(x) == 40 else x.flatten(1))"


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (PLAIN, torch.channels_last),
        (VIEW, torch.contiguous_format),
        (AS_IT_LIES, torch.contiguous_format),
        (DROPOUT, torch.channels_last),
        (NOISE, torch.channels_last),
        (VIEW_OF_TAIL, torch.contiguous_format),
    ],
)
def test_a_module_that_channels_last_does_not_suit_trains_in_contiguous_tensors(forward, expected, network, blobs):
    config, summary, model = network(forward)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    trial = try_module(model, config, CPU, Sizes((64, 40), (130,)), images=320, files=summary.files)
    assert trial.memory_format is expected
    assert all("passes" in note for note in trial.notes)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.passes == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    events = list(Trainer(config, blobs, summary, model, CPU).run())
    assert isinstance(events[-1], RunFinished), events[-1]


def test_it_trains_as_in_a_script(network, blobs):
    """The weights of a run in contiguous tensors are those of the same network that bears channels_last."""
    digests = {}
    for forward in (PLAIN, VIEW):
        config, summary, model = network(forward)
        trainer = Trainer(config, blobs, summary, model, CPU)
        list(trainer.run())
        digests[forward] = copy_weights(trainer.model)
    for name, weights in digests[PLAIN].items():
        torch.testing.assert_close(weights, digests[VIEW][name], rtol=1e-3, atol=1e-5)


def test_a_moving_average_is_kept_in_the_same_format(network, blobs):
    config, summary, model = network(VIEW, ema=True)
    assert isinstance(list(Trainer(config, blobs, summary, model, CPU).run())[-1], RunFinished)


@pytest.mark.parametrize(("forward", "expected"), [(PLAIN, torch.channels_last), (VIEW, torch.contiguous_format)])
def test_the_format_of_scoring_touches_no_random_state(forward, expected, network, monkeypatch):
    _, _, model = network(forward)
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("the random state of other threads is touched"))
    assert scoring_format(model) is expected


@pytest.mark.parametrize(
    ("forward", "options", "named"),
    [
        ("return (self.head(self.maps(x).flatten(1)),) * 2 if self.training else super().forward(x)", {},
         ["forward gave a tuple of 2, not a tensor, in training mode"]),
        ("return self.maps(x) if self.training else super().forward(x)", {}, ["shape (64, 4, 8, 8), not (64, 10)"]),
        ("with torch.no_grad():\n    return super().forward(x)", {}, ["logits without a gradient"]),
        ("return super().forward(x).detach().requires_grad_()", {}, ["depend on none of its parameters"]),
        ("x = torch.sigmoid(self.maps(x))\ny = self.head(x.flatten(1))\nx.add_(1)\nreturn y", {},
         ["in the backward pass of net.py:", "y = self.head(x.flatten(1))", "inplace operation"]),
        ("assert not self.training, 'no training'\nreturn super().forward(x)", {},
         ["net.py:", "assert not self.training", "AssertionError: no training"]),
        ("if self.training:\n    raise SystemExit(3)\nreturn super().forward(x)", {}, ["net.py:", "SystemExit: 3"]),
        ("if self.training:\n    raise KeyboardInterrupt\nreturn super().forward(x)", {}, ["KeyboardInterrupt"]),
        ("if len(x) == 130:\n    raise ValueError('130')\nreturn super().forward(x)", {}, ["ValueError: 130"]),
        ("if self.training:\n    x = x.reshape(3, -1, 1, 28, 28).flatten(0, 1)\nreturn super().forward(x)",
         {"batch_size": 66}, ["batch_size = 66: leaves a last batch of 56 images", "net.py:"]),
        (NORM_OF_UNITS,
         {"batch_size": 319}, ["leaves a last batch of one image", "a norm over a single value", "net.py:"]),
        (NORM_OF_UNITS,
         {"batch_size": 1}, ["leaves batches of one image", "a norm over a single value"]),
        ("return super().forward(x).squeeze()", {"batch_size": 319},
         ["leaves a last batch of one image, forward gave an output of shape (10,), not (1, 10)"]),
    ],
)  # fmt: skip
def test_a_module_that_does_not_train_is_refused_before_its_run(forward, options, named, network, blobs, presentable):
    config, summary, model = network(forward, **options)
    with pytest.raises(InvalidValue) as caught:
        Trainer(config, blobs, summary, model, CPU)
    presentable(caught.value.message, *named)
    assert caught.value.hint


def test_the_advised_batch_size_leaves_no_batch_of_one(network, blobs):
    config, summary, model = network("return super().forward(x).squeeze()", batch_size=319)
    with pytest.raises(InvalidValue) as caught:
        Trainer(config, blobs, summary, model, CPU)
    assert caught.value.hint == "use batch size 318"
    config, summary, model = network("return super().forward(x).squeeze()", batch_size=318)
    assert isinstance(list(Trainer(config, blobs, summary, model, CPU).run())[-1], RunFinished)


@pytest.mark.parametrize(
    ("options", "field", "advised"),
    [
        ({"limit_train": 1}, "limit_train", "use limit train 2"),
        ({"limit_train": 10, "val_split": 9}, "limit_train", "use limit train 11"),
        ({"val_split": 319}, "val_split", "hold out fewer images"),
        ({"limit_train": 1000, "val_split": 319}, "val_split", "hold out fewer images"),
    ],
)
@pytest.mark.parametrize("arch", ["own", "flat fc12l bn fc10"])
def test_of_a_single_image_it_is_said_that_it_is_alone(arch, options, field, advised, network, blobs, presentable):
    config, summary, model = network(NORM_OF_UNITS, **options)
    if arch != "own":
        config = config.model_copy(update={"arch": arch})
        summary, model = make_network(config)
    with pytest.raises(InvalidValue) as caught:
        Trainer(config, blobs, summary, model, CPU)
    assert caught.value.field == field
    presentable(caught.value.message, "leaves one image to train on")
    assert advised in str(caught.value.hint)


def test_advice_on_a_limit_counts_the_images_that_there_are(network, blobs):
    config, summary, model = network(
        "if self.training:\n    x = x.reshape(3, -1, 1, 28, 28).flatten(0, 1)\nreturn super().forward(x)",
        batch_size=66,
        limit_train=1000,
        val_split=22,
    )
    with pytest.raises(InvalidValue, match="last batch of 34 images") as caught:
        Trainer(config, blobs, summary, model, CPU)
    assert "286" in str(caught.value.hint)  # four batches, and what is held out


@pytest.mark.parametrize(
    ("images", "size", "expected"), [(320, 319, 318), (129, 64, 63), (10, 1, 2), (9, 8, 7), (2, 1, 2)]
)
def test_batch_size_without_one(images, size, expected):
    assert batch_size_without_one(images, size) == expected


STATE = """
import random
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(784, 8), nn.utils.parametrizations.weight_norm(nn.Linear(8, 10))
        self.steps, self.seen, self.maps, self.width = 0, [], None, 3
        self.numbers, self._mean = random.Random(0), torch.zeros(())
        self.register_buffer("fresh", torch.zeros(()), persistent=False)
        self.register_buffer("kept", torch.zeros(()))
    def forward(self, x):
        x = torch.relu(self.first(x.flatten(1)))
        %s
        return self.last(x)
"""


@pytest.mark.parametrize(
    ("forward", "changed"),
    [
        ("self.steps += 1", "steps"),
        ("self.seen.append(len(x))", "seen"),
        ("self.numbers.random()", "numbers"),
        ("self._mean = 0.9 * self._mean + x.mean().item()", "_mean"),
        ("self._mean += 1", "_mean"),
        ("self.fresh += 1; self.last.calls = 1", "fresh"),
        ("self.first.in_features += 1; self.steps += 1", "first.in_features, steps"),
        ("self.kept += 1", ""),
        ("self.maps = x", ""),
        ("self.maps = [x]", ""),
    ],
)
def test_state_that_no_checkpoint_keeps_is_noted(tmp_path, blobs, forward, changed):
    path = tmp_path / "net.py"
    path.write_text(STATE % forward)
    config = TrainConfig.checked({"arch": f"{path}:Net", "batch_size": 64, "epochs": 1, "device": "cpu"})
    summary, model = make_network(config)
    started = next(Trainer(config, blobs, summary, model, CPU).run())
    note = "forward changes {}, which no checkpoint keeps: a run that is resumed has it as at the start"
    if changed:
        assert note.format(changed) in started.note
    else:
        assert "no checkpoint" not in started.note


def test_logits_that_are_not_finite_are_noted(network, blobs):
    config, summary, model = network("return super().forward(x) / 0")
    started = next(Trainer(config, blobs, summary, model, CPU).run())
    assert "not finite before it is trained" in started.note


@pytest.mark.parametrize(
    ("forward", "named"),
    [
        ("if self.passes > 7:\n    raise ValueError('now')\n" + PLAIN,
         ["in training, epoch 2, step 4: net.py:", "raise ValueError('now')"]),
        ("if self.passes > 7:\n    raise KeyboardInterrupt\n" + PLAIN, ["net.py:", "KeyboardInterrupt"]),
        ("if self.passes > 4 and not self.training:\n    raise ValueError('now')\n" + PLAIN,
         ["in scoring, epoch 1", "net.py:"]),
        ("y = torch.sigmoid(super().forward(x))\nif self.passes > 7:\n    y.square().sum()\n    y.add_(1)\nreturn y",
         ["in training, epoch 2, step 3, in the backward pass", "inplace"]),
    ],
)  # fmt: skip
def test_what_a_module_raises_later_names_file_line_and_statement(forward, named, network, blobs, presentable):
    config, summary, model = network(forward)
    end = list(Trainer(config, blobs, summary, model, CPU).run())[-1]
    assert isinstance(end, RunFailed)
    presentable(end.error, "net.py:Net raised", *named)
    assert end.hint


def test_python_s_and_numpy_s_random_numbers_follow_the_seed_and_a_checkpoint(network, blobs):
    def digest(seed: int) -> str:
        config, summary, model = network(NOISE, seed=seed)
        trainer = Trainer(config, blobs, summary, model, CPU)
        list(trainer.run())
        return weights_sha256(trainer.final_weights)

    whole = digest(0)
    assert digest(0) == whole
    assert digest(1) != whole
    config, summary, model = network(NOISE)
    first = Trainer(config, blobs, summary, model, CPU)
    for index, event in enumerate(first.run()):
        checkpoint = first.checkpoint()
        if index not in (3, 8):
            continue
        for known in (True, False):
            tensors = {name: one for name, one in checkpoint.tensors.items() if known or not name.startswith("script")}
            _, again, fresh = network(NOISE)
            later = Trainer(config, blobs, again, fresh, CPU)
            later.restore(replace(checkpoint, tensors=tensors))  # without these it is one of an earlier version
            list(later.run())
            assert (weights_sha256(later.final_weights) == whole) is known, (index, event)


def test_two_runs_in_turn_do_not_disturb_each_other(network, blobs):
    def trainer() -> Trainer:
        config, summary, model = network(NOISE)
        return Trainer(config, blobs, summary, model, CPU)

    alone, one, other = trainer(), trainer(), trainer()
    list(alone.run())
    first = one.run()
    for _ in range(4):
        next(first)
    list(other.run())
    list(first)
    assert weights_sha256(one.final_weights) == weights_sha256(alone.final_weights)
    assert weights_sha256(other.final_weights) == weights_sha256(alone.final_weights)
