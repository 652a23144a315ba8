"""The score with test-time augmentation, held against a plain loop over each image and each of its views."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from core.events import RunFinished, StepProgress
from core.storage.tensors import weights_sha256
from core.training.evaluate import Pixels
from core.training.views import ImageViews
from core.views import views_in_words

CPU = torch.device("cpu")


def shifted(image: torch.Tensor) -> list[torch.Tensor]:
    """The image (1, 1, 28, 28) one pixel down, up, to the right and to the left."""
    wide = F.pad(image, (1, 1, 1, 1))[0, 0]
    corners = [(0, 1), (2, 1), (1, 0), (1, 2)]
    return [wide[top : top + 28, left : left + 28][None, None] for top, left in corners]


def warped(image: torch.Tensor) -> list[torch.Tensor]:
    views = []
    for degrees, size in ((5, 1), (-5, 1), (0, 1.05), (0, 0.95)):
        cos, sin = math.cos(math.radians(degrees)) / size, math.sin(math.radians(degrees)) / size
        grid = F.affine_grid(torch.tensor([[[cos, sin, 0.0], [-sin, cos, 0.0]]]), [1, 1, 28, 28], align_corners=False)
        views.append(F.grid_sample(image, grid, align_corners=False))
    return views


@pytest.mark.parametrize(("kind", "plain"), [("shift", shifted), ("affine", warped)])
def test_views_are_those_of_each_image(kind, plain, blobs):
    views = list(ImageViews(kind, CPU)(blobs.test_images[:20]))
    assert len(views) == len(ImageViews(kind, CPU)) == 4
    for place, image in enumerate(blobs.test_images[:20]):
        for view, expected in zip(views, plain(image[None, None].float()), strict=True):
            torch.testing.assert_close(view[place].float(), expected[0, 0], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(("kind", "plain"), [("shift", shifted), ("affine", warped)])
@pytest.mark.parametrize("options", [{}, {"ema": True}, {"val_split": 64, "swa": True}], ids=str)
def test_the_score_is_that_of_the_mean_of_the_logits_and_nothing_else_changes(
    make_trainer, blobs, untimed, kind, plain, options
):
    trainer = make_trainer(tta=kind, epochs=2, **options)
    events = list(trainer.run())
    pixels = Pixels(blobs.mean, blobs.std)
    network, correct = trainer.scored_model.eval(), 0
    with torch.no_grad():
        for image, label in zip(blobs.test_images, blobs.test_labels, strict=True):
            views = [image[None, None].float(), *plain(image[None, None].float())]
            logits = torch.stack([network(pixels(view[0])) for view in views]).mean(0)
            correct += int(logits.argmax() == label)
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert correct > 20
    assert abs(end.tta_test_correct - correct) <= 1  # a tie may fall another way
    assert end.tta_test_accuracy == end.tta_test_correct / 130
    alone = make_trainer(epochs=2, **options)
    without = list(alone.run())
    assert (without[-1].tta_test_accuracy, without[-1].tta_test_correct) == (None, None)
    epochs = ([event for event in each[1:] if not isinstance(event, StepProgress)] for each in (events, without))
    for one, other in zip(*map(untimed, epochs), strict=True):
        assert {key: value for key, value in one.items() if "tta" not in key} == {
            key: value for key, value in other.items() if "tta" not in key
        }
    assert weights_sha256(trainer.final_weights) == weights_sha256(alone.final_weights)


def test_a_run_stopped_among_the_views_goes_on_to_their_score(make_trainer):
    whole = list(make_trainer(tta="shift", epochs=1).run())[-1]
    trainer, questions = make_trainer(tta="shift", epochs=1), iter(range(100))
    events = list(trainer.run(lambda: "enough" if next(questions) == 6 else ""))  # 5 steps, a batch of evaluation
    assert events[-1].NAME == "run_stopped"
    resumed = make_trainer(tta="shift", epochs=1)
    resumed.restore(trainer.checkpoint())
    end = list(resumed.run())[-1]
    assert (end.tta_test_correct, end.weights_sha256) == (whole.tta_test_correct, whole.weights_sha256)


def test_the_score_is_put_in_words():
    assert views_in_words("shift", 0.9955) == "with test-time augmentation (shift, 5 views): 99.55%"
