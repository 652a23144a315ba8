"""What is odd about the outputs of a network is said, once, and nothing of others."""

from __future__ import annotations

import pytest
from torch import nn

from core.models.own.remarks import remarks_on

SOFTMAX = "the network ends in a softmax, which the loss has in it"
SIGMOID = "the network ends in a sigmoid or the like, while the loss takes logits"
OVER_IMAGES = "the network's softmax is over the images of a batch: it needs dim=1, for the classes"


class InEvaluation(nn.Module):
    def forward(self, x):
        return x if self.training else x.softmax(1)


class Log(nn.Module):
    def forward(self, x):
        return x.softmax(1).log()


def network(*last: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 10), *last)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (nn.Softmax(dim=1), f"{SOFTMAX}: it learns better without"),
        (nn.Softmax(dim=0), OVER_IMAGES),
        (nn.LogSoftmax(dim=0), OVER_IMAGES),
        (nn.Sigmoid(), f"{SIGMOID}: it learns better without"),
        (InEvaluation(), f"in evaluation mode {SOFTMAX}: the test loss is another one"),
    ],
)
def test_outputs_that_are_no_logits_are_told(last, said):
    assert remarks_on(network(last)) == (said,)


@pytest.mark.parametrize("last", [[], [nn.LogSoftmax(dim=1)], [Log()], [nn.ReLU()], [nn.Tanh()], [nn.BatchNorm1d(10)]])
def test_logits_and_their_log_softmax_are_not(last):
    assert remarks_on(network(*last)) == ()


def test_the_network_is_left_as_it_is():
    model = network(nn.Softmax(dim=1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    remarks_on(model)
    assert model.training
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
