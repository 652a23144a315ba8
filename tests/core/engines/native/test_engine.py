"""Steps by the kernels in C, held against eager ones and against a plain loop in double precision."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from plain_training import COMMON_RECIPES, assert_follows, make_step, start_epoch, train_plainly, train_with
from random_modules import check_any_spec, check_random_modules
from random_networks import assert_close, check_random_network, steps_by_both
from torch import nn
from torch.nn import functional as F

from core.config import TrainConfig
from core.engines.choose import choose_engine
from core.engines.native.engine import NativeEngine
from core.models.build import build_model
from core.models.network import make_network
from core.models.spec import find, parse
from core.models.summary import summarize

TINY = {"arch": "c4k5s3 p2 c8k3 gap fc10", "lr": 0.02, "batch_size": 48, "epochs": 8, "device": "cpu"}
"""On 320 images eight epochs of six batches and a tail of 32: 56 steps."""

NETWORKS = {
    "conv9": "conv9",
    "conv5": "conv5",
    "padding": "c12p1 c10p1 p2 c9p1 gap fc10",
    "separable": "s6p1 p2 s8p1 a2 s16 gap fc10",
    "dropout of 0": "c8 d0 p2 c16s2 d0 fc12 fc10",
    "strides, dilation, 1x1 and 5x5": "c5k5p2s2 c7d2p1 c9k1 c6p1s3 c11k2n fc10",
    "pooling": "p2 c8p1 a2 p3 c3k2l fc10",
    "no norm": "c8n p2 c16n p2 c32n c10l",
    "linear": "c8 p2 fc30 d0 fc10",
    "norm before ReLU": "c8b0r dc0 c8b0r p2 c12k1p1b0r d0 c12b0r a2 c10k1lb0 gap",
    "kernels that are no squares": "c6k1x5p0x2b0r c8k3x1s2x1 p3x2s2x1 c6p2x0b0r gap fc10b0",
    "windows that overlap": "c8b0r p3s2p1 c8 a3s2p1 c8p1lb0 p2 relu bn gap fc10",
    "looped": "c8p1b0r loop3(res(s8p1b0r)) p2 loop2(c8p1b0r loop2(c8p1) p3s1p1) gap fc10",
    "residual and tied": "c8p1b0r res(c8p1b0r c8p1lb0 bn) relu p2 tie2(c8p1b0r) res(c12k1l | c12b0rp1) gap fc10",
    "layers without kernels": "c8lb0 gn2 gelu c8lb0 ln silu p2 in c6g2 gap fc10",
    "an even kernel, larger than its map": "c6k4p3s2n p2 c8k8p4 c10k1l gap",
}

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("recipe", COMMON_RECIPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_fifty_steps_equal_a_plain_loop_in_double_precision(blobs, recipe, dtype, tolerance):
    config = TrainConfig.checked(TINY | COMMON_RECIPES[recipe])
    engine = NativeEngine()
    trained = train_with(config, blobs, dtype, engine)
    assert engine.note == ""
    plain = train_plainly(config, blobs)
    assert_follows(trained, plain, tolerance)
    assert trained.correct == plain.correct


@pytest.mark.sampled(10)
@pytest.mark.parametrize("network", NETWORKS)
def test_networks_of_all_kinds_equal_a_plain_loop_in_double_precision(blobs, each_build, two_threads, network):
    config = TrainConfig.checked(
        TINY | {"arch": NETWORKS[network], "lr": 0.002, "epochs": 2, "schedule": "onecycle", "budget": False}
    )
    engine = NativeEngine()
    assert_follows(train_with(config, blobs, torch.float64, engine), train_plainly(config, blobs), 1e-9)
    assert ("there are no kernels" in engine.note) == (network == "layers without kernels")


@pytest.mark.parametrize(
    "spec",
    [
        "c8 d0.3 p2 c16s2 d0.1 p2 p2 fc12 d0.5 fc10",
        "c8b0 d0.3 p2 c16s2b0 d0.1 p2 p2 fc12b0 d0.5 fc10",
        "c8n d0.3 c8 dc0.2 d0.2 p3s2p1 d0.1 c8p1b0r d0.2 gap fc10",
    ],
)
def test_what_dropouts_keep_is_what_torch_keeps_with_the_same_seed(each_build, two_threads, spec):
    torch.manual_seed(0)
    model = build_model(summarize(parse(spec))).double().to(memory_format=torch.channels_last)
    images = torch.randn(37, 1, 28, 28, dtype=torch.float64).to(memory_format=torch.channels_last)
    plain, found = deepcopy(model), []
    for forward, one in ((NativeEngine().forward(model), model), (plain, plain)):
        torch.manual_seed(1)
        for _ in range(2):
            F.cross_entropy(forward(images), torch.arange(len(images)) % 10).backward()
        found.append([*(p.grad for p in one.parameters()), *one.buffers(), torch.rand(2)])
    assert_close(*found, 1e-9)


@pytest.mark.sampled(20)
@pytest.mark.parametrize("seed", range(75))
def test_loss_and_gradients_of_random_networks_equal_those_of_torch(each_build, two_threads, seed):
    check_random_network(seed)


@pytest.mark.sampled(20)
@pytest.mark.parametrize("seed", range(150))
def test_layers_in_any_order_equal_those_of_torch(each_build, two_threads, seed):
    check_random_modules(seed)


@pytest.mark.sampled(20)
@pytest.mark.parametrize("seed", range(150))
def test_specs_of_the_whole_grammar_equal_those_of_torch(each_build, two_threads, seed):
    check_any_spec(seed)


@pytest.mark.parametrize("word", ["tie", "loop"])
def test_the_gradients_of_all_uses_of_a_tied_layer_are_added(word):
    torch.manual_seed(0)
    spec = "c6p1b0r tie3(c6p1b0r) p2 tie2(c6p1b0r) res(tie2(c6p1)) gap fc10".replace("tie", word)
    model = build_model(summarize(parse(spec))).double()
    images = torch.randn(9, 1, 28, 28, dtype=torch.float64)
    found, expected, _ = steps_by_both(model, images, images)
    assert_close(found, expected, 1e-9)


def test_layers_without_kernels_are_named():
    engine = NativeEngine()
    engine.forward(build_model(summarize(parse("c8b0r gn2 res(silu c8p1 ln) gelu d0.1 p2 gap fc10"))))
    assert engine.note == "torch runs what there are no kernels for: GroupNorm, SiLU, LayerNorm, GELU"


def test_a_convolution_in_groups_is_said_to_be_one():
    engine = NativeEngine()
    engine.forward(build_model(summarize(parse("c8b0r c8g2 gap fc10"))))
    assert engine.note.endswith(": Conv2d in groups")


def test_gradients_are_added_to_those_that_are_there_and_frozen_parameters_get_none():
    torch.manual_seed(0)
    model = build_model(summarize(parse("c8p1 p2 c6 fc10"))).double()
    model[0].weight.requires_grad_(False)
    images, labels = torch.randn(9, 1, 28, 28, dtype=torch.float64), torch.arange(9)
    plain, forward = deepcopy(model), NativeEngine().forward(model)
    for each in (forward, plain):
        for _ in range(2):
            F.cross_entropy(each(images), labels).backward()
    assert model[0].weight.grad is None
    trained = [(p.grad, q.grad) for p, q in zip(model.parameters(), plain.parameters(), strict=True) if p.requires_grad]
    assert_close([ours for ours, _ in trained], [theirs for _, theirs in trained], 1e-9)


def test_of_values_that_a_norm_makes_equal_the_first_is_the_largest():
    torch.manual_seed(0)
    model = build_model(summarize(parse("c6p1 p2 c8 p3 c9 gap fc10"))).double()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight[::2] = 0
                module.bias.copy_(torch.randn(module.num_features))
    found, expected, _ = steps_by_both(model, torch.randn(20, 1, 28, 28, dtype=torch.float64))
    assert_close(found, expected, 1e-8)


def test_images_that_there_are_no_kernels_for_go_to_the_network_itself():
    forward = NativeEngine().forward(build_model(summarize(parse("c8 p2 fc10"))))
    for images in (torch.randn(4, 1, 28, 28, dtype=torch.float64), torch.randn(4, 1, 28, 28, device="meta")):
        with pytest.raises(RuntimeError, match=r"type|device"):  # as torch says it
            forward(images)


def test_a_norm_that_is_frozen_stays_so():
    model = build_model(summarize(parse("c8 p2 c6 fc10"))).double()
    images = torch.randn(9, 1, 28, 28, dtype=torch.float64)
    NativeEngine().forward(model)(images)  # so that its statistics are not those it began with
    model[2].eval()
    before = model[2].running_mean.clone()
    assert_close(*steps_by_both(model, images)[:2], 1e-9)
    assert torch.equal(model[2].running_mean, before)


def test_parameters_are_where_the_modules_have_them_now_in_whatever_order():
    torch.manual_seed(0)
    model = build_model(summarize(parse("c8 p2 c6 fc10"))).double()
    images = torch.randn(9, 1, 28, 28, dtype=torch.float64)
    forward = NativeEngine().forward(model)
    forward(images)
    wider = torch.randn(8, 1, 3, 6, dtype=torch.float64)
    model[0].weight = nn.Parameter(wider[..., ::2])  # every second value of what it lies in
    plain = deepcopy(model)
    for each in (forward, plain):
        each(images).square().mean().backward()
    assert_close([p.grad for p in model.parameters()], [p.grad for p in plain.parameters()], 1e-9)


def test_auto_is_eager_where_there_is_no_convolution():
    config = TrainConfig.checked({"arch": "fc24 fc10", "device": "cpu"})
    assert choose_engine(config, torch.device("cpu"), 1000).name == "eager"


def test_a_part_that_no_kernel_stands_for_gets_its_gradient_through_those_that_do():
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(), nn.BatchNorm2d(6)),
        *(nn.MaxPool2d(3, stride=1), nn.Conv2d(6, 8, 3, groups=2), nn.BatchNorm2d(8, affine=False), nn.Conv2d(8, 5, 1)),
        *(nn.AvgPool2d(2), nn.Sigmoid(), nn.Flatten(), nn.Linear(5 * 16, 10)),
    ).double()
    found, expected, _ = steps_by_both(model, torch.randn(9, 1, 28, 28, dtype=torch.float64))
    assert_close(found, expected, 1e-10)


def test_the_gradient_is_that_of_differences():
    torch.manual_seed(0)
    model = build_model(summarize(parse("c3p1s3 a2 c4k2 c10k4l"))).double()
    forward = NativeEngine().forward(model)
    images = torch.randn(5, 1, 28, 28, dtype=torch.float64)
    parameters = list(model.parameters())
    values = [parameter.detach().clone() for parameter in parameters]

    def loss() -> torch.Tensor:
        return F.cross_entropy(forward(images), torch.arange(5))

    loss().backward()
    gradients = [parameter.grad.clone() for parameter in parameters]
    for parameter, value, gradient in zip(parameters, values, gradients, strict=True):
        direction = torch.randn_like(value)
        ends = []
        for sign in (1, -1):
            parameter.data = value + sign * 1e-6 * direction
            ends.append(float(loss().detach()))
        parameter.data = value
        assert float((gradient * direction).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_step_gives_the_same_bits_each_time_and_those_of_torch_nearly(two_threads, threads):
    torch.manual_seed(0)
    model = build_model(summarize(parse("c8p1 p2 s12p1 c10 gap fc10")))
    images = torch.randn(70, 1, 28, 28)
    torch.set_num_threads(threads)
    first, expected, _ = steps_by_both(deepcopy(model), images)
    second, _, _ = steps_by_both(deepcopy(model), images)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert_close(first, expected, 1e-4)


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(), nn.LeakyReLU(), nn.LeakyReLU(-0.3), nn.ELU(0.7), nn.SiLU(), nn.GELU(), nn.Tanh(), nn.Sigmoid()],
    ids=repr,
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
def test_activations_are_those_of_torch_over_the_whole_range(each_build, activation, dtype, tolerance):
    images = torch.linspace(-12, 12, 33 * 784, dtype=dtype).view(33, 1, 28, 28)
    images[0, 0, 0, :8] = torch.tensor([-1e30, 1e30, -200, 200, -90, 90, 0, -0.0], dtype=dtype)
    same = nn.Conv2d(1, 1, 1, bias=False, dtype=dtype)
    nn.init.ones_(same.weight)
    forward = NativeEngine().forward(
        nn.Sequential(same, nn.Dropout2d(0.0), activation, nn.GroupNorm(1, 1, dtype=dtype))
    )
    given, expected = images.clone().requires_grad_(), images.clone().requires_grad_()
    found = forward._row._parts[0](given, True)
    wanted = activation(expected)
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)
    weights = torch.linspace(-1, 1, images.numel(), dtype=dtype).view_as(images)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    torch.testing.assert_close(given.grad, expected.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "spec", ["c8 p2 c8 gap fc10", "c8n a2 c8n p3 fc10", "c8b0r p3s2p1 c8lb0 silu bn gap fc10", "c8l elu p2 silu fc10"]
)
def test_what_is_not_a_number_reaches_the_loss(value, spec):
    model = build_model(summarize(parse(spec)))
    images = torch.randn(20, 1, 28, 28)
    images[3, 0, 14, 14] = value
    logits = NativeEngine().forward(model)(images)
    assert not torch.isfinite(logits).all()
    assert not torch.isfinite(F.cross_entropy(logits, torch.arange(20) % 10))


def test_a_run_that_diverges_is_found_out(make_trainer):
    events = list(make_trainer(engine="native", arch="c8 p2 c8n gap fc10", lr=100.0, epochs=3).run())
    assert events[0].engine == "native"
    assert events[-1].NAME == "run_failed"


@pytest.mark.parametrize("steps", [3, 5])  # right before the last batch of an epoch, and in the middle of one
def test_a_native_run_follows_an_eager_one_and_goes_on_exactly(make_trainer, steps):
    options = {"engine": "native", "schedule": "cosine", "ema": True, "dropout": 0.1, "batch_size": 96, "lr": 0.02}
    whole = make_trainer(**options)
    started, *_, finished = whole.run()
    assert (started.engine, started.note) == ("native", "")
    eager = make_trainer(**(options | {"engine": "eager"}))
    assert list(eager.run())[-1].NAME == "run_finished"
    for name, tensor in whole.final_weights.items():
        torch.testing.assert_close(tensor, eager.final_weights[name], rtol=1e-2, atol=1e-3)

    asked = iter([""] * steps + ["enough"] * 99)
    stopped = make_trainer(**options)
    assert list(stopped.run(lambda: next(asked)))[-1].NAME == "run_stopped"
    checkpoint = stopped.checkpoint()  # before another network is made, which draws random numbers
    resumed = make_trainer(**options)
    resumed.restore(checkpoint)
    started, *_, again = resumed.run()
    assert (started.note, again.weights_sha256) == ("", finished.weights_sha256)


@pytest.mark.parametrize("network", NETWORKS)
def test_scores_are_those_of_the_running_statistics_which_stay_as_they_are(network):
    torch.manual_seed(0)
    model = build_model(summarize(find(NETWORKS[network]))).double()
    forward = NativeEngine().forward(model)
    for _ in range(3):
        forward(torch.randn(20, 1, 28, 28, dtype=torch.float64)).sum().backward()
    model.eval()
    buffers = [buffer.clone() for buffer in model.buffers()]
    with torch.no_grad():
        for size in (1, 30, 8):
            images = torch.randn(size, 1, 28, 28, dtype=torch.float64)
            torch.testing.assert_close(forward(images), model(images), rtol=1e-9, atol=1e-9)
    assert all(map(torch.equal, model.buffers(), buffers))


def test_in_evaluation_mode_with_gradients_the_network_itself_is_called():
    model = build_model(summarize(parse("c8 p2 c8 gap fc10"))).eval()
    images = torch.randn(4, 1, 28, 28)
    assert torch.equal(NativeEngine().forward(model)(images), model(images))


def test_an_old_output_has_no_gradient_any_more():
    model = build_model(summarize(parse("c8 gap fc10")))
    forward = NativeEngine().forward(model)
    old, _ = forward(torch.randn(4, 1, 28, 28)), forward(torch.randn(4, 1, 28, 28))
    with pytest.raises(RuntimeError, match="has been used again"):
        old.sum().backward()


class Twice(nn.Sequential):
    def forward(self, images):
        return super().forward(images) * 2


@pytest.mark.parametrize(
    "model", [Twice(nn.Flatten(), nn.Linear(784, 10)), nn.Sequential(nn.Flatten(), nn.Bilinear(784, 10, 10))]
)
def test_what_has_no_kernel_is_left_as_it_is_and_this_is_said(model):
    engine = NativeEngine()
    assert engine.forward(model) is model
    assert "one operation at a time" in engine.note


def test_bfloat16_is_left_to_torch_and_this_is_said(make_trainer):
    events = list(make_trainer(engine="native", precision="bf16", epochs=1).run())
    assert (events[0].engine, events[-1].NAME) == ("native", "run_finished")
    assert "fp32" in events[0].note


def test_the_weights_keep_their_names_and_their_order_in_memory(blobs):
    config = TrainConfig.checked(TINY | {"arch": "conv5", "epochs": 1})
    engine = NativeEngine()
    step, model, _ = make_step(config, blobs, engine=engine)
    expected = make_network(config)[1].to(memory_format=torch.channels_last)
    model.train()
    start_epoch(step, config, 320, 1)
    step(48)
    for (name, parameter), (wanted, other) in zip(model.named_parameters(), expected.named_parameters(), strict=True):
        assert (name, parameter.stride()) == (wanted, other.stride())
        assert parameter.grad.stride() == parameter.stride()
