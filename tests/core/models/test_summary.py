"""Layer tables worked out in plain Python, held against the reference's own, torchinfo's and what modules really do."""

import random
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path

import pytest
import torch
from torch import nn
from torchinfo import summary as torchinfo_summary

import core.models.summary
from core.errors import SpecError
from core.models.build import build_model, count_parameters
from core.models.parts import Looped, Residual, Tied
from core.models.spec import REGISTRY, find, parse, words
from core.models.summary import summarize
from core.task import ImageTask

CONV9 = [
    ("Conv2d-1", (8, 26, 26), 80),
    ("BatchNorm2d-2", (8, 26, 26), 16),
    ("Conv2d-3", (8, 24, 24), 584),
    ("BatchNorm2d-4", (8, 24, 24), 16),
    ("Conv2d-5", (16, 22, 22), 1168),
    ("BatchNorm2d-6", (16, 22, 22), 32),
    ("MaxPool2d-7", (16, 11, 11), 0),
    ("Conv2d-8", (16, 9, 9), 2320),
    ("BatchNorm2d-9", (16, 9, 9), 32),
    ("Conv2d-10", (32, 7, 7), 4640),
    ("BatchNorm2d-11", (32, 7, 7), 64),
    ("Conv2d-12", (16, 7, 7), 528),
    ("BatchNorm2d-13", (16, 7, 7), 32),
    ("Conv2d-14", (16, 5, 5), 2320),
    ("BatchNorm2d-15", (16, 5, 5), 32),
    ("Conv2d-16", (32, 3, 3), 4640),
    ("BatchNorm2d-17", (32, 3, 3), 64),
    ("Conv2d-18", (10, 1, 1), 2890),
]
CONV5 = [
    ("Conv2d-1", (8, 28, 28), 80),
    ("BatchNorm2d-2", (8, 28, 28), 16),
    ("MaxPool2d-3", (8, 14, 14), 0),
    ("Conv2d-4", (16, 12, 12), 1168),
    ("BatchNorm2d-5", (16, 12, 12), 32),
    ("Conv2d-6", (32, 10, 10), 4640),
    ("BatchNorm2d-7", (32, 10, 10), 64),
    ("MaxPool2d-8", (32, 5, 5), 0),
    ("Conv2d-9", (32, 3, 3), 9248),
    ("Conv2d-10", (10, 1, 1), 2890),
]


@pytest.mark.parametrize(("name", "rows", "total"), [("conv9", CONV9, 19_458), ("conv5", CONV5, 18_138)])
def test_the_networks_of_the_exercise_match_their_tables_row_for_row(name, rows, total):
    summary = summarize(find(name))
    assert [(row.label, row.output_shape, row.params) for row in summary.rows] == rows
    assert (summary.total_params, summary.trainable_params) == (total, total)
    assert (summary.name, summary.spec) == (name, REGISTRY[name])


def test_the_step_of_conv9_costs_what_its_design_says():
    # 2.24 GFLOP for a batch of 256: two operations a multiply-add, forward, for the weights and, but for the first
    # layer, whose input is the image, for the input.
    summary = summarize(find("conv9"))
    assert round((3 * summary.macs - summary.rows[0].macs) * 2 * 256 / 1e9, 2) == 2.24


@pytest.mark.parametrize("name", REGISTRY)
def test_named_networks_fit_the_budget(name):
    assert summarize(find(name)).within_budget()
    assert not summarize(find(name)).within_budget(4000)


def measure(model: nn.Sequential) -> tuple[list[tuple[int, ...]], int]:
    """The output shape of each innermost layer at each use and the multiply-adds for one image, from forward hooks."""
    shapes, macs = [], 0

    def look(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal macs
        shapes.append(tuple(output.shape[1:]))
        if isinstance(module, nn.Conv2d | nn.Linear):
            macs += output[0].numel() * module.weight[0].numel()

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(look)
    with torch.no_grad():
        assert model.eval()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    return shapes, macs


Seen = Callable[[int], set[int]]
"""The pixels of the image, along one axis and on without end, that the output at a place sees."""


def seen_through(module: nn.Module, axis: int, before: Seen) -> Seen:
    """The same behind a module, by following each of its inputs."""
    if isinstance(module, Residual):
        branches = [seen_through(branch, axis, before) for branch in module]
        return lambda at: set().union(*(branch(at) for branch in [*branches, before][: max(2, len(branches))]))
    if isinstance(module, nn.Sequential | Looped):
        for _ in range(module.times if isinstance(module, Tied) else 1):
            for child in module:
                before = seen_through(child, axis, before)
        return before
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return before
    sizes = (module.kernel_size, module.stride, module.padding, getattr(module, "dilation", 1))
    kernel, stride, padding, dilation = (size[axis] if isinstance(size, tuple) else size for size in sizes)

    @cache
    def seen(at: int) -> set[int]:
        return set().union(*(before(at * stride - padding + dilation * tap) for tap in range(kernel)))

    return seen


def largest_field(model: nn.Sequential, shape: tuple[int, ...]) -> int:
    """The side of the largest square that an output of a map sees."""
    spans = []
    for axis in (0, 1):
        seen = seen_through(model, axis, lambda at: {at})
        spans += [max(pixels) - min(pixels) + 1 for pixels in map(seen, {0, shape[1 + axis] - 1})]
    return max(spans)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(100))
def test_random_specs_agree_with_torchinfo_with_forward_hooks_and_with_what_each_output_sees(random_spec, seed):
    rng = random.Random(seed)
    for _ in range(20):
        spec = random_spec(rng)
        summary = summarize(parse(spec))
        model = build_model(summary)
        info = torchinfo_summary(model, input_size=(2, 1, 28, 28), device="cpu", mode="eval", verbose=0, col_names=())
        leaves = [row for row in info.summary_list if row.is_leaf_layer]
        layers = [layer for layer in summary.all_layers if not layer.branches]
        assert summary.total_params == count_parameters(model), spec
        assert [layer.kind for layer in layers] == [row.class_name for row in leaves], spec
        if "loop" not in spec:  # torchinfo counts what several modules share once for each
            assert summary.total_params == info.total_params, spec
            params = [0 if row.is_recursive else max(row.num_params, 0) for row in leaves]
            assert [layer.params for layer in layers] == params, spec
        shapes, macs = measure(model)
        expected = [(*shape, 1, 1)[:3] for shape in shapes]
        assert [layer.output_shape for layer in layers] == expected, spec
        assert [(*row.output_size[1:], 1, 1)[:3] for row in leaves] == expected, spec
        assert summary.macs == sum(layer.macs for layer in layers) == macs, spec
        assert sum(row.params for row in summary.rows) == summary.total_params, spec
        for count, layer in enumerate(summary.layers, 1):
            if layer.kind in ("AdaptiveAvgPool2d", "Flatten"):
                break  # from here on each output sees the whole map
            assert layer.receptive_field == largest_field(model[:count], layer.output_shape), (spec, layer)


def seen_by(modules: nn.Sequential, side: int) -> int:
    """The side of the square of pixels that change the middle output, found by its gradient on random images.

    With weights above 0 no ReLU is shut and nothing cancels; many images give each pixel a turn in max pooling.
    """
    images = torch.rand(12, 1, side, side, requires_grad=True)
    output = modules(images)
    middle = output.shape[-1] // 2
    pixels = output[:, :, middle, middle] if output.dim() == 4 else output
    (gradient,) = torch.autograd.grad(pixels.sum(), images)
    rows, columns = gradient.abs().sum((0, 1)).nonzero().unbind(1)
    height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
    assert height == width
    return height


def positive(model: nn.Sequential) -> nn.Sequential:
    for parameter in model.parameters():
        parameter.data.abs_().clamp_(min=1e-3)
    return model.eval()


@pytest.mark.parametrize(
    "spec",
    [
        REGISTRY["conv9"],
        REGISTRY["conv5"],
        "c3k5s2 s4d2 a2 c4k2 c10k1l gap",
        "c2p1 c3s3k1 c3 p3 c10k1 gap",
        "s4p1 p2 s4k4s2p1 a3 c10k2l",
        "d0.1 c2k2d3 p2 c2k3s2n c2k1 c10k5l",
        "c2b0r res(c2k5p2b0r c2p1l bn) relu res(c3p1s2 c3l | c3k1s2l p3s1) tie2(c3p1) rep2(c2k2) p3s2 c10k4l",
        "c2k1p1 p3s2p1 a3s1p1 res(s2p1r d0.1 res(c2p1n) lrelu) c10k15l",
    ],
)
def test_the_receptive_field_of_each_layer_is_what_a_gradient_shows(spec):
    torch.manual_seed(0)
    summary = summarize(parse(spec))
    model = positive(build_model(summary))
    for count, layer in enumerate(summary.layers, 1):
        if layer.kind not in ("AdaptiveAvgPool2d", "Flatten"):
            # On an image so large that the edges, and so the padding, are out of sight of the middle.
            assert layer.receptive_field == seen_by(model[:count], 71), layer


@pytest.mark.parametrize(
    "spec", ["c8 gap fc10", "c4 p2 fc10", "p3 c4 gap fc10", "c4s3 p2 c4 fc7 fc10", "a5 fc10", "c10k5s4l gap", "fc10"]
)
def test_a_layer_over_the_whole_map_sees_all_that_the_map_does(spec):
    torch.manual_seed(0)
    summary = summarize(parse(spec))
    assert summary.receptive_field == seen_by(positive(build_model(summary)), 28)


@pytest.mark.parametrize(
    ("spec", "position", "reason"),
    [
        ("c8 p2 c8 p2 c8 c8k2 d0.1 c8k1 c16 fc10", 9, "3x3 does not fit a 2x2 map"),
        ("p2 c8k8d2 fc10", 2, "8x8 with dilation 2 does not fit a 14x14 map"),
        ("c8k20 p10 fc10", 2, "10x10 does not fit a 9x9 map"),
        ("fc10 c8", 2, "flattened"),
        ("fc10 gap", 2, "flattened"),
        ("fc10 p2", 2, "flattened"),
        ("fc10 in", 2, "flattened"),
        ("flat dc0.1", 2, "flattened"),
        ("c8k1x5 p28x25", 2, "28x25 does not fit a 28x24 map"),
        ("c8 c9g4", 2, "4 groups do not divide the 9 channels that go out"),
        ("c9 c8g4", 2, "4 groups do not divide the 9 channels that come in"),
        ("c9 gn2", 2, "2 groups do not divide the 9 channels"),
        ("c8 gap in", 3, "is over one value of 8x1x1 at a time, so always 0"),
        ("c8 gap gn8", 3, "is over one value of 8x1x1 at a time"),
        ("fc1 ln", 2, "is over one value of 1 units at a time"),
        ("c1k1p28 c1k1p28 c1k1p28 c1k1p28 c1k1p28", 5, "makes a map of 308x308; a side may be at most 256"),
        ("c8k1p28 c1024k1", 2, "makes 7,225,344 values of an image; a layer may have 4,194,304"),
        ("c8 res(c9p1)", 2, "8x26x26 goes in and 9x26x26 comes out, which cannot be added"),
        ("c8 res(c8 | c8p1)", 2, "its branches make 8x24x24 and 8x26x26, which cannot be added"),
        ("c8 gap res(flat)", 3, "8x1x1 goes in and 8 units comes out"),
        ("c8 tie2(c9p1)", 2, "8x26x26 comes in the first time and 9x26x26 the next"),
        ("c8 tie2(ln c8)", 2, "the shared weights do not fit"),
        ("c8 tie9(p2)", 4, "2x2 does not fit a 1x1 map"),
        ("c8", 1, "the result is 8x26x26, not 10 logits"),
        ("c10", 1, "the result is 10x26x26, not 10 logits"),
        ("c8 gap", 2, "the result is 8x1x1, not 10 logits"),
        ("c8 fc9", 2, "the result is 9x1x1, not 10 logits"),
    ],
)
def test_a_layer_that_does_not_fit_is_named_with_why(spec, position, reason, presentable):
    with pytest.raises(SpecError) as caught:
        summarize(parse(spec))
    token = words(spec)[position - 1].text
    assert (caught.value.token, caught.value.position) == (token, position)
    presentable(caught.value.message, f"{token} at position {position}: ", reason)


@pytest.mark.parametrize(("size", "classes"), [(16, 10), (16, 7), (8, 3)])
def test_a_named_network_that_does_not_fit_the_images_is_refused_with_those_that_do(size, classes):
    task = ImageTask(size, classes)
    with pytest.raises(SpecError) as caught:
        summarize(find("conv9", task), task)
    advice = str(caught.value.advice)
    named = [name for name in REGISTRY if name in advice]
    assert named
    assert "conv9" not in named
    assert f"{size}x{size}" in advice
    for name in named:
        assert summarize(find(name, task), task).total_params


def test_a_spec_of_ones_own_that_does_not_fit_is_not_sent_to_another_network():
    with pytest.raises(SpecError) as caught:
        summarize(parse("c30k30 fc10"))
    assert "gap" not in str(caught.value.advice)


def test_the_largest_layer_that_fits_does_and_padding_counts():
    assert summarize(parse("c10k28l")).rows[-1].output_shape == (10, 1, 1)
    assert summarize(parse("p28 c10p1l")).rows[-1].output_shape == (10, 1, 1)
    assert prod(summarize(parse("c4k28p27 gap fc10")).rows[0].output_shape) == 4 * 55 * 55


def test_a_config_is_summarized_without_importing_torch():
    code = (
        "import sys; from core.config import TrainConfig; from core.models.network import summarize_config;"
        "import core.events, core.training.schedule, core.history;"
        "print(summarize_config(TrainConfig()).total_params, sorted({'torch', 'torchinfo', 'torchvision'} & "
        "set(sys.modules)))"
    )
    root = Path(core.models.summary.__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.split(maxsplit=1) == ["19458", "[]\n"]
