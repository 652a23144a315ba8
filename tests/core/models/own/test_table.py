"""The layer table of a module of any form: its rows add up, and what forward does not use is named."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.models.build import build_model
from core.models.own.table import summarize_module
from core.models.spec import find
from core.models.summary import summarize


class WithIdleLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.old, self.head = nn.Conv2d(1, 8, 3), nn.Linear(88, 10), nn.Linear(5408, 10)
        self.gain = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.head(F.relu(self.conv(x)).flatten(1))


class Functional(nn.Module):
    """Computes with weights of its own, and with those of a layer that it does not call."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 1, 3, 3))
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.head = nn.Linear(2 * 52 * 52, 10)

    def forward(self, x):
        return F.linear(self.up(F.conv2d(x, self.weight)).flatten(1), self.head.weight, self.head.bias)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.same = nn.Conv2d(1, 1, 3, padding=1)
        self.first, self.second = nn.Linear(784, 784, bias=False), nn.Linear(784, 784, bias=False)
        self.second.weight = self.first.weight
        self.head = nn.Linear(784, 10)

    def forward(self, x):
        return self.head(self.second(self.first(self.same(self.same(x)).flatten(1))))


class OverRows(nn.Module):
    """A layer over the rows of an image, 28 steps of 28 values, and a classifier."""

    def __init__(self, layer, units, pick=lambda output: output[0]):
        super().__init__()
        self.layer, self.head, self.pick = layer, nn.Linear(units, 10), pick

    def forward(self, x):
        return self.head(self.pick(self.layer(x.squeeze(1))).mean(1))


class Attending(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x)


class OfVectors(nn.Module):
    """Products with a vector of weights, and of two inputs."""

    def __init__(self):
        super().__init__()
        self.vector, self.both = nn.Parameter(torch.randn(784)), nn.Bilinear(28, 28, 10)

    def forward(self, x):
        return self.both(x[:, 0, 0], x[:, 0, 1]) + (x.flatten(1) @ self.vector)[:, None]


def rows_of(module):
    summary = summarize_module(module, "mine")
    assert sum(row.params for row in summary.rows) == summary.total_params
    assert sum(row.macs for row in summary.rows) == summary.macs
    return summary, [(row.path, row.output_shape, row.params, row.macs) for row in summary.rows]


def test_layers_and_parameters_that_forward_does_not_use_count_and_are_named():
    summary, rows = rows_of(WithIdleLayers())
    assert summary.unused == {"old": 890, "gain": 3}
    assert rows == [
        ("", (10, 1, 1), 3, 0),
        ("conv", (8, 26, 26), 80, 72 * 26 * 26),
        ("head", (10, 1, 1), 54090, 54080),
        ("old", (0, 0, 0), 890, 0),
    ]


def test_a_layer_that_only_training_uses_is_used():
    class Auxiliary(WithIdleLayers):
        def forward(self, x):
            if self.training:
                self.old(x.new_zeros(1, 88) * self.gain[0])
            return super().forward(x)

    assert rows_of(Auxiliary())[0].unused == {}


def test_what_is_computed_with_weights_outside_of_layers_is_counted():
    summary, rows = rows_of(Functional())
    assert rows == [
        ("", (10, 1, 1), 36, 36 * 26 * 26),
        ("up", (2, 52, 52), 34, 4 * 26 * 26 * 8),
        ("head", (10, 1, 1), 54090, 54080),
    ]
    assert summary.unused == {}


def test_shared_layers_and_shared_weights_count_once_and_compute_each_time():
    _, rows = rows_of(Shared())
    assert rows == [
        ("same", (1, 28, 28), 10, 9 * 784),
        ("same", (1, 28, 28), 0, 9 * 784),
        ("first", (784, 1, 1), 784 * 784, 784 * 784),
        ("second", (784, 1, 1), 0, 784 * 784),
        ("head", (10, 1, 1), 7850, 7840),
    ]


LSTM = 28 * 4 * 16 * (28 + 16)
ATTENTION = 28 * 4 * 16 * 16
STEPPED = {
    "LSTM": (lambda: OverRows(nn.LSTM(28, 16, batch_first=True), 16), LSTM),
    "GRU": (lambda: OverRows(nn.GRU(28, 16, batch_first=True), 16), LSTM * 3 // 4),
    "RNN": (lambda: OverRows(nn.RNN(28, 16, batch_first=True), 16), LSTM // 4),
    "LSTM both ways": (lambda: OverRows(nn.LSTM(28, 16, batch_first=True, bidirectional=True), 32), 2 * LSTM + 160),
    "attention": (lambda: OverRows(Attending(28, 2, batch_first=True), 28), 28 * 4 * 28 * 28 + 120),
    "encoder": (
        lambda: OverRows(
            nn.Sequential(nn.Linear(28, 16), nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)), 16, lambda y: y
        ),
        28 * 28 * 16 + ATTENTION + 28 * 2 * 16 * 32,
    ),
    "vectors": (OfVectors, 28 * 28 * 10 + 784 - 160),
}


@pytest.mark.parametrize("kind", STEPPED)
def test_recurrent_layers_attention_and_vectors_count_their_products_with_weights(kind):
    make, macs = STEPPED[kind]
    switches = torch.backends.mkldnn.enabled, torch.backends.mha.get_fastpath_enabled()
    summary, _ = rows_of(make())
    assert summary.macs == macs + 160
    assert (torch.backends.mkldnn.enabled, torch.backends.mha.get_fastpath_enabled()) == switches


def test_a_list_of_layers_has_no_row_of_its_own():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(784, 4), nn.Linear(4, 10)])

        def forward(self, x):
            x = x.flatten(1)
            for layer in self.layers:
                x = layer(x)
            return x

    assert [path for path, *_ in rows_of(Listed())[1]] == ["layers.0", "layers.1"]


@pytest.mark.parametrize("arch", ["conv9", "s16d2 p2 c8n d0.1 a2 gap fc20 fc10"])
def test_the_table_of_a_built_spec_is_the_spec_s_own(arch):
    planned = summarize(find(arch))
    looked_at = summarize_module(build_model(planned), arch)
    assert [(row.label, row.output_shape, row.params, row.macs) for row in looked_at.rows] == [
        (row.label, row.output_shape, row.params, row.macs) for row in planned.rows
    ]
    assert looked_at.macs == planned.macs


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
def test_a_module_that_deepcopy_does_not_take_has_a_table():
    module = nn.Sequential(nn.utils.weight_norm(nn.Conv2d(1, 4, 3)), nn.Flatten(), nn.Linear(2704, 10))
    module(torch.zeros(2, 1, 28, 28)).sum().backward()
    assert rows_of(module)[1][0] == ("0", (4, 26, 26), 44, 36 * 26 * 26)
