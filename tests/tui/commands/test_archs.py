"""`archs`, `archs show` and `presets`: what there is to start from, as tables and as the JSON that scripts rely on."""

from tui.commands.archs import reported_in_words

TOTALS = ["name", "spec", "total_params", "trainable_params", "macs", "receptive_field", "within_budget"]

CONV9 = [
    *(("Conv2d-1", 8, 26, 80), ("BatchNorm2d-2", 8, 26, 16), ("Conv2d-3", 8, 24, 584), ("BatchNorm2d-4", 8, 24, 16)),
    *(("Conv2d-5", 16, 22, 1168), ("BatchNorm2d-6", 16, 22, 32), ("MaxPool2d-7", 16, 11, 0), ("Conv2d-8", 16, 9, 2320)),
    *(("BatchNorm2d-9", 16, 9, 32), ("Conv2d-10", 32, 7, 4640), ("BatchNorm2d-11", 32, 7, 64)),
    *(("Conv2d-12", 16, 7, 528), ("BatchNorm2d-13", 16, 7, 32), ("Conv2d-14", 16, 5, 2320)),
    *(("BatchNorm2d-15", 16, 5, 32), ("Conv2d-16", 32, 3, 4640), ("BatchNorm2d-17", 32, 3, 64)),
    ("Conv2d-18", 10, 1, 2890),
]
"""The table of the exercise: layer, channels, side, parameters."""


def test_the_json_list_has_each_network_with_its_totals_and_source(cli):
    networks = {network["name"]: network for network in cli("archs", "--json").json}
    assert {"conv9", "conv5"} <= networks.keys()
    for network in networks.values():
        assert set(TOTALS) | {"source"} <= network.keys()
        assert network["within_budget"] is True
        assert network["total_params"] == network["trainable_params"] <= 20_000
    assert networks["conv9"]["spec"] == "c8 c8 c16 p2 c16 c32 c16k1 c16 c32 c10l"
    assert (networks["conv9"]["total_params"], networks["conv5"]["total_params"]) == (19_458, 18_138)
    assert networks["conv9"]["source"] == networks["conv5"]["source"] != networks["gap17k"]["source"]


def test_every_listed_network_can_be_shown_by_name_and_by_spec(cli):
    for network in cli("archs", "--json").json:
        by_name, by_spec = (
            cli("archs", "show", network["name"], "--json"),
            cli("archs", "show", network["spec"], "--json"),
        )
        assert by_name.json | {"name": ""} == by_spec.json | {"name": ""}
        assert by_name.json["name"] == network["name"]


def test_layers_inside_others_are_rows_and_what_is_used_again_has_no_parameters_of_its_own(cli):
    shown = cli("archs", "show", "c4b0r res(c4p1|c4k1l) tie2(c4p1n) scale2 gap fc10", "--json").json
    rows = [(row["layer"], row["output_shape"][0], row["params"], row["receptive_field"]) for row in shown["layers"]]
    assert rows == [
        *(("Conv2d-1", 4, 36, 3), ("BatchNorm2d-2", 4, 8, 3)),
        *(("Conv2d-3", 4, 148, 5), ("BatchNorm2d-4", 4, 8, 5), ("Conv2d-5", 4, 20, 3), ("Residual-6", 4, 0, 5)),
        *(("Conv2d-7", 4, 148, 7), ("Conv2d-8", 4, 0, 9), ("Scale-9", 4, 0, 9)),
        *(("AdaptiveAvgPool2d-10", 4, 0, 34), ("Linear-11", 10, 50, 34)),
    ]
    assert sum(row["params"] for row in shown["layers"]) == shown["total_params"] == 418
    assert sum(row["macs"] for row in shown["layers"]) == shown["macs"]
    assert shown["spec"] == "c4b0r res(c4p1 | c4k1l) tie2(c4p1n) scale2 gap fc10"


def test_the_layers_of_conv9_are_those_of_the_exercise(cli):
    shown = cli("archs", "show", "conv9", "--json").json
    assert list(shown) == [*TOTALS, "layers", "unused", "remarks"]
    rows = [(row["layer"], *row["output_shape"][:2], row["params"]) for row in shown["layers"]]
    assert rows == CONV9
    assert all(row["output_shape"][1] == row["output_shape"][2] for row in shown["layers"])
    assert all(row["kind"] == row["layer"].partition("-")[0] for row in shown["layers"])


def test_macs_and_receptive_field_are_those_worked_out_by_hand(cli):
    shown = cli("archs", "show", "c8 p2 c16s2 gap fc10", "--json").json
    macs = [8 * 9 * 26 * 26, 0, 0, 16 * 8 * 9 * 6 * 6, 0, 0, 16 * 10]
    assert [layer["macs"] for layer in shown["layers"]] == macs
    assert shown["macs"] == sum(macs)
    # 3 after the convolution, 4 after pooling, 4 + 2 * 2 = 8 after the next; then all 6 positions 4 pixels apart.
    assert [layer["receptive_field"] for layer in shown["layers"]] == [3, 3, 4, 8, 8, 8 + 5 * 4, 8 + 5 * 4]
    assert shown["receptive_field"] == 28


def test_a_network_over_the_budget_is_shown_and_said_to_be_over(cli):
    answer = cli("archs", "show", "c64 c64 gap fc10")
    assert answer.code == 0
    assert "of 20,000 parameters" in answer.out
    assert "over" in answer.out
    assert cli("archs", "show", "c64 c64 gap fc10", "--json").json["within_budget"] is False


def test_the_table_for_people_has_a_line_a_layer_and_the_room_that_is_left(cli):
    lines = cli("archs", "show", "conv9").out.splitlines()
    assert [line.split()[0] for line in lines[1:19]] == [layer for layer, *_ in CONV9]
    assert "19,458 of 20,000 parameters, 542 left" in lines[-1]


def test_the_list_for_people_explains_the_grammar(cli):
    out = cli("archs").out
    assert "conv9" in out
    for token in ("c16", "c10l", "s16", "p2 a2", "gap", "d0.05", "fc10"):
        assert f"\n{token} " in out


def test_a_module_of_ones_own_is_shown_layer_by_layer(cli, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(26), nn.Flatten(), nn.Linear(4, 10))\n"
    )
    shown = cli("archs", "show", f"{path}:Net", "--json").json
    rows = [(row["layer"], row["output_shape"], row["params"], row["receptive_field"]) for row in shown["layers"]]
    assert rows == [
        ("Conv2d-1", [4, 26, 26], 40, 3),
        ("MaxPool2d-2", [4, 1, 1], 0, 28),
        ("Linear-3", [10, 1, 1], 50, 28),
    ]
    assert (shown["total_params"], shown["receptive_field"], shown["within_budget"]) == (90, 28, True)
    assert cli("archs", "show", f"{path}:Net").out.count("mine.py:Net") == 1


def test_the_receptive_field_of_a_module_that_equals_no_spec_is_not_known(cli, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3), nn.PReLU(), nn.MaxPool2d(26), nn.Flatten(), nn.Linear(4, 10))\n"
    )
    shown = cli("archs", "show", f"{path}:Net", "--json").json
    assert {row["receptive_field"] for row in shown["layers"]} == {shown["receptive_field"]} == {None}


def test_presets_are_listed_with_their_whole_config(cli):
    presets = {preset["name"]: preset for preset in cli("presets", "--json").json}
    assert presets["seed-conv9"]["config"]["lr"] == 0.03772
    assert presets["seed-conv9"]["reported"]["best_test_accuracy"] == 0.9948
    lines = cli("presets").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(presets)
    assert "99.48%" in lines[1]


def test_a_preset_reports_a_mean_over_seeds_the_best_epoch_of_one_run_or_nothing():
    assert reported_in_words({"final_test_accuracy": 0.9962, "seeds": 5}) == "99.62% (mean of 5)"
    assert reported_in_words({"best_test_accuracy": 0.9948}) == "99.48% (best)"
    assert reported_in_words({}) == "-"


NETS = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, width, 3, bias=False), nn.BatchNorm2d(width)
        self.head = nn.Linear(width, 10)
        self.old = nn.Linear(3, 4)

    def forward(self, x):
        print("forward")
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return F.log_softmax(self.head(x.mean((2, 3)).view(x.size(0), -1)), dim=1)

class Twice(Net):
    def forward(self, x):
        return torch.cat([super().forward(x)[:, :5], super().forward(x)[:, 5:]], 1)
"""


def test_a_module_is_written_as_the_spec_that_equals_it(cli, tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    answer = cli("archs", "translate", f"{tmp_path / 'nets.py'}:Net(width=12)")
    assert answer.code == 0
    assert answer.out == "c12b0r p2 gap fc10\n"
    assert "log_softmax at the end is left out" in answer.err
    assert "old.weight, old.bias: not used by forward" in answer.err
    found = cli("archs", "translate", f"{tmp_path / 'nets.py'}:Net", "--json").json
    assert (found["spec"], found["obstacles"]) == ("c8b0r p2 gap fc10", [])
    assert found["total_params"] == cli("archs", "show", found["spec"], "--json").json["total_params"] == 178
    assert len(found["notes"]) == 2


def test_of_one_that_equals_no_spec_the_layers_that_have_none_are_named(cli, tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    arch = f"{tmp_path / 'nets.py'}:Twice"
    found = cli("archs", "translate", arch, "--json").json
    assert found["spec"] is None
    assert any("nets.py:20: cat" in line for line in found["obstacles"])
    shown = cli("archs", "translate", arch)
    assert shown.code == 0
    assert shown.out.splitlines() == [
        "No spec equals nets.py:Twice. What stands in the way:",
        *(f"  {line}" for line in found["obstacles"]),
    ]


def test_only_modules_of_ones_own_are_translated(cli, refused):
    refused(cli("archs", "translate", "conv9"), 2, "conv9", "module of your own")
