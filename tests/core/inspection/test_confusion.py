"""Confusion matrices, scores of classes and the order of images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import Stopped
from core.events import EpochFinished
from core.inspection.confusion import Outputs, class_scores, classify, confusion_matrix, most_confused, surest_first
from core.models.network import make_network
from core.training.evaluate import Pixels

PIXELS = Pixels(0.2, 0.15)


@pytest.fixture
def outputs() -> Outputs:
    probabilities = torch.full((4, 10), 0.01)
    for image, (digit, probability) in enumerate([(3, 0.6), (3, 0.9), (5, 0.8), (3, 0.7)]):
        probabilities[image, digit] = probability
    return Outputs(probabilities, torch.tensor([3, 3, 5, 3]))


def test_a_matrix_counts_true_classes_down_and_predicted_ones_across():
    matrix = confusion_matrix(torch.tensor([3, 3, 5, 9]), torch.tensor([3, 5, 5, 4], dtype=torch.uint8), 10)
    assert matrix.sum() == 4
    assert {tuple(place) for place in matrix.nonzero().tolist()} == {(3, 3), (3, 5), (5, 5), (9, 4)}


def test_precision_recall_and_what_a_class_is_taken_for():
    labels = torch.tensor([1, 1, 1, 1, 2, 2])
    scores = class_scores(confusion_matrix(labels, torch.tensor([1, 1, 7, 2, 2, 1]), 10))
    assert (scores[1].images, scores[1].precision, scores[1].recall) == (4, pytest.approx(2 / 3), 0.5)
    assert scores[1].f1 == pytest.approx(4 / 7)
    assert scores[1].taken_for == 2  # of two that are equally common the first
    assert (scores[7].precision, scores[7].recall, scores[7].f1, scores[7].taken_for) == (0.0, None, None, None)
    assert (scores[0].precision, scores[0].recall) == (None, None)


def test_the_commonest_mistake_is_not_on_the_diagonal():
    matrix = torch.eye(10, dtype=torch.int64) * 100
    assert most_confused(matrix) is None
    matrix[4, 9], matrix[9, 4] = 3, 2
    assert most_confused(matrix) == (4, 9)


def test_images_are_ordered_by_how_sure_the_network_is(outputs):
    chosen = torch.tensor([True, True, False, True])
    assert surest_first(outputs, chosen).tolist() == [1, 3, 0]
    assert surest_first(outputs, torch.zeros(4, dtype=torch.bool)).tolist() == []


def test_classes_are_those_of_scoring_and_probabilities_add_up(make_trainer, blobs):
    trainer = make_trainer()
    epochs = [event for event in trainer.run(lambda: "") if isinstance(event, EpochFinished)]
    told: list[float] = []
    pixels = Pixels(blobs.mean, blobs.std)
    outputs = classify(trainer.scored_model.eval(), blobs.test_images, pixels, lambda: "", told.append)
    assert int((outputs.predictions == blobs.test_labels).sum()) == epochs[-1].test_correct
    assert torch.equal(outputs.predictions, outputs.probabilities.argmax(1))
    assert torch.allclose(outputs.probabilities.sum(1), torch.ones(130), atol=1e-5)
    assert told[-1] == 1.0


def test_a_last_image_by_itself_is_classified_whatever_is_squeezed_away_of_it(blobs, monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 10, 28), nn.BatchNorm2d(10)).eval()

    class Squeezing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return model(x).squeeze()

    monkeypatch.setattr("core.inspection.confusion.BATCH", 43)
    outputs = classify(Squeezing(), blobs.test_images, PIXELS, lambda: "", lambda _: None)
    expected = model(PIXELS(blobs.test_images)).flatten(1).softmax(1)
    torch.testing.assert_close(outputs.probabilities, expected.detach())


def test_it_stops_between_batches(blobs, monkeypatch):
    monkeypatch.setattr("core.inspection.confusion.BATCH", 50)
    from core.config import TrainConfig

    _, model = make_network(TrainConfig(arch="c4 gap fc10"))
    answers = iter(["", "enough"])
    with pytest.raises(Stopped, match="enough"):
        classify(model.eval(), blobs.test_images, PIXELS, lambda: next(answers), lambda _: None)
