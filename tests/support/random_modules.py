"""Rows of layers in any order, drawn at random, and steps by the kernels in C held against torch's."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy

import torch
from random_networks import assert_close, vary_scales
from random_specs import draw_any_spec
from torch import Tensor, nn
from torch.nn import functional as F

from core.engines.native.engine import NativeEngine
from core.models.build import build_model
from core.models.spec import parse
from core.models.summary import summarize


def _convolution(rng: random.Random, channels: int, sides: tuple[int, int]) -> nn.Conv2d:
    sizes = []
    for side in sides:
        kernel, dilation = rng.choice([1, 1, 2, 3, 3, 3, 5]), rng.choice([1, 1, 1, 2])
        padding = rng.choice([0, 0, 1, 2, 5])
        if side + 2 * padding < dilation * (kernel - 1) + 1 or side > 30:
            kernel, dilation, padding = 1, 1, 0
        sizes.append((kernel, rng.choice([1, 1, 1, 2]), padding, dilation))
    if rng.random() < 0.6 and sides[0] == sides[1]:
        sizes[1] = sizes[0]
    kernel, stride, padding, dilation = zip(*sizes, strict=True)
    if rng.random() < 0.15:
        return nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)
    outputs = rng.randint(1, 18)
    return nn.Conv2d(channels, outputs, kernel, stride, padding, dilation, bias=rng.random() < 0.4)


def _pooling(rng: random.Random, sides: tuple[int, int]) -> nn.Module:
    window = [min(rng.choice([2, 2, 3, 4]), side) for side in sides]
    if rng.random() < 0.6:
        window = [min(window)] * 2
    kind = rng.choice([nn.MaxPool2d, nn.MaxPool2d, nn.AvgPool2d])
    if rng.random() < 0.5:
        return kind(window[0] if window[0] == window[1] else tuple(window))
    padding = tuple(rng.randint(0, size // 2) for size in window)
    return kind(tuple(window), stride=rng.choice([1, 2, (2, 1), 3]), padding=padding)


def _any_layer(rng: random.Random, shape: torch.Size) -> nn.Module:
    channels, *sides = shape[1:]
    match rng.choice("cccccrrrnnnpplddeegtt"):
        case "c":
            return _convolution(rng, channels, (sides[0], sides[1]))
        case "r":
            return nn.ReLU()
        case "n":
            return nn.BatchNorm2d(channels, affine=rng.random() < 0.8)
        case "p":
            return _pooling(rng, (sides[0], sides[1]))
        case "l":
            return nn.LeakyReLU(rng.choice([0.01, 0.2, -0.3]))
        case "d":
            return nn.Dropout2d(rng.choice([0.0, 0.1, 0.5]))
        case "e":
            return nn.Dropout(rng.choice([0.0, 0.1, 0.5]))
        case "g":
            return nn.AdaptiveAvgPool2d(1) if rng.random() < 0.2 else nn.Identity()
        case _:
            others = nn.ELU(rng.choice([1.0, 0.4])), nn.SiLU(), nn.GELU(), nn.Tanh(), nn.Sigmoid(), nn.Softsign()
            return rng.choice([nn.Sequential(nn.ReLU(), nn.BatchNorm2d(channels)), *others])


def draw_modules(rng: random.Random) -> nn.Sequential:
    """A network (N, 1, 28, 28) to (N, 10), in float64; shapes are followed by running it."""
    row: list[nn.Module] = []
    x = torch.zeros(2, 1, 28, 28, dtype=torch.float64)

    def add(layer: nn.Module) -> None:
        nonlocal x
        row.append(layer.double())
        with torch.no_grad():
            x = deepcopy(row[-1]).eval()(x)

    add(_convolution(rng, 1, (28, 28)))
    for _ in range(rng.randint(1, 14)):
        add(_any_layer(rng, x.shape))
    if rng.random() < 0.5:
        add(nn.AdaptiveAvgPool2d(1))
    add(nn.Flatten())
    while rng.random() < 0.4:
        add(nn.Dropout(0.2)) if rng.random() < 0.5 else None
        add(nn.Linear(x.shape[1], rng.choice([5, 12, 30]), bias=rng.random() < 0.5))
        for layer in (nn.ReLU(), nn.BatchNorm1d(x.shape[1]), nn.Dropout(0.1)):
            add(layer) if rng.random() < 0.5 else None
    add(nn.Linear(x.shape[1], 10, bias=rng.random() < 0.5))
    return nn.Sequential(*row)


def steps_by_both(model: nn.Module, *batches: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Losses, gradients - those of the images too - and buffers by the kernels, and by torch with the same draws."""
    plain, found = deepcopy(model), []
    for forward, one in ((NativeEngine().forward(model), model), (plain, plain)):
        torch.manual_seed(0)
        results = []
        for batch in batches:
            images = batch.clone(memory_format=torch.channels_last).requires_grad_()
            loss = F.cross_entropy(forward(images), torch.arange(len(images)) % 10)
            loss.backward()
            assert images.grad is not None
            results += [loss.detach(), images.grad]
        found.append([*results, *(p.grad for p in one.parameters()), *one.buffers()])
    return found[0], found[1]


def check_random_modules(seed: int) -> None:
    """Layers in a row, those of which there are kernels, and a few others."""
    _check(draw_modules, seed)


def check_any_spec(seed: int) -> None:
    """Layers and blocks of the whole grammar."""
    _check(_draw_model, seed)


def _draw_model(rng: random.Random) -> nn.Sequential:
    while (summary := summarize(parse(draw_any_spec(rng)))).macs > 3_000_000:
        pass
    return build_model(summary)


def _check(draw: Callable[[random.Random], nn.Sequential], seed: int) -> None:
    """Two steps, the second on a batch of another size, which finds the memory of the first; and a score."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    while True:
        model = draw(rng).double().to(memory_format=torch.channels_last)
        vary_scales(model)
        sizes = rng.sample([2, 7, 8, 9, 32, 33, 50], 2)
        batches = [torch.randn(size, 1, 28, 28, dtype=torch.float64) for size in sizes]
        if _norms_of_constants(model, batches) < 2:
            break
    found, expected = steps_by_both(model, *batches)
    assert_close(found, expected, 1e-8)
    model.eval()
    with torch.no_grad():
        images = torch.randn(5, 1, 28, 28, dtype=torch.float64)
        assert_close([NativeEngine().forward(model)(images)], [model(images)], 1e-8)


def _norms_of_constants(model: nn.Sequential, batches: list[Tensor]) -> int:
    """How many batch norms are given a map that is the same everywhere and not 0, at most, by one of the batches.

    A norm divides what rounding left of the differences by sqrt(eps), 0.003. After two of them that noise, another one
    in each engine, is what is left of gradients that are 0 by calculus.
    """
    model, found = deepcopy(model), 0

    def look(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal found
        maps = inputs[0].transpose(0, 1).flatten(1)
        largest = maps.abs().amax(1)
        found += bool(((maps.amax(1) - maps.amin(1) <= 1e-10 * largest) & (largest > 0)).any())

    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.register_forward_pre_hook(look)
    torch.manual_seed(0)  # the draws of `steps_by_both`
    counts = []
    with torch.no_grad():
        for batch in batches:
            found = 0
            model(batch)
            counts.append(found)
    return max(counts)
