"""A copy computes what the module does, and shares nothing with it."""

import pytest
import torch
from torch import nn

from core.models.own.copying import copy_module


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
@pytest.mark.parametrize(
    "normed", [nn.utils.weight_norm, nn.utils.spectral_norm, nn.utils.parametrizations.weight_norm, lambda layer: layer]
)
@pytest.mark.parametrize("used", [False, True])
def test_a_copy_computes_the_same_and_changes_alone(normed, used):
    module = nn.Sequential(normed(nn.Conv2d(1, 4, 3)), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(2704, 10))
    images = torch.rand(3, 1, 28, 28)
    if used:
        module(images).square().mean().backward()
    module.eval()
    copy = copy_module(module)
    before = module(images)
    assert torch.equal(copy(images), before)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.add_(1.0)
    assert not torch.equal(copy(images), before)
    assert torch.equal(module(images), before)
