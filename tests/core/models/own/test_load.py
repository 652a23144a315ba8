"""A user's own module from a file: accepted as it is, or refused in one line that says what is wrong with it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from core.config import TrainConfig
from core.errors import InvalidValue, OverBudget
from core.models.build import build_model
from core.models.network import absolute_arch, build_network, check_module_file, make_network
from core.models.own.check import check_own_module
from core.models.own.load import load_own_module
from core.models.own.table import summarize_module
from core.models.spec import find
from core.models.summary import summarize

HEADER = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"

GOOD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(4 * 13 * 13, 10)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.calls += 1
        return self.out(torch.flatten(self.drop(self.norm(F.relu(self.conv(x)))), 1))
"""


def load_user_module(arch: str, seed: int = 0) -> nn.Module:
    own = load_own_module(arch, seed=seed)
    check_own_module(own)
    return own.module


@pytest.fixture
def write(tmp_path: Path):
    def write_net(code: str, name: str = "Net") -> str:
        path = tmp_path / "nets.py"
        path.write_text(HEADER + code)
        return f"{path}:{name}"

    return write_net


def test_a_good_module_comes_back_as_it_was_made(write):
    arch = write(GOOD)
    model = load_user_module(arch)
    assert model.training
    assert model.calls == 0
    assert torch.equal(model.norm.running_mean, torch.zeros(4))


def test_initial_weights_are_those_of_the_class_under_the_seed(write):
    _, model = make_network(TrainConfig(arch=write(GOOD), seed=3))
    torch.manual_seed(3)
    by_hand = type(model)()
    assert all(torch.equal(mine, other) for mine, other in zip(model.parameters(), by_hand.parameters(), strict=True))


def test_the_table_has_the_layers_the_totals_and_no_receptive_field(write):
    arch = write(GOOD)
    summary = summarize_module(load_user_module(arch), arch)
    assert [(row.label, row.output_shape, row.params) for row in summary.rows] == [
        ("Conv2d-1", (4, 13, 13), 40),
        ("BatchNorm2d-2", (4, 13, 13), 8),
        ("Dropout-3", (4, 13, 13), 0),
        ("Linear-4", (10, 1, 1), 6770),
    ]
    assert (summary.total_params, summary.trainable_params) == (6818, 6818)
    assert summary.receptive_field is None
    assert summary.rows[0].macs == 36 * 13 * 13  # for one image, biases left out


def test_torchinfos_table_of_a_built_spec_is_the_spec_s_own():
    planned = summarize(find("conv9"))
    looked_at = summarize_module(build_model(planned), "conv9")
    assert [(row.label, row.output_shape, row.params) for row in looked_at.rows] == [
        (row.label, row.output_shape, row.params) for row in planned.rows
    ]


def test_summarizing_leaves_the_module_and_the_random_state_alone():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(2704, 10))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    summarize_module(model, "mine")
    assert torch.equal(torch.get_rng_state(), random_state)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_the_trial_run_takes_nothing_from_the_random_state(write):
    draws = GOOD.replace("self.calls += 1", "x = x + torch.rand(1)")
    model = load_user_module(write(draws), seed=4)
    state = torch.get_rng_state()
    torch.manual_seed(4)
    type(model)()
    assert torch.equal(torch.get_rng_state(), state)


def test_frozen_parameters_count_only_in_the_total(write):
    code = GOOD + "\nclass Frozen(Net):\n    def __init__(self):\n        super().__init__()\n"
    code += "        self.conv.requires_grad_(False)\n"
    arch = write(code, "Frozen")
    summary = summarize_module(load_user_module(arch), arch)
    assert (summary.total_params, summary.trainable_params) == (6818, 6778)


def test_a_layer_used_twice_counts_once(write):
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.same = nn.Conv2d(1, 1, 3, padding=1)
        self.out = nn.Linear(784, 10)

    def forward(self, x):
        return self.out(self.same(self.same(x)).flatten(1))
"""
    arch = write(code)
    summary = summarize_module(load_user_module(arch), arch)
    assert summary.total_params == 10 + 7850
    assert sum(row.params for row in summary.rows) == summary.total_params


def test_a_changed_file_is_read_anew(write):
    first = load_user_module(write(GOOD))
    second = load_user_module(write(GOOD.replace("stride=2", "stride=2, bias=False")))
    assert first.conv.bias is not None
    assert second.conv.bias is None


NO_FORWARD = (
    "class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(28, 10)\n    def forward(self, x):\n"
)


@pytest.mark.parametrize(
    ("code", "name", "named"),
    [
        ("class", "Net", ["nets.py:4: class: SyntaxError"]),
        ("Net = 3", "Net", ["Net is not an nn.Module class of nets.py"]),
        ("import no_such_module_at_all as Net", "Net", ["nets.py:4: import", "needs no_such_module_at_all"]),
        ("Net = print(no_such_name)", "Net", ["nets.py:4: Net = print(no_such_name): NameError"]),
        (GOOD, "Other", ["there is no Other in nets.py"]),
        (GOOD, "", ["no network is named"]),
        ("class Net:\n    pass", "Net", ["Net is not an nn.Module class"]),
        (
            "class Net(nn.Module):\n    def __init__(self, width):\n        pass",
            "Net",
            ["Net: missing a required argument: 'width'"],
        ),
        (
            NO_FORWARD + "        return self.nope(x)",
            "Net",
            ["nets.py:8: return self.nope(x): AttributeError", "nope"],
        ),
        (
            NO_FORWARD + "        raise SystemExit",
            "Net",
            ["nets.py:8: raise SystemExit: SystemExit"],
        ),
        (NO_FORWARD + "        return super().forward(x)", "Net", ["(2, 1, 28, 10), not (2, 10)"]),
        (NO_FORWARD + "        return [x]", "Net", ["forward returned list, not a tensor"]),
        ("class Net(nn.Module):\n    def forward(self, x):\n        return x[:, 0, 0, :10]", "Net", ["no trainable"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(code, name, named, write, presentable):
    with pytest.raises(InvalidValue) as caught:
        load_user_module(write(code, name))
    assert caught.value.field == "arch"
    assert caught.value.hint
    presentable(caught.value.message, *named)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")
@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("torch.jit.script(Net())", "net is made"),
        ("nn.Sequential(nn.Identity(), torch.jit.script(Net()))", "net: 1 is"),
    ],
)
def test_a_module_of_torchscript_is_refused_in_one_line(made, said, write, presentable):
    arch = write(f"{GOOD.replace('self.calls += 1', 'pass')}\nnet = {made}\n", "net")
    with pytest.raises(InvalidValue) as caught:
        load_user_module(arch)
    presentable(caught.value.message, said, "by torch.jit, and its layers cannot be seen")


def test_a_missing_file_and_a_missing_class_are_told_apart(write, tmp_path, presentable):
    with pytest.raises(InvalidValue, match="no such file"):
        load_user_module(f"{tmp_path}/nothing.py:Net")
    with pytest.raises(InvalidValue) as caught:
        load_user_module(write(GOOD + "class Helper:\n    pass\n", "net"))
    assert caught.value.hint == "did you mean Net? nets.py has Net (6,818 parameters)"


def test_the_path_of_a_users_module_can_be_made_good_for_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/somewhere")
    assert absolute_arch("nets.py:Net") == f"{tmp_path}/nets.py:Net"
    assert absolute_arch("~/nets.py:Net") == "/somewhere/nets.py:Net"
    assert absolute_arch("nets.ipynb:Net(cfg={'a': 1}, file='x.py:y') ") == (
        f"{tmp_path}/nets.ipynb:Net(cfg={{'a': 1}}, file='x.py:y')"
    )
    assert absolute_arch("c8 gap fc10") == "c8 gap fc10"


def test_the_file_of_a_module_with_arguments_is_looked_for_and_the_arguments_read(write):
    path = write(GOOD, "Net(cfg={'a': 1}, file='x.py:y')")
    check_module_file(path)
    with pytest.raises(InvalidValue, match="no such file"):
        check_module_file("/nowhere/net.py:Net(cfg={'a': 1})")
    with pytest.raises(InvalidValue, match="width is not a literal"):
        check_module_file(write(GOOD, "Net(width)"))


def test_a_users_module_is_held_to_the_budget_too(write):
    wide = write(GOOD.replace("nn.Linear(4 * 13 * 13, 10)", "nn.Sequential(nn.Linear(676, 40), nn.Linear(40, 10))"))
    with pytest.raises(OverBudget, match="over the budget of 20,000"):
        make_network(TrainConfig(arch=wide))
    assert make_network(TrainConfig(arch=wide, budget=False))[0].total_params > 20_000


def test_the_code_that_was_loaded_can_be_loaded_again_whatever_becomes_of_the_file(write, tmp_path):
    config = TrainConfig.checked({"arch": write(GOOD), "seed": 3})
    first = build_network(config)
    path = tmp_path / "nets.py"
    assert first.source.contents == {"nets.py": path.read_bytes()}
    path.write_text("raise ValueError('changed')")
    again = build_network(config, first.source)
    path.unlink()
    gone = build_network(config, first.source)
    for other in (again, gone):
        assert other.summary == first.summary
        assert other.source == first.source
        for name, tensor in first.module.state_dict().items():
            assert torch.equal(other.module.state_dict()[name], tensor)
