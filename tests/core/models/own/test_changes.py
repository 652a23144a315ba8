"""What changes a network after it has been made is run, in whatever form; what only uses it is not."""

from __future__ import annotations

import pytest
from torch import nn

from core.errors import InvalidValue

PLAIN = """
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
net = Net()
"""
INIT = "def init(layer):\n    if isinstance(layer, nn.Linear):\n        nn.init.zeros_(layer.bias)\n"

ZEROED = {
    "modules": "for m in net.modules():\n    if hasattr(m, 'bias'):\n        nn.init.zeros_(m.bias)",
    "named parameters": "for name, p in net.named_parameters():\n    if 'bias' in name:\n        p.data.zero_()",
    "enumerated": "for at, m in enumerate(net):\n    if at:\n        m.bias.data.zero_()",
    "in pairs": "for m, value in zip(net, [1, 0.0]):\n    if value == 0:\n        nn.init.constant_(m.bias, value)",
    "loops in loops": "for m in net:\n    for p in m.parameters():\n        p.data.zero_()",
    "another name in a loop": "for m in list(net)[1:]:\n    b = m.bias\n    nn.init.zeros_(b)",
    "lists": "for p in [*net[0].parameters()] + list(net[1].parameters()):\n    p.data.zero_()",
    "a chain": "from itertools import chain\nfor p in chain(net[0].parameters(), net[1].parameters()):\n"
    "    p.data.zero_()",
    "a filter": "for m in filter(lambda m: isinstance(m, nn.Linear), net):\n    m.bias.data.zero_()",
    "a comprehension": "[nn.init.zeros_(m.bias) for m in net if isinstance(m, nn.Linear)]",
    "a list made before": "linear = [m for m in net if isinstance(m, nn.Linear)]\n"
    "for m in linear:\n    m.bias.data.zero_()",
    "another name": "layer = net[1]\nnn.init.zeros_(layer.bias)",
    "a name of a name": "layer = net[1]\nbias = layer.bias.data\nbias.zero_()",
    "two names at once": "first, second = net[0], net[1]\nnn.init.zeros_(second.bias)",
    "the rest of them": "first, *rest = net.children()\nrest[0].bias.data.zero_()",
    "added to": "bias = net[1].bias\nwith torch.no_grad():\n    bias -= bias",
    "a table of names": "table = dict(net.named_parameters())\ntable['1.bias'].data.zero_()",
    "its state": "state = net.state_dict()\nstate['1.bias'].zero_()",
    "the first of them": "next(net[1].parameters()).data.zero_()\nnext(reversed(list(net))).bias.data.zero_()",
    "by its text": "getattr(net, '1').bias.data.zero_()",
    "the same moved": "model = net.to('cpu').train()\nmodel[1].bias.data.zero_()",
    "a result that is kept": "bias = nn.init.zeros_(net[1].bias)",
    "a result that is thrown away": f"{INIT}_ = net.apply(init)",
    "an argument with its name": "nn.init.zeros_(tensor=net[1].bias)",
    "where a result goes": "torch.zeros(10, out=net[1].bias.data)",
    "a function in a loop": f"{INIT}for m in net.modules():\n    init(m)",
    "a function, of another name": f"{INIT}layer = net[1]\ninit(layer)",
    "a function, by keyword": f"{INIT}init(layer=net[1])",
    "a function that tells what it does": "@torch.no_grad()\ndef init(net):\n    net[1].bias.zero_()\n"
    "    print('done')\ninit(net)",
    "a function of the file's network": "def init():\n    for m in net:\n        if hasattr(m, 'bias'):\n"
    "            nn.init.zeros_(m.bias)\ninit()",
    "weights that are loaded": "state = {'1.weight': torch.ones(10, 784), '1.bias': torch.zeros(10)}\n"
    "told = net.load_state_dict(state)",
    "a vector": "nn.utils.vector_to_parameters(torch.zeros(7850), net.parameters())",
}


@pytest.mark.parametrize("form", ZEROED)
def test_what_changes_the_weights_of_a_network_is_run(form, file, load):
    assert not load(file(PLAIN + ZEROED[form]), "net")[1].bias.any()


HALVED = {
    "in a block": "with torch.no_grad():\n    for p in net.parameters():\n        p.mul_(0.5)",
    "by an operator": "with torch.no_grad():\n    for p in net.parameters():\n        p *= 0.5",
    "in a function": "def halve(net):\n    with torch.no_grad():\n        for p in net.parameters():\n"
    "            p *= 0.5\nhalve(net)",
}


@pytest.mark.parametrize("form", HALVED)
def test_what_scales_the_weights_of_a_network_is_run_once(form, file, load):
    before, after = (load(file(PLAIN + more), "net")[1].weight for more in ("", HALVED[form]))
    assert after.equal(before / 2)


FROZEN = {
    "in a loop": "for p in net.parameters(): p.requires_grad = False",
    "those of a layer": "for p in net[1].parameters(): p.requires_grad = False",
    "a literal list": "for p in (net[1].weight, net[1].bias): p.requires_grad_(False)",
    "by setattr": "for p in net.parameters(): setattr(p, 'requires_grad', False)",
    "in a try": "try:\n    for p in net.parameters():\n        p.requires_grad = False\nfinally:\n    pass",
    "in the main block": "if __name__ == '__main__':\n    for p in net.parameters():\n        p.requires_grad = False",
    "and told": "for name, p in net.named_parameters():\n    print(name)\n    p.requires_grad = False",
}


@pytest.mark.parametrize("form", FROZEN)
def test_what_freezes_a_network_is_run(form, file, load):
    assert not any(p.requires_grad for p in load(file(PLAIN + FROZEN[form]), "net").parameters())


NORMED = {
    "by its full name": "nn.utils.parametrizations.weight_norm(net[1])",
    "by torch's": "torch.nn.utils.parametrizations.orthogonal(net[1])",
    "by keyword": "nn.utils.parametrizations.weight_norm(module=net[1])",
    "imported": "from torch.nn.utils.parametrizations import weight_norm\nweight_norm(net[1])",
    "its module imported": "from torch.nn.utils import parametrizations\nparametrizations.spectral_norm(net[1])",
    "under another name": "import torch.nn.utils.parametrizations as P\nlayer = net[1]\nP.weight_norm(layer)",
    "in a loop": "for m in net:\n    if isinstance(m, nn.Linear):\n        nn.utils.parametrizations.weight_norm(m)",
    "and kept": "layer = nn.utils.parametrizations.weight_norm(net[1])",
}


@pytest.mark.parametrize("form", NORMED)
def test_what_parametrises_a_layer_is_run(form, file, load):
    assert nn.utils.parametrize.is_parametrized(load(file(PLAIN + NORMED[form]), "net")[1])


LOADER = """
class Loader:
    def __iter__(self):
        RAN
        yield torch.zeros(2, 1, 28, 28), torch.zeros(2)
loader = Loader()
"""
RAN = "__import__('pathlib').Path(__file__).with_name('ran').touch()"
USES = {
    "training": "opt = torch.optim.SGD(net.parameters(), 0.1)\nfor epoch in range(2):\n    RAN\n    opt.step()",
    "training by a function": "def train(net, loader, opt):\n    net.train()\n    for x, y in loader:\n"
    "        net(x).sum().backward()\n        opt.step()\nopt = torch.optim.SGD(net.parameters(), 0.1)\n"
    "for epoch in range(3):\n    train(net, loader, opt)",
    "training by hand": "net(torch.zeros(2, 1, 28, 28)).sum().backward()\nwith torch.no_grad():\n"
    "    for p in net.parameters():\n        RAN\n        p -= 0.1 * p.grad",
    "clearing gradients": "for p in net.parameters():\n    RAN\n    p.grad = None",
    "clipping": "nn.utils.clip_grad_norm_(net.parameters(), RAN or 1.0)",
    "data that are changed": "for at, (x, y) in enumerate(loader):\n    x.mul_(2)\n    net(x)",
    "scoring": "def score(net, loader):\n    net.eval()\n    right = 0\n    with torch.no_grad():\n"
    "        for x, y in loader:\n            x, y = x.to('cpu'), y.to('cpu')\n"
    "            right += (net(x).argmax(1) == y).sum()\n    right /= 2\n    return right\n"
    "score(net, loader)\nfor epoch in range(2):\n    score(net, loader)",
    "looking": "def look(net):\n    RAN\n    return net(torch.zeros(2, 1, 28, 28))\nfor _ in range(2):\n    look(net)",
    "a plot": "axes = [RAN]\nfor axis, p in zip(axes, net.parameters()):\n    axis.plot(p.detach())",
    "a list of means": "means = []\nfor p in net.parameters():\n    RAN\n    means.append(p.mean())",
    "counting": "total = 0\nfor p in net.parameters():\n    RAN\n    total += p.numel()",
    "what it gives": "images = [RAN]\nout = net(torch.zeros(len(images), 1, 28, 28))\nout.squeeze_()",
    "an object that has it": "class Trainer:\n    def __init__(self, net):\n        RAN\n    def setup(self):\n"
    "        RAN\ntrainer = Trainer(net)\ntrainer.setup()\nfor batch in Trainer(net).batches():\n    batch.mul_(2)",
    "a copy": "import copy\nmean = copy.deepcopy(net)\nfor m, p in zip(mean.parameters(), net.parameters()):\n    RAN\n"
    "    m.data.mul_(0.9).add_(p.data)",
    "a name that is another's now": "layer = net[1]\nlayer = [1]\nlayer.append(RAN)",
}


@pytest.mark.parametrize("kind", USES)
def test_what_only_uses_a_network_is_not_run(kind, file, load):
    path = file(PLAIN + (LOADER + USES[kind]).replace("RAN", RAN))
    assert load(path, "net")[1].out_features == 10
    assert not path.with_name("ran").exists()


def test_a_loop_that_fails_to_change_the_network_is_told_by_who_names_it(file, load, presentable):
    path = file(f"{PLAIN}other = Net()\nfor m in net.modules():\n    nn.init.zeros_(m.weight)\n")
    assert load(path, "other")[1].weight.any()
    with pytest.raises(InvalidValue) as caught:
        load(path, "net")
    presentable(
        caught.value.message, "net.py:11: nn.init.zeros_(m.weight): AttributeError", "has no attribute 'weight'"
    )
