"""Weights that torch would neither train nor save are refused, with what to do; what else a network holds is not."""

from __future__ import annotations

import pytest

from core.errors import InvalidValue
from core.models.own.check import check_own_module
from core.models.own.load import load_own_module

NET = """
outside = nn.Linear(784, 10)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.own = nn.Linear(784, 10)
        {init}
    def forward(self, x):
        x = x.flatten(1)
        {forward}
"""
IN_A_LIST = "computes with 7,850 weights that torch neither counts, trains nor saves: layers is a plain list"
OUTSIDE = (
    "computes with 7,850 weights that torch neither counts, trains nor saves: they are made in forward, or outside"
)

REFUSED = {
    "a list": (
        "self.layers = [nn.Linear(784, 10)]",
        "return self.own(x) + self.layers[0](x)",
        IN_A_LIST,
        "nn.ModuleList",
    ),
    "a dict in a dict": (
        "self.layers = {'a': {'b': nn.Linear(784, 10)}}",
        "return self.own(x) + self.layers['a']['b'](x)",
        IN_A_LIST.replace("list", "dict"),
        "nn.ModuleDict",
    ),
    "a list of parameters": (
        "self.layers = (nn.Parameter(torch.zeros(10, 785)),)",
        "return self.own(x) + x @ self.layers[0][:, 1:].T",
        IN_A_LIST,
        "nn.ParameterList",
    ),
    "made each time": ("", "return nn.Linear(784, 10)(x) + self.own(x)", OUTSIDE, "make them in __init__"),
    "of the file": ("", "return outside(x) + self.own(x)", OUTSIDE, "make them in __init__"),
    "replaced": (
        "",
        "self.own = nn.Linear(784, 10); return self.own(x)",
        "forward makes own.weight anew each time, so that it learns nothing",
        "make it in __init__",
    ),
    "replaced from the first on": (
        "self.late = None",
        "self.late = nn.Linear(784, 10); return self.own(x) + self.late(x)",
        "forward makes late.weight anew each time, so that it learns nothing",
        "make it in __init__",
    ),
}

TAKEN = {
    "a list beside": ("self.layers = [nn.Linear(784, 10)]", "return self.own(x)"),
    "its own in a list": ("self.layers = [self.own]", "return self.layers[0](x)"),
    "frozen": ("self.layers = [nn.Linear(784, 784).requires_grad_(False)]", "return self.own(self.layers[0](x))"),
    "a weight by its attribute": ("self.same = self.own.weight", "return x @ self.same.T"),
    "a part of a weight": ("", "return x @ self.own.weight.view(10, 784).T"),
    "parametrized": ("nn.utils.parametrizations.weight_norm(self.own)", "return self.own(x)"),
    "numbers": ("self.table = [torch.ones(784)]", "return self.own(x * self.table[0])"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_weights_that_are_no_part_of_the_network_are_refused(kind, file, presentable):
    init, forward, reason, way_out = REFUSED[kind]
    with pytest.raises(InvalidValue) as caught:
        check_own_module(load_own_module(f"{file(NET.format(init=init, forward=forward))}:Net", seed=0))
    presentable(caught.value.message, f"Net: {reason}")
    assert way_out in caught.value.hint


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_no_weight_to_train_or_is_the_networks_own_is_not(kind, file):
    init, forward = TAKEN[kind]
    check_own_module(load_own_module(f"{file(NET.format(init=init, forward=forward))}:Net", seed=0))


@pytest.mark.parametrize(
    ("forward", "hint"),
    [
        ("nn.Linear(784, 10)(x)", "it takes rows of 784 values: begin forward with x = x.flatten(1)"),
        (
            "nn.Conv2d(3, 10, 28)(x).flatten(1)",
            "it takes three colours: begin forward with x = x.expand(-1, 3, -1, -1)",
        ),
        ("nn.Conv2d(1, 10, 32)(x).flatten(1)", "it takes 32x32 pixels: begin forward with x = F.pad(x, [2] * 4)"),
        ("nn.Conv2d(3, 10, 32)(x).flatten(1)", "x = F.pad(x, [2] * 4).expand(-1, 3, -1, -1) comes first"),
        ("nn.RNN(28, 10, batch_first=True)(x)[0][:, -1]", "without a channel: begin forward with x = x.squeeze(1)"),
    ],
)
def test_a_network_for_images_of_another_form_is_told_how_it_fits(forward, hint, file):
    layer, call = forward.split(")(x)", 1)
    code = f"""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = {layer})
        def forward(self, x):
            return self.layer(x){call}
    """
    with pytest.raises(InvalidValue) as caught:
        check_own_module(load_own_module(f"{file(code)}:Net", seed=0))
    assert hint in caught.value.hint
