"""Scores, held against the definition, and what evaluation must leave as it was."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.errors import Stopped
from core.models.build import build_model
from core.models.spec import parse
from core.models.summary import summarize
from core.storage.tensors import weights_sha256
from core.training.average import copy_weights
from core.training.evaluate import BATCH, Evaluator, Labelled, Pixels

PIXELS = Pixels(0.1307, 0.3081)


def never() -> str:
    return ""


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return build_model(summarize(parse("c4k5s3 d0.5 p2 fc10")))


def labelled(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(0, 256, (count, 28, 28), generator=generator, dtype=torch.uint8)
    return images, torch.randint(0, 10, (count,), generator=generator)


def test_pixels_are_scaled_and_standardised():
    images, _ = labelled(3)
    inputs = PIXELS(images)
    expected = ((images.double() / 255 - 0.1307) / 0.3081)[:, None]
    assert inputs.dtype == torch.float32
    torch.testing.assert_close(inputs.double(), expected, rtol=1e-5, atol=1e-5)


def test_inputs_have_the_strides_of_channels_last():
    images, _ = labelled(3)
    inputs = PIXELS(images)
    assert (inputs.shape, inputs.stride()) == ((3, 1, 28, 28), (784, 1, 28, 1))
    convolution = nn.Conv2d(1, 4, 3).to(memory_format=torch.channels_last)
    assert convolution(inputs).stride() == (26 * 26 * 4, 1, 26 * 4, 4)


def test_the_images_that_inputs_are_made_from_stay_as_they_were():
    whole, _ = labelled(3)
    for images in (whole, whole.float()):
        before = images.clone()
        PIXELS(images)
        assert torch.equal(images, before)


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 3])
def test_a_score_is_loss_and_accuracy_over_all_images_whatever_their_number(model, count):
    images, labels = labelled(count)
    score = Evaluator(model, Labelled(images, labels), PIXELS).score(never)
    with torch.no_grad():
        logits = model.eval().double()(((images.double() / 255 - 0.1307) / 0.3081)[:, None])
    assert score.total == count
    assert score.predictions.tolist() == logits.argmax(1).tolist()
    assert score.correct == int((logits.argmax(1) == labels).sum())
    assert score.accuracy == score.correct / count
    assert score.loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_changes_neither_weights_nor_mode_nor_random_state(model, training):
    model.train(training)
    before, random_state = weights_sha256(copy_weights(model)), torch.get_rng_state()
    Evaluator(model, Labelled(*labelled(700)), PIXELS).score(never)
    assert weights_sha256(copy_weights(model)) == before
    assert model.training is training
    assert torch.equal(torch.get_rng_state(), random_state)


def test_evaluation_asks_before_each_batch_whether_to_stop_and_restores_the_mode(model):
    asked = 0

    def stop_third() -> str:
        nonlocal asked
        asked += 1
        return "enough" if asked == 3 else ""

    seen: list[int] = []
    model.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
    with pytest.raises(Stopped, match="enough"):
        Evaluator(model, Labelled(*labelled(5 * BATCH)), PIXELS).score(stop_third)
    assert seen == [BATCH, BATCH]
    assert model.training
