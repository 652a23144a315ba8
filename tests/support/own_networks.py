"""Networks as people write them in PyTorch, each with the spec that equals it; and some that no spec equals."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

EXPRESSIBLE: dict[str, tuple[Callable[[], nn.Module], str]] = {}
"""A maker of each network, and its spec, by name."""
INEXPRESSIBLE: dict[str, tuple[Callable[[], nn.Module], str]] = {}
"""A maker of each network, and words of what stands in the way, by name."""


def equals(spec: str):
    def keep(cls):
        EXPRESSIBLE[cls.__name__] = cls, spec
        return cls

    return keep


def equals_none(words: str):
    def keep(cls):
        INEXPRESSIBLE[cls.__name__] = cls, words
        return cls

    return keep


@equals("c10p1b0 c16p1b0 p2 c10k1b0n c16b0 c16b0 p2 c16b0 gap c10k1l")
class SessionStyle(nn.Module):
    """Blocks in the constructor, batch norm last, a log_softmax at the end."""

    def __init__(self):
        super().__init__()
        self.convblock1 = nn.Sequential(nn.Conv2d(1, 10, (3, 3), padding=1, bias=False), nn.ReLU(), nn.BatchNorm2d(10))
        self.convblock2 = nn.Sequential(nn.Conv2d(10, 16, (3, 3), padding=1, bias=False), nn.ReLU(), nn.BatchNorm2d(16))
        self.pool1 = nn.MaxPool2d(2, 2)
        self.convblock3 = nn.Sequential(nn.Conv2d(16, 10, (1, 1), padding=0, bias=False), nn.ReLU())
        self.convblock4 = nn.Sequential(nn.Conv2d(10, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16))
        self.convblock5 = nn.Sequential(nn.Conv2d(16, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16))
        self.convblock6 = nn.Sequential(nn.Conv2d(16, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16))
        self.convblock7 = nn.Sequential(nn.Conv2d(16, 10, kernel_size=1))

    def forward(self, x):
        x = self.convblock1(x)
        x = self.convblock2(x)
        x = self.pool1(x)
        x = self.convblock3(x)
        x = self.convblock4(x)
        x = self.convblock5(x)
        x = F.max_pool2d(x, 2)
        return self.end(self.convblock6(x))

    def end(self, x):
        return F.log_softmax(self.convblock7(F.adaptive_avg_pool2d(x, 1)).view(-1, 10), dim=-1)


@equals("c8b0r c8b0r d0.05 c16b0r d0.05 p2 c8k1b0r c16b0r d0.05 c16b0r c10b0r gap c10k1b0l")
class BatchNormBeforeRelu(nn.Module):
    def __init__(self, drop=0.05):
        super().__init__()

        def block(inputs, outputs, kernel=3, drop=drop):
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, kernel, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.Dropout(drop)
            )

        self.features = nn.Sequential(block(1, 8, drop=0), block(8, 8), block(8, 16))
        self.transition = nn.Sequential(nn.MaxPool2d(2, 2), block(16, 8, 1, 0))
        self.more = nn.Sequential(block(8, 16), block(16, 16, drop=0.0), block(16, 10, drop=0))
        self.gap = nn.AvgPool2d(kernel_size=5)
        self.last = nn.Conv2d(10, 10, 1, bias=False)

    def forward(self, x):
        x = self.more(self.transition(self.features(x)))
        x = self.last(self.gap(x))
        return F.log_softmax(x.view(-1, 10), dim=-1)


@equals("c10n c20n p2 dc0.25 fc50 d0.5 fc10")
class OldExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 3)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=3)
        self.conv2_drop = nn.Dropout2d(0.25)
        self.fc1 = nn.Linear(20 * 12 * 12, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = self.conv2_drop(F.max_pool2d(F.relu(self.conv2(x)), 2))
        x = x.view(-1, 2880)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


@equals("c10k5l p2 relu c20k5l dc0.5 p2 relu fc50 d0.5 fc10")
class OlderExample(nn.Module):
    """ReLU after pooling, in the manner of the first example that torch came with."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, 320)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


@equals("c6k5p2l tanh a2 c16k5l tanh a2 c120k5l tanh fc84l tanh fc10")
class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature = nn.Sequential(
            OrderedDict(
                c1=nn.Conv2d(1, 6, 5, padding=2),
                t1=nn.Tanh(),
                s2=nn.AvgPool2d(2),
                c3=nn.Conv2d(6, 16, 5),
                t3=nn.Tanh(),
                s4=nn.AvgPool2d(2),
                c5=nn.Conv2d(16, 120, 5),
                t5=nn.Tanh(),
            )
        )
        self.fc = nn.Sequential(nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10))

    def forward(self, x):
        features = self.feature(x)
        return self.fc(torch.flatten(features, 1))


@equals("c6k5p2l sigmoid a2 c16k5l sigmoid a2 fc84l sigmoid fc10")
class SigmoidLeNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            *(nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2)),
            *(nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2)),
            *(nn.Flatten(), nn.Linear(400, 84), nn.Sigmoid(), nn.Linear(84, 10)),
        )


@equals("c8k1p1 c16b0 p2 c10b0l gap")
class PaddedPointwise(nn.Module):
    """A 1x1 convolution that pads, as its author wrote padding everywhere."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 1, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv3 = nn.Conv2d(16, 10, 3, bias=False)
        self.gap = nn.AdaptiveAvgPool2d((1, 1))

    def forward(self, x):
        x = self.bn1(F.relu(self.conv1(x)))
        x = self.pool(self.bn2(F.relu(self.conv2(x))))
        return F.log_softmax(self.gap(self.conv3(x)).squeeze(), 1)


@equals("c8r c8p1b0r p2 c16p1b0r p2 gap fc10")
class LoopOverModuleList(nn.Module):
    def __init__(self, widths=(8, 8, 16)):
        super().__init__()
        self.blocks = nn.ModuleList()
        before = 1
        for number, width in enumerate(widths):
            conv = nn.Conv2d(before, width, 3, padding=min(number, 1), bias=number == 0)
            self.blocks.append(nn.ModuleDict({"conv": conv, "norm": nn.BatchNorm2d(width)}))
            before = width
        self.head = nn.Linear(before, 10)

    def forward(self, x):
        for number, block in enumerate(self.blocks):
            x = torch.relu(block["norm"](block["conv"](x)))
            if number and x.shape[-1] > 10:
                x = F.max_pool2d(x, kernel_size=2)
        x = x.mean(dim=(2, 3)) if x.dim() == 4 else x
        assert x.size(1) == self.head.in_features, f"{x.shape}"
        return self.head(x)


@equals("c8r res(c8p1b0r c8p1b0l bn) relu p2 res(c16p1s2b0r c16p1b0l bn | c16k1s2b0l bn) relu gap fc10")
class Residuals(nn.Module):
    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride=1):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Sequential()
            if stride != 1 or inputs != outputs:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x):
            out = F.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            out += self.shortcut(x)
            return F.relu(out)

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.one, self.two = self.Block(8, 8), self.Block(8, 16, 2)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = F.max_pool2d(self.one(self.stem(x)), 2)
        return self.fc(F.adaptive_avg_pool2d(self.two(x), 1).flatten(1))


@equals("c8 tie3(c8p1b0) p2 gap fc10")
class SharedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.BatchNorm2d(8))
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding="same", bias=False), nn.ReLU(), nn.BatchNorm2d(8))
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(3):
            x = self.block(x)
        return self.fc(nn.functional.max_pool2d(x, 2).mean([2, 3]))


@equals("c8n p2 loop3(res(c8p1b0)) gap fc10")
class NormForEachTurn(nn.Module):
    """The same convolution three times, and norms that share their scale and shift, but not their statistics."""

    def __init__(self):
        super().__init__()
        self.stem, self.again = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(3))
        for norm in self.norms[1:]:
            norm.weight, norm.bias = self.norms[0].weight, self.norms[0].bias
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        for norm in self.norms:
            x = x + norm(F.relu(self.again(x)))
        return self.fc(x.mean((2, 3)))


@equals("c4p1b0n c4s2l tie2(res(c4p1l silu)) fc10")
class SharedResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.down = nn.Conv2d(4, 4, 3, stride=2)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.out = nn.Linear(4 * 13 * 13, 10)

    def forward(self, x):
        x = self.down(self.widen(x))
        for _ in range(2):
            y = self.again(x)
            x = x + y * torch.sigmoid(y)
        return self.out(x.flatten(start_dim=1))

    def widen(self, x):
        return F.relu(self.first(x))


@equals("c8l gn2 relu p2 c16l ln silu c16l in gelu p3s2p1 dc0.1 c10k5l")
class OtherNorms(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3), nn.LayerNorm([16, 11, 11]), nn.SiLU()),
            *(nn.Conv2d(16, 16, 3), nn.InstanceNorm2d(16), nn.GELU()),
            *(nn.MaxPool2d(3, stride=2, padding=1), nn.Dropout2d(0.1), nn.Conv2d(16, 10, 5)),
        )

    def forward(self, x):
        return self.net(x).reshape(len(x), 10)


@equals("c8p1n s16b0 p2 c16p1g4b0 s24k5p2r gap fc10")
class Separable(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.dw, self.pw = nn.Conv2d(8, 8, 3, groups=8, bias=False), nn.Conv2d(8, 16, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.grouped, self.bn2 = nn.Conv2d(16, 16, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(16)
        self.dw2, self.pw2 = nn.Conv2d(16, 16, 5, padding=2, groups=16, bias=False), nn.Conv2d(16, 24, 1)
        self.bn3 = nn.BatchNorm2d(24)
        self.fc = nn.Linear(24, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        x = self.bn(F.relu(self.pw(self.dw(x))))
        x = F.max_pool2d(x, (2, 2), stride=(2, 2))
        x = self.bn2(F.relu(self.grouped(x)))
        x = F.relu(self.bn3(self.pw2(self.dw2(x))))
        return self.fc(x.mean((-2, -1)))


@equals("scale0.5 c8k3x5p0x2s2x1 c8k1x7n c10k5x1d2x1l gap")
class Rectangles(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(1, 8, (3, 5), padding=(0, 2), stride=(2, 1))
        self.norm = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 8, (1, 7))
        self.c = nn.Conv2d(8, 10, (5, 1), dilation=(2, 1))

    def forward(self, x):
        x = self.norm(F.relu(self.a(0.5 * x)))
        return self.c(F.relu(self.b(x))).mean((2, 3))


@equals("fc64l bn relu d0.2 fc32l bn lrelu fc10")
class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(784, 64), nn.Linear(64, 32)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(64), nn.BatchNorm1d(32)])
        self.out = nn.Linear(32, 10)
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        x = self.drop(F.relu(self.norms[0](self.layers[0](x))))
        x = F.leaky_relu(self.norms[1](self.layers[1](x)))
        return self.out(x)


@equals("fc32b0 fc16l elu fc10b0")
class Unbiased(nn.Sequential):
    def __init__(self):
        super().__init__(
            *(nn.Flatten(), nn.Linear(784, 32, bias=False), nn.ReLU()),
            *(nn.Linear(32, 16), nn.ELU(), nn.Linear(16, 10, bias=False), nn.LogSoftmax(dim=1)),
        )


@equals("c8p2 c8p2x0l bnw0 relu p2 c10k5l gap")
class Padded(nn.Module):
    """Padding as a layer or a function of its own, a norm without weights."""

    def __init__(self):
        super().__init__()
        self.pad = nn.ZeroPad2d(1)
        self.a, self.bn = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.b, self.bn2 = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8, affine=False)
        self.c = nn.Conv2d(8, 10, 5)

    def forward(self, x):
        x = self.bn(F.relu(self.a(self.pad(x))))
        x = F.relu(self.bn2(self.b(F.pad(x, (0, 0, 2, 2)))))
        x = self.c(F.max_pool2d(x, 2))
        return F.avg_pool2d(x, x.size()[2:]).view(x.size(0), x.size(1))


@equals("c8b0l p2 bn relu c16b0n d0.1 bn p2 c16b0l bn d0.1 relu gap fc10")
class UnusualOrders(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(*w, 3, bias=False) for w in ((1, 8), (8, 16), (16, 16)))
        self.na, self.nb, self.nc = nn.BatchNorm2d(8), nn.BatchNorm2d(16), nn.BatchNorm2d(16)
        self.drop, self.pool, self.act = nn.Dropout(0.1), nn.MaxPool2d(2), nn.ReLU(inplace=True)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.act(self.na(self.pool(self.a(x))))
        x = self.pool(self.nb(self.drop(self.act(self.b(x)))))
        x = self.act(self.drop(self.nc(self.c(x))))
        x = F.adaptive_avg_pool2d(x, 1)
        x = torch.squeeze(torch.squeeze(x, -1), -1)
        return self.fc(x)


@equals("c8s2r a2 c600k1n c10k1l p6")
class Wide(nn.Module):
    """More than 512 channels, and a maximum over the whole map."""

    def __init__(self):
        super().__init__()
        self.a, self.norm = nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8)
        self.b, self.c = nn.Conv2d(8, 600, 1), nn.Conv2d(600, 10, 1)
        self.end = nn.AdaptiveMaxPool2d(1)

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.norm(self.a(x)), inplace=True), 2, ceil_mode=False)
        x = self.end(self.c(F.relu(self.b(x))))
        return nn.Flatten()(x)


@equals("c8n p2 c10l gap")
class OwnWeights(nn.Module):
    """Convolutions by hand, with parameters of the module itself."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.randn(8, 1, 3, 3) / 3)
        self.first_bias = nn.Parameter(torch.zeros(8))
        self.second = nn.ParameterDict({"w": nn.Parameter(torch.randn(10, 8, 3, 3) / 8)})
        self.bias = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        x = F.max_pool2d(self._first(x), 2)
        return F.conv2d(x, self.second["w"], bias=self.bias).mean(dim=[2, 3])

    def _first(self, x):
        return F.relu_(F.conv2d(x, self.first, self.first_bias))


@equals("c8 p2 c16 gap fc10")
class WithLeftovers(nn.Module):
    """A layer that is never used, identities, and dropout that drops nothing."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16)
        self.old = nn.Linear(100, 10)
        self.drop, self.id = nn.Dropout(0.0), nn.Identity()
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.id(x).contiguous()
        x = F.dropout(F.max_pool2d(self.drop(self.bn1(F.relu(self.conv1(x)))), 2), p=0.3, training=False)
        x = self.bn2(self.conv2(x).relu_())
        x = self.id(F.adaptive_avg_pool2d(x, output_size=1))
        return self.fc(x.reshape(x.size(0), x.size(1)))


@equals("c8n res(c8p1n scale0.2) p2 res(res(c8p1l) | c8k1l) fc10")
class Sums(nn.Module):
    """Three terms in one sum, and a scaled branch."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3)
        self.a, self.b, self.c = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.fc = nn.Linear(8 * 13 * 13, 10)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = torch.add(x, F.relu(self.a(x)) * 0.2)
        x = F.max_pool2d(x, 2)
        x = x + self.b(x) + self.c(x)
        return self.fc(torch.flatten(x, 1))


@equals("c8b0 d0.1 p2 c16b0 d0.1 c10b0l gap")
class MadeByFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(*self.layers([1, 8, 16]))

    @staticmethod
    def layers(widths):
        for inputs, outputs in pairwise(widths):
            yield nn.Conv2d(inputs, outputs, 3, bias=False)
            yield nn.ReLU()
            yield nn.BatchNorm2d(outputs)
            yield nn.Dropout(0.1)
            if inputs == 1:
                yield nn.MaxPool2d(2)
        yield nn.Conv2d(widths[-1], 10, 3, bias=False)

    def forward(self, x):
        x = self.net(x)
        n, c, h, _ = x.size()
        x = F.avg_pool2d(x, kernel_size=h)
        return F.log_softmax(x.view(n, c), dim=1)


@equals("c4k5s2n c8s2n fc10")
class Subclasses(nn.Module):
    """Layers that differ from torch's in how they are made, and one that computes with torch's functions."""

    class Down(nn.Conv2d):
        def __init__(self, inputs, outputs, kernel):
            super().__init__(inputs, outputs, kernel, stride=2)

    class Mine(nn.Conv2d):
        def forward(self, x):
            return F.relu(self._conv_forward(x, self.weight, self.bias))

    def __init__(self):
        super().__init__()
        self.a, self.b = self.Down(1, 4, 5), self.Mine(4, 8, 3, stride=2)
        self.fc = nn.Linear(8 * 5 * 5, 10)

    def forward(self, images):
        return self.fc(self.b(self.a(images).relu()).flatten(1))


@equals("c8s2n c8s2n gap fc10")
class MeansByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 8, 3, stride=2), nn.Conv2d(8, 8, 3, stride=2)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.b(F.relu(self.a(x.float().to(torch.float32)))))
        x = x.view(x.size(0), x.size(1), -1).mean(-1)[:, :, None, None]
        return self.fc(x[:, :, 0, 0])


@equals("c8s2n c8s2n gap fc10")
class MeansInTurn(MeansByHand):
    def forward(self, x):
        x = F.relu(self.b(F.relu(self.a(x))))
        return self.fc(x.mean(3).mean(2))


@equals("c32n c64n p2 d0.25 fc128 d0.5 fc10")
class OfficialExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.conv1(x)
        x = F.relu(x)
        x = self.conv2(x)
        x = F.relu(x)
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = self.fc1(x)
        x = F.relu(x)
        x = self.dropout2(x)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


@equals("c8k5s2n a3s1p1 d0.3 fc24 d0.5 fc10")
class ReshapedInput(nn.Module):
    """Takes flat images too."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 8, 5, 2), nn.AvgPool2d(3, 1, 1)
        self.drop = nn.Dropout2d(0.3)
        self.head = nn.ModuleDict({"hidden": nn.Linear(8 * 144, 24), "out": nn.Linear(24, 10)})

    def forward(self, x):
        x = x.view(-1, 28 * 28)
        x = x.reshape(-1, 1, 28, 28)
        x = self.pool(F.relu(self.conv(x)))
        x = F.dropout(torch.flatten(x, start_dim=1), p=self.drop.p, training=self.training)
        x = F.dropout(F.relu(self.head["hidden"](x)), training=self.training)
        return self.head["out"](x)


@equals("c8s2b0r c16s2b0r c16p2s2d2b0r c10b0l")
class AllConvolutional(nn.Module):
    """Blocks by a function, strides for pooling, dilation, and an output of one pixel that is squeezed."""

    def __init__(self):
        super().__init__()

        def down(inputs, outputs, **options):
            conv = nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, bias=False, **options)
            return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs), act=nn.ReLU(True)))

        self.blocks = nn.Sequential(down(1, 8), down(8, 16), down(16, 16, dilation=2, padding=2))
        self.head = nn.Conv2d(16, 10, 3, bias=False)

    def forward(self, input):  # noqa: A002
        return torch.squeeze(torch.squeeze(self.head(self.blocks(input)), 3), 2)


@equals("c8s3n c10l gap")
class Squeezing(nn.Module):
    """Of a single image it makes logits without a batch."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3, 3), nn.ReLU(), nn.Conv2d(8, 10, 3), nn.AdaptiveAvgPool2d(1))

    def forward(self, x):
        return self.net(x).squeeze()


@equals("c8n tie3(res(c8p1n)) p2 fc10")
class Recursive(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.depth = depth
        self.stem, self.step = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, padding=1)
        self.out = nn.Linear(8 * 13 * 13, 10)

    def deeper(self, x, left):
        return x if left == 0 else self.deeper(x.add(self.step(x).relu()), left - 1)

    def forward(self, x):
        x = self.deeper(self.stem(x).relu(), self.depth)
        return self.out(nn.MaxPool2d(2)(x).view(len(x), -1))


@equals_none("permute")
class Transposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(x.permute(0, 3, 2, 1).reshape(len(x), -1))


@equals_none("eps is 0.001")
class OtherEps(nn.Sequential):
    def __init__(self):
        super().__init__(
            *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, eps=1e-3), nn.ReLU(), nn.BatchNorm2d(8, momentum=0.5)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
        )


@equals_none("softmax before the loss")
class SoftmaxLast(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10), nn.Softmax(dim=1))


@equals_none("goes on in evaluation")
class DropoutAlwaysOn(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(F.dropout(x.view(-1, 784), 0.2))


@equals_none("not do the same for each batch")
class DropoutOfLargeBatches(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(F.dropout(x.flatten(1), 0.2, self.training and len(x) > 3))


@equals_none("bool reads values")
class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(784, 10), nn.Linear(784, 10)

    def forward(self, x):
        x = x.flatten(1)
        return self.a(x) if x.mean() > 0 else self.b(x)


@equals_none("does not compute the same: the gradient of")
class GradientOfItsOwn(nn.Module):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 3

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4 * 676, 10)

    def forward(self, x):
        return self.fc(self.Double.apply(self.conv(x)).flatten(1))


@equals_none("cannot be seen into")
class Remade(nn.Module):
    """Numbers that have gone through Python's hands."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(torch.tensor(x.tolist()).flatten(1))


@equals_none("random numbers")
class SkipsAtRandom(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4 * 784, 10)
        self.more = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        if not self.training or random.random() > 0.001:
            x = self.more(x)
        return self.fc(x.flatten(1))


@equals_none("randn_like")
class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        if self.training:
            x = x + torch.randn_like(x) * 0.1
        return self.fc(x.flatten(1))


batches = 0


@equals_none("forward changes CountingInItsClass.calls, batches")
class CountingInItsClass(nn.Module):
    """Other than it was after some batches, by numbers in its class and in its file."""

    calls = 0

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        global batches
        CountingInItsClass.calls += 1
        batches += self.training
        x = self.fc(x.flatten(1))
        return x if max(self.calls, batches) < 1000 else x * 2


@equals_none("forward changes calls")
class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.fc(x.flatten(1)) * (1 if self.calls < 1000 else 2)


@equals_none("has hooks")
class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)
        self.fc.register_forward_hook(lambda layer, inputs, output: output * 2)

    def forward(self, x):
        return self.fc(x.flatten(1))


@equals_none("a train() of its own")
class FrozenNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.fc = nn.BatchNorm2d(1), nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(self.norm(x).flatten(1))

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self


@equals_none("takes several inputs")
class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gate, self.fc = nn.Conv2d(1, 8, 3), nn.Linear(8, 8), nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = x * torch.sigmoid(self.gate(x.mean((2, 3)))).view(-1, 8, 1, 1)
        return self.fc(x.mean((2, 3)))


@equals_none("cat")
class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.fc = nn.Conv2d(1, 7, 3, padding=1), nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(torch.cat([x, self.a(x)], 1).mean((2, 3)))


@equals_none("shares weights")
class SharedFarApart(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 5), nn.Linear(20 * 20, 10)

    def forward(self, x):
        return self.fc(self.a(self.b(self.a(x))).flatten(1))


@equals_none("detach")
class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4 * 26 * 26, 10)

    def forward(self, x):
        return self.fc(self.conv(x).detach().flatten(1))


@equals_none("not the same on both sides")
class LopsidedPadding(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 4), nn.Linear(4, 10)

    def forward(self, x):
        return self.fc(self.conv(F.pad(x, (1, 2, 1, 2))).mean((2, 3)))


@equals_none("ceil_mode")
class CeilMode(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool, self.fc = nn.MaxPool2d(3, ceil_mode=True), nn.Linear(100, 10)

    def forward(self, x):
        return self.fc(self.pool(x).flatten(1))


@equals_none("its weights are not a parameter, or are computed")
class Standardised(nn.Conv2d):
    def __init__(self):
        super().__init__(1, 10, 28)

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight / math.sqrt(784), self.bias).flatten(1)


@equals_none("several places")
class DenselyAdded(nn.Module):
    """A result that several sums take."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(1, 1, 3, padding=1) for _ in range(3))
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        a, b = self.a(x), self.b(x)
        c = self.c(a + b)
        return self.fc((c + a + x).flatten(1))
