"""Networks as people write them for this exercise, each of a kind, and the spec that equals it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.build import build_model, count_parameters
from core.models.spec import parse
from core.models.summary import summarize


class BiasFreeBlocks(nn.Module):
    """Convolution without bias, batch norm, ReLU, dropout; 1x1 to narrow; pooling; global average at the end."""

    def __init__(self, drop: float = 0.1) -> None:
        super().__init__()

        def block(inputs: int, outputs: int, **options: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, options.get("k", 3), padding=options.get("p", 0), bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.Dropout(drop),
            )

        self.start = block(1, 10)
        self.conv1 = block(10, 14)
        self.narrow = nn.Sequential(nn.Conv2d(14, 8, 1, bias=False))
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = block(8, 12)
        self.conv3 = block(12, 16, p=1)
        self.gap = nn.Sequential(nn.AvgPool2d(kernel_size=10))
        self.last = nn.Sequential(nn.Conv2d(16, 10, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.narrow(self.conv1(self.start(x))))
        x = self.last(self.gap(self.conv3(self.conv2(x))))
        return F.log_softmax(x.view(-1, 10), dim=-1)


class ReluThenNormThenDropout2d(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.drop1 = nn.Dropout2d(0.1)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.bn2 = nn.BatchNorm2d(16)
        self.drop2 = nn.Dropout2d(0.05)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv3 = nn.Conv2d(16, 10, 13)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop1(self.bn1(F.relu(self.conv1(x))))
        x = self.pool(self.drop2(self.bn2(F.relu(self.conv2(x)))))
        return F.log_softmax(self.conv3(x).view(-1, 10), dim=1)


class BorderOf1x1(nn.Module):
    """1x1 convolutions padded by 1, which put a border of the bias, or of zeros, round the map."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.ReLU(),
            nn.Conv2d(8, 4, 1, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 10, 1, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(self.features(x), 1).squeeze(3).squeeze(2)


class ReluAfterPooling(nn.Module):
    """The example of torch: pooling, then ReLU; dropout of channels, and then of units."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = F.relu(self.fc1(x.reshape(-1, 320)))
        return F.log_softmax(self.fc2(F.dropout(x, training=self.training)), dim=1)


class PoolingBetweenConvolutionAndNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3)
        self.bn2 = nn.BatchNorm2d(12)
        self.fc = nn.Linear(12 * 5 * 5, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(F.max_pool2d(self.conv1(x), 2)))
        x = self.bn2(F.max_pool2d(F.relu(self.conv2(x)), 2))  # batch norm after pooling
        return self.fc(torch.flatten(x, 1))


class DropoutInTheMiddle(nn.Module):
    """Dropout between ReLU and norm, and between norm and ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Dropout(0.1), nn.BatchNorm2d(8))
        self.two = nn.Sequential(nn.Conv2d(8, 10, 3), nn.BatchNorm2d(10), nn.Dropout(0.1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x)).mean((2, 3))


class Perceptron(nn.Module):
    """Linear layers without bias, one of them wide, with batch norm behind; the input is scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 600, bias=False)
        self.bn1 = nn.BatchNorm1d(600)
        self.fc2 = nn.Linear(600, 64)
        self.bn2 = nn.BatchNorm1d(64)
        self.fc3 = nn.Linear(64, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(x * 0.5, 1)
        x = F.relu(self.bn1(self.fc1(x)))
        x = self.bn2(F.relu(self.fc2(x)))
        return self.fc3(x)


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 1024, 1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d((1, 1)),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(1024, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class OtherNorms(nn.Module):
    """Group, layer and instance norm, chosen by name, with other activations."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, bias=False)
        self.norm1 = nn.GroupNorm(4, 8)
        self.conv2 = nn.Conv2d(8, 8, 3, bias=False)
        self.norm2 = nn.LayerNorm([8, 24, 24])
        self.conv3 = nn.Conv2d(8, 12, (3, 1))
        self.norm3 = nn.InstanceNorm2d(12)
        self.conv4 = nn.Conv2d(12, 12, (1, 3))
        self.norm4 = nn.GroupNorm(1, 12)
        self.out = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.norm1(self.conv1(x)), 0.1)
        x = F.silu(self.norm2(self.conv2(x)))
        x = F.gelu(self.norm3(self.conv3(x)))
        x = F.elu(self.norm4(self.conv4(x)))
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class SmallResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 12, 2))
        self.linear = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.pool(self.stem(x)))
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


class Recurrent(nn.Module):
    """One block used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, stride=2)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for _ in range(3):
            x = torch.relu(self.bn(self.conv(x)))
        return self.last(x.mean((-2, -1)))


class Separable(nn.Module):
    """Depthwise and pointwise convolutions with a norm behind each, and one in groups."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 10, 3, groups=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(self.body(x), 22).reshape(-1, 10)


NETWORKS = {
    "c10b0r d0.1 c14b0r d0.1 c8k1b0l p2 c12b0r d0.1 c16p1b0r d0.1 a10 c10k1b0l": BiasFreeBlocks,
    "c8p1 dc0.1 c16 dc0.05 p2 c10k13l": ReluThenNormThenDropout2d,
    "c8n c4k1p1 c10k1p1b0l gap": BorderOf1x1,
    "c10k5l p2 relu c20k5l dc0.5 p2 relu fc50 d0.5 fc10": ReluAfterPooling,
    "c8b0l p2 bn relu c12n p2 bn fc10": PoolingBetweenConvolutionAndNorm,
    "c8n d0.1 bn c10l bn d0.1 relu gap": DropoutInTheMiddle,
    "scale0.5 fc600b0l bn relu fc64 bn fc10b0": Perceptron,
    "c8s2p1b0r c1024k1n gap d0.2 fc10": Wide,
    "c8b0l gn4 lrelu0.1 c8b0l ln silu c12k3x1l in gelu c12k1x3l gn1 elu gap fc10": OtherNorms,
    "c8k7s2p3b0r p3s2p1 res(c8p1b0r c8p1b0l bn) relu res(c12s2p1b0r c12p1b0l bn | c12k1s2b0l bn) relu a4 "
    "fc10": SmallResNet,
    "c8s2l tie3(c8p1r) gap fc10": Recurrent,
    "c8b0r c8g8b0r c16k1b0r c10g2l a22": Separable,
}


AS_TRAINED = {"dtype": torch.float64, "memory_format": torch.channels_last}
"""In the order of memory in which networks are trained, which is that in which dropout draws."""


@pytest.mark.parametrize("spec", NETWORKS)
def test_a_spec_equals_the_module_in_parameters_outputs_gradients_and_state(spec):
    torch.manual_seed(0)
    summary = summarize(parse(spec))
    model, module = build_model(summary).to(**AS_TRAINED), NETWORKS[spec]().to(**AS_TRAINED)
    assert summary.total_params == count_parameters(model) == count_parameters(module)
    with torch.no_grad():
        for mine, theirs in zip(model.parameters(), module.parameters(), strict=True):
            mine.copy_(theirs + 0.1 * torch.randn_like(theirs))
            theirs.copy_(mine)
    for size in (6, 3):
        images, labels = torch.randn(size, 1, 28, 28).to(**AS_TRAINED), torch.arange(size)
        logits = []
        for net in (model, module):
            torch.manual_seed(1)  # the same masks of dropout
            logits.append(net(images).log_softmax(1))
            net.zero_grad()
            F.cross_entropy(logits[-1], labels).backward()
        torch.testing.assert_close(*logits)
        for mine, theirs in zip(model.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, theirs.grad)
        for mine, theirs in zip(model.buffers(), module.buffers(), strict=True):
            torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(*(net.eval()(images).log_softmax(1) for net in (model, module)))


@pytest.mark.parametrize("spec", NETWORKS)
def test_a_seed_draws_the_same_weights_for_both(spec):
    torch.manual_seed(5)
    model = build_model(summarize(parse(spec)))
    torch.manual_seed(5)
    for mine, theirs in zip(model.parameters(), NETWORKS[spec]().parameters(), strict=True):
        assert torch.equal(mine, theirs)
