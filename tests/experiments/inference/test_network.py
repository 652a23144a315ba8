"""A run's network comes back from its folder with the weights it stored, or it is said why not."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.advice import Action, Tip
from core.data.loader import Loader
from core.errors import InvalidValue, RunError
from core.inspection.activations import layer_statistics
from experiments.execution.runner import Runner
from experiments.inference.network import load_network, read_weights

MODULE = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(784, 10)
    def forward(self, x):
        return self.layer(x.flatten(1))
"""


def test_the_network_predicts_what_the_run_did_and_leaves_chance_alone(finished, locations):
    before = torch.get_rng_state()
    network = load_network(finished)
    assert torch.equal(torch.get_rng_state(), before)
    images = Loader(locations.data, locations.cache).load("mnist-5k").test_images[:200]
    probabilities = network.probabilities(images)
    assert probabilities.argmax(1).tolist() == finished.load_predictions().final.tolist()
    assert torch.allclose(probabilities.sum(1), torch.ones(200))
    assert (network.source, network.epoch, network.module.training) == ("final", 2, False)
    assert network.summary.total_params == finished.row().total_params


def test_each_kind_of_weights_can_be_had(finished):
    for source, path in (("final", finished.final_weights), ("best", finished.best_weights)):
        network = load_network(finished, source)
        stored = load_file(path)
        assert network.source == source
        assert stored.keys() == network.weights.keys()
        assert all(torch.equal(stored[name], tensor) for name, tensor in network.module.state_dict().items())
    live = load_network(finished, "checkpoint")
    assert live.epoch == 2
    assert all(torch.equal(tensor, live.weights[name]) for name, tensor in load_file(finished.final_weights).items())


def test_without_final_weights_the_best_are_taken_and_without_any_it_is_said(finished):
    finished.final_weights.unlink()
    assert load_network(finished).source == "best"
    with pytest.raises(RunError, match=f"run {finished.id} has no final weights"):
        load_network(finished, "final")
    finished.best_weights.unlink()
    with pytest.raises(RunError, match="has no weights") as caught:
        load_network(finished)
    assert Tip(Action.RESUME, finished.id) in caught.value.advice.parts


def test_with_a_moving_average_that_is_the_network(locations, tiny):
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny.changed(ema=True)))[-1].run_id)
    live, final = load_network(run, "checkpoint"), load_network(run, "final")
    assert all(torch.equal(tensor, live.weights[name]) for name, tensor in final.weights.items())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.pop("Linear-7.bias"), "Linear-7.bias"),
        (lambda w: w.update(more=torch.zeros(1)), "more"),
        (lambda w: w.update({"Linear-7.bias": torch.zeros(11)}), "Linear-7.bias"),
        (lambda w: w.update({"Linear-7.bias": torch.zeros(10, dtype=torch.float64)}), "float64"),
        (lambda w: w["Linear-7.bias"].fill_(torch.nan), "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_damage(finished, change, reason):
    weights = load_file(finished.final_weights)
    change(weights)
    save_file(weights, finished.final_weights)
    with pytest.raises(RunError, match="do not fit") as caught:
        load_network(finished, "final")
    assert reason in caught.value.message


def test_a_module_of_ones_own_is_run_only_when_named_again(finished, locations, tiny, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(MODULE)
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny.changed(arch=f"{path}:Net")))[-1].run_id)
    with pytest.raises(InvalidValue, match="module of your own") as caught:
        load_network(run)
    assert Tip(Action.OPTION, "arch", f"{path}:Net") in caught.value.advice.parts
    before = torch.get_rng_state()
    network = load_network(run, arch=f"{path}:Net")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(network.module.layer.bias, read_weights(run, "final")[1]["layer.bias"])
    with pytest.raises(InvalidValue, match="the run's network is"):
        load_network(finished, arch=f"{path}:Net")


def test_a_run_without_a_config_is_damaged(finished):
    (finished.folder / "config.json").unlink()
    with pytest.raises(RunError, match="damaged"):
        load_network(finished)
    shutil.rmtree(finished.folder)
    with pytest.raises(RunError):
        load_network(finished)


VIEWING = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 5, stride=3), nn.Conv2d(4, 10, 8)
    def forward(self, x):
        x = self.conv(x)
        return self.head(x.view(-1, 4 * 8 * 8).reshape(x.shape)).squeeze()
"""


def test_a_module_that_needs_contiguous_tensors_is_scored_inspected_and_given_single_images(locations, tiny, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(VIEWING)
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny.changed(arch=f"{path}:Net")))[-1].run_id)
    network = load_network(run, arch=f"{path}:Net")
    assert network.pixels.memory_format is torch.contiguous_format
    images = torch.randint(0, 256, (501, 28, 28), dtype=torch.uint8)
    logits = network.logits(images)
    assert logits.shape == (501, 10)  # batches of 500, and one that squeeze() takes a dimension too many of
    torch.testing.assert_close(network.logits(images[500:]), logits[500:])
    pixels = network.pixels(images[:2])
    statistics = layer_statistics(network.module, images[:2], torch.tensor([1, 2]), network.pixels, lambda: "")
    assert [layer.name for layer in statistics] == ["conv", "head"]
    torch.testing.assert_close(network.module(pixels), logits[:2])
