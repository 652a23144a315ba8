"""What augmentation is previewed on is what an epoch begins with."""

import pytest
import torch

from core.config import TrainConfig
from core.errors import InvalidValue
from core.models.network import make_network
from core.training.preview import preview
from core.training.trainer import Trainer


@pytest.mark.parametrize(
    "values",
    [
        {"augment": "shift", "shift": 5.0},
        {"augment": "affine,elastic,erase", "seed": 3},
        {"augment": "rotate,contrast", "val_split": 60, "limit_train": 200},
    ],
)
@pytest.mark.parametrize("epoch", [1, 2])
def test_a_preview_is_what_the_first_step_of_an_epoch_trains_on(values, epoch, blobs, monkeypatch):
    config = TrainConfig.checked({"arch": "c4k5s3 gap fc10", "batch_size": 16, "epochs": 2, "device": "cpu", **values})
    summary, model = make_network(config)
    seen: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]) if module.training else None)
    trainer = Trainer(config.model_copy(update={"engine": "eager"}), blobs, summary, model, torch.device("cpu"))
    list(trainer.run())
    first = seen[(epoch - 1) * trainer.steps_per_epoch]
    shown = preview(config, blobs, 16, epoch)
    pixels = (first[:, 0] * blobs.std + blobs.mean) * 255
    torch.testing.assert_close(pixels, shown.changed.float(), rtol=0, atol=0.51)
    assert not torch.equal(shown.originals, shown.changed)
    assert shown.originals.dtype == shown.changed.dtype == torch.uint8
    assert len(shown.classes) == 16


def test_originals_have_their_classes(blobs):
    shown = preview(TrainConfig.checked({"augment": "affine"}), blobs, 30)
    known = {
        image.numpy().tobytes(): blobs.classes[int(label)]
        for image, label in zip(blobs.train_images, blobs.train_labels, strict=True)
    }
    assert tuple(known[image.numpy().tobytes()] for image in shown.originals) == shown.classes


def test_without_augmentation_nothing_is_changed_and_few_images_are_all_shown(blobs):
    shown = preview(TrainConfig.checked({"limit_train": 5}), blobs, 16)
    assert torch.equal(shown.originals, shown.changed)
    assert len(shown.classes) == 5


def test_more_held_out_images_than_there_are_are_refused(blobs):
    with pytest.raises(InvalidValue, match="val_split"):
        preview(TrainConfig.checked({"val_split": 320}), blobs, 16)
