"""The mean of the weights of epochs and the statistics of its batch norms, held against torch's own in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, update_bn

from core.config import TrainConfig
from core.engines.engine import EagerEngine
from core.errors import InvalidValue
from core.events import EpochFinished, RunFinished, RunStarted
from core.models.build import build_model
from core.models.spec import parse
from core.models.summary import summarize
from core.storage.tensors import weights_sha256
from core.training.average import EpochMean, copy_weights, first_averaged
from core.training.evaluate import Evaluator, Labelled, Pixels
from core.training.statistics import NormStatistics

TIED = "c6k5s3 p2 tie2(c6p1) loop2(c6p1b0r) c8k3 flat fc12l bn fc10"


def never() -> str:
    return ""


def through(statistics: NormStatistics) -> None:
    for _ in statistics.batches(EagerEngine()):
        pass


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return build_model(summarize(parse(TIED))).double()


def batches(data, pixels: Pixels, size: int) -> list[torch.Tensor]:
    return [pixels(part) for part in data.train_images.split(size)]


def test_mean_and_statistics_are_those_of_torch(model, blobs):
    pixels = Pixels(blobs.mean, blobs.std, torch.float64)
    mean, expected = EpochMean(model, first=3), AveragedModel(model)
    for module in expected.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = nn.BatchNorm2d  # torch's own, which knows a momentum of None
    statistics = NormStatistics(mean.model, Labelled(blobs.train_images, blobs.train_labels), pixels, 48)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(1, 7):
        model.train()
        for images, labels in zip(batches(blobs, pixels, 64), blobs.train_labels.split(64), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        mean.end_epoch(epoch)
        if epoch < 3:
            assert weights_sha256(mean.model.state_dict()) == weights_sha256(copy_weights(model))
            continue
        expected.update_parameters(model)
        update_bn(batches(blobs, pixels, 48), expected)  # 320 images: the last batch has 32
        through(statistics)
        for name, tensor in expected.module.state_dict().items():
            torch.testing.assert_close(mean.model.state_dict()[name], tensor, rtol=1e-10, atol=1e-12, msg=name)
    assert weights_sha256(mean.model.state_dict()) != weights_sha256(copy_weights(model))
    assert not any(module.training for module in mean.model.modules())


def test_statistics_are_those_of_what_is_scored_so_that_dropout_has_no_part_in_them(blobs):
    torch.manual_seed(0)
    plain = build_model(summarize(parse("c6k5s3 c8k3 gap fc10")))
    dropped = build_model(summarize(parse("c6k5s3 d0.5 c8k3 gap fc10")))
    for one, other in zip(dropped.parameters(), plain.parameters(), strict=True):
        one.data.copy_(other.data)
    pixels = Pixels(blobs.mean, blobs.std)
    random = torch.get_rng_state()
    for network in (plain, dropped):
        through(NormStatistics(network, Labelled(blobs.train_images, blobs.train_labels), pixels, 64))
    assert torch.equal(torch.get_rng_state(), random)
    for one, other in zip(dropped.buffers(), plain.buffers(), strict=True):
        assert torch.equal(one, other)
    assert all(norm.momentum == 0.1 for norm in plain.modules() if isinstance(norm, nn.BatchNorm2d))
    assert all(module.training for module in dropped.modules())


def test_a_network_without_running_statistics_needs_no_pass(blobs):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10, track_running_stats=False))
    data = Labelled(blobs.train_images, blobs.train_labels)
    assert list(NormStatistics(model, data, Pixels(0.2, 0.15), 64).batches(EagerEngine())) == []


def test_a_norm_that_scoring_does_not_use_keeps_its_statistics(make_trainer):
    class Net(nn.Module):
        """Its second head is there to train the first layers, as in networks with an auxiliary loss."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4), nn.Linear(256, 10)
            self.extra = nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            logits = self.head(self.norm(x).flatten(1))
            return logits + self.head(self.extra(x).flatten(1)) if self.training else logits

    trainer = make_trainer(model=Net(), arch="net.py:Net", swa=True, swa_start=0.0, epochs=2)
    assert isinstance(list(trainer.run())[-1], RunFinished)
    for name in ("extra.running_mean", "extra.running_var", "extra.num_batches_tracked"):
        assert torch.equal(trainer.final_weights[name], trainer.model.state_dict()[name]), name
    assert int(trainer.final_weights["norm.num_batches_tracked"]) == 5
    assert all(bool(tensor.isfinite().all()) for tensor in trainer.final_weights.values())


@pytest.mark.parametrize("arch", ["c4k5s3 gap bn fc10", "flat fc12l bn fc10"])
def test_a_last_image_by_itself_has_no_part_in_the_statistics(make_trainer, blobs, monkeypatch, arch):
    model = build_model(summarize(parse(arch)))
    data, pixels = Labelled(blobs.train_images, blobs.train_labels), Pixels(blobs.mean, blobs.std)
    statistics = NormStatistics(model, data.first(41), pixels, 20)
    assert statistics.sizes() == [20]
    through(statistics)
    found = [buffer.clone() for buffer in model.buffers()]
    through(NormStatistics(model, data.first(40), pixels, 20))
    for one, other in zip(found, model.buffers(), strict=True):
        assert torch.equal(one, other)
    monkeypatch.setattr("core.training.scoring.STATISTICS_IMAGES", 129)
    trainer = make_trainer(arch=arch, swa=True, swa_start=0.0, epochs=2)
    assert isinstance(list(trainer.run())[-1], RunFinished)


@pytest.mark.parametrize(
    ("epochs", "start", "first"),
    [(20, 0.75, 16), (10, 0.7, 8), (100, 0.29, 30), (1, 0.75, 1), (4, 0.0, 1), (2, 0.99, 2)],
)
def test_the_mean_begins_after_the_share_of_the_run(epochs, start, first):
    assert first_averaged(TrainConfig.checked({"epochs": epochs, "swa_start": start, "budget": False})) == first


@pytest.mark.parametrize("val_split", [0, 64])
def test_a_run_scores_and_keeps_the_mean_of_its_last_epochs(make_trainer, blobs, val_split):
    trainer = make_trainer(swa=True, swa_start=0.5, epochs=4, val_split=val_split)
    after, scored, note = [], [], ""
    for event in trainer.run():
        if isinstance(event, RunStarted):
            note = event.note
        if isinstance(event, EpochFinished):
            after.append(copy_weights(trainer.model))
            scored.append(weights_sha256(copy_weights(trainer.scored_model)))
    assert "mean of the weights of all epochs from 3 on, before that the weights themselves" in note
    assert scored[:3] == [weights_sha256(weights) for weights in after[:3]]
    mean = {name: (after[2][name] + after[3][name]) / 2 for name, _ in trainer.model.named_parameters()}
    for name, tensor in mean.items():
        torch.testing.assert_close(trainer.final_weights[name], tensor, rtol=1e-6, atol=1e-7)
    score = Evaluator(
        trainer.scored_model, Labelled(blobs.test_images, blobs.test_labels), Pixels(blobs.mean, blobs.std)
    ).score(never)
    assert isinstance(event, RunFinished)
    assert event.final_test_accuracy == score.accuracy
    assert event.weights_sha256 == scored[3] == weights_sha256(trainer.final_weights)
    plain = make_trainer(epochs=4, val_split=val_split)
    list(plain.run())  # the mean has no part in training
    assert weights_sha256(copy_weights(plain.model)) == weights_sha256(after[3])


@pytest.mark.parametrize(("start", "scored"), [(0.75, "the weights"), (0.0, "their mean")])
def test_a_run_that_ends_early_scores_what_its_note_says(make_trainer, start, scored):
    trainer = make_trainer(swa=True, swa_start=start, arch="fc10", lr=1e-7, epochs=8, early_stop=1)
    started, *_, end = list(trainer.run())
    assert isinstance(end, RunFinished)
    assert (end.epochs, end.ended_by) == (2, "early_stop")
    first = first_averaged(TrainConfig(epochs=8, swa_start=start))
    assert f"mean of the weights of all epochs from {first} on" in started.note
    assert (", before that the weights themselves" in started.note) == (first > 1)
    is_alike = weights_sha256(trainer.final_weights) == weights_sha256(copy_weights(trainer.model))
    assert is_alike == (scored == "the weights")


def test_a_checkpoint_that_is_taken_while_statistics_are_found_has_none_half_found(make_trainer):
    trainer = make_trainer(swa=True, swa_start=0.0, epochs=2)
    questions = iter(range(1000))
    for _ in trainer.run(
        lambda: "enough" if next(questions) == 14 else ""
    ):  # 5 steps, 1 batch; 5 steps, 5 of statistics
        pass
    weights = trainer.checkpoint().part("average")
    assert (trainer.epoch, trainer.step) == (2, 5)
    for name, tensor in copy_weights(trainer.model).items():
        if "running" in name or "num_batches" in name:
            assert torch.equal(weights[name], tensor), name
        else:
            assert not torch.equal(weights[name], tensor), name


def test_two_averages_are_refused():
    with pytest.raises(InvalidValue, match="cannot be used with ema"):
        TrainConfig.checked({"swa": True, "ema": True})
