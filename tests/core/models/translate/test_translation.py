"""Modules as people write them become the specs that equal them, or are refused with what stands in the way."""

from __future__ import annotations

import random
from copy import deepcopy

import numpy
import pytest
import torch
from own_networks import EXPRESSIBLE, INEXPRESSIBLE
from torch import nn

from core.models.build import build_model, count_parameters
from core.models.spec import parse
from core.models.summary import summarize
from core.models.translate import functions
from core.models.translate.translation import Translation, Untranslatable, tensors_of, translate


def built_with_the_weights_of(module: nn.Module, translation: Translation) -> nn.Module:
    """The network of the spec as anyone would make it, with the module's weights loaded."""
    network = build_model(summarize(parse(translation.spec)))
    tensors = tensors_of(module)
    network.load_state_dict({name: tensors[own] for name, own in translation.names.items()})
    return network


def plain(module: nn.Module) -> nn.Module:
    """The module with torch's layers in place of this program's."""
    for layer in module.modules():
        kind = type(layer)
        if kind.__module__.startswith("core.") and kind.__name__ in ("Conv2d", "BatchNorm2d"):
            layer.__class__ = getattr(nn, kind.__name__)
    return module


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_a_module_becomes_the_spec_that_equals_it(name):
    make, spec = EXPRESSIBLE[name]
    torch.manual_seed(1)
    module = make()
    found = translate(module)
    assert isinstance(found, Translation), str(found)
    assert found.spec == spec
    used = sum(tensor.numel() for own, tensor in module.named_parameters() if own not in found.unused)
    assert found.summary.total_params == used


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_the_network_of_the_spec_scores_as_the_module_does(name):
    """By the logits of a network built anew: those of a module that ends in log_softmax are shifted, no more."""
    torch.manual_seed(2)
    module = EXPRESSIBLE[name][0]()
    found = translate(module)
    assert isinstance(found, Translation)
    network = built_with_the_weights_of(module, found).eval()
    images = torch.randn(6, 1, 28, 28)
    with torch.no_grad():
        mine, others = module.eval()(images), network(images)
    if any("log_softmax" in note for note in found.notes):
        others = others.log_softmax(1)
    torch.testing.assert_close(mine, others, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", INEXPRESSIBLE)
def test_what_no_spec_can_say_is_named(name):
    make, words = INEXPRESSIBLE[name]
    found = translate(make())
    assert isinstance(found, Untranslatable)
    assert words in " / ".join(map(str, found.obstacles))
    assert str(found).isprintable()


def test_every_obstacle_is_told_with_its_layer_and_line():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.PReLU(), nn.LPPool2d(2, 2), nn.Hardswish())
            self.head = nn.Linear(4, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.body(x)
            return self.head(x.mean((2, 3)))

    found = translate(Net())
    assert isinstance(found, Untranslatable)
    line = Net.forward.__code__.co_firstlineno + 1
    assert [str(one).partition(" is no")[0] for one in found.obstacles] == [
        f"test_translation.py:{line}, body.1: PReLU",
        f"test_translation.py:{line}, body.2: LPPool2d",
        f"test_translation.py:{line}, body.3: Hardswish",
    ]
    assert str(found).endswith(", and 2 more")


@pytest.mark.parametrize("name", ["Residuals", "SharedBlock", "Counting", "Noisy", "SkipsAtRandom", "Hooked"])
def test_neither_the_module_nor_a_random_state_is_changed(name):
    module = (EXPRESSIBLE | INEXPRESSIBLE)[name][0]()
    before = deepcopy(module.state_dict()), vars(module).get("calls"), module.training
    states = torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1].tolist()
    translate(module)
    assert all(torch.equal(tensor, before[0][key]) for key, tensor in module.state_dict().items())
    assert (vars(module).get("calls"), module.training) == before[1:]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), numpy.random.get_state()[1].tolist()) == states[1:]
    hooks = [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules()]
    assert sum(hooks) == (name == "Hooked")


@pytest.mark.parametrize(("layer", "said"), [(nn.SiLU(), "gelu"), (nn.Sigmoid(), "tanh"), (nn.ELU(), "lrelu")])
def test_a_spec_that_does_not_compute_the_same_is_no_translation(monkeypatch, layer, said):
    """Whatever reads a layer wrongly, the comparison finds it."""
    monkeypatch.setitem(functions.ACTIVATIONS, type(layer).__name__, said)
    found = translate(nn.Sequential(nn.Conv2d(1, 4, 3, stride=3), layer, nn.Flatten(), nn.Linear(324, 10)))
    assert isinstance(found, Untranslatable)
    assert "does not compute the same" in str(found)


def test_weights_that_are_zero_prove_nothing():
    """A residual branch that begins as zero would equal no branch at all."""
    torch.manual_seed(3)
    module = EXPRESSIBLE["Residuals"][0]()
    nn.init.zeros_(module.one.bn2.weight)
    found = translate(module)
    assert isinstance(found, Translation)
    assert found.spec == EXPRESSIBLE["Residuals"][1]


@pytest.mark.parametrize(
    "row",
    [
        "tie3(c3p1b0r)",
        "loop3(c3p1b0r)",
        "tie2(c3k1n c3p1b0r) tie3(c3p1b0r)",
        "tie3(c3k1n c3p1 c3k1n c3p1 c3p1b0r) loop2(s3k1b0r)",
        "tie2(relu c3p1l bn) silu",
        "loop3(elu c3k1 s3k1b0r) in",
        "tie3(gn1w0 gn1 c3k5p2n)",
        "tie2(loop2(c3p1b0r))",
        "loop2(tie2(c3p1b0r))",
        "tie2(loop2(tie2(c3p1b0r)) c3p1)",
        "loop2(res(c3p1) tie2(res(c3p1b0r)))",
    ],
)
def test_what_is_used_again_is_found_as_it_was_written(row):
    spec = f"c3b0r {row} gap fc10"
    found = translate(plain(build_model(summarize(parse(spec)))))
    assert isinstance(found, Translation), str(found)
    assert found.spec == spec


@pytest.mark.sampled(20)
@pytest.mark.parametrize("seed", range(200))
def test_a_plain_module_of_any_spec_is_translated_back_to_as_many_parameters(seed, random_spec):
    summary = summarize(parse(random_spec(random.Random(seed))))
    module = plain(build_model(summary))
    found = translate(module)
    assert isinstance(found, Translation), f"{summary.spec}: {found}"
    assert found.summary.total_params == summary.total_params == count_parameters(module)
    assert found.summary.macs == summary.macs


def test_the_twin_has_the_very_tensors_and_follows_the_mode():
    module = EXPRESSIBLE["SessionStyle"][0]()
    found = translate(module)
    assert isinstance(found, Translation)
    module.eval()
    twin = found.twin_of(module)
    assert not twin.training
    own = {id(tensor) for tensor in tensors_of(module).values()}
    assert {id(tensor) for tensor in tensors_of(twin).values()} == own


def test_the_layers_have_the_receptive_fields_of_the_spec():
    found = translate(EXPRESSIBLE["SessionStyle"][0]())
    assert isinstance(found, Translation)
    fields = {path: of_uses for path, of_uses in found.fields.items() if path.endswith(".0") or path == "pool1"}
    assert fields == {
        "convblock1.0": (3,),
        "convblock2.0": (5,),
        "pool1": (6,),
        "convblock3.0": (6,),
        "convblock4.0": (10,),
        "convblock5.0": (14,),
        "convblock6.0": (24,),
        "convblock7.0": (32,),
    }


def test_a_layer_that_is_used_again_has_a_receptive_field_for_each_use():
    found = translate(EXPRESSIBLE["SharedBlock"][0]())
    assert isinstance(found, Translation)
    assert found.fields["block.0"] == (5, 7, 9)
