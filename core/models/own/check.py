"""Whether a module of one's own can be trained here."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import nn

from core.advice import Advice
from core.errors import InvalidValue
from core.models.build import check_output, count_parameters
from core.models.own.blame import blaming
from core.models.own.copying import copy_module
from core.models.own.lazy import has_lazy_layers, make_lazy_layers
from core.models.own.load import OwnModule
from core.models.own.seeding import only_our_seeds
from core.models.own.weights import WeightsInUse
from core.task import MNIST_TASK, ImageTask


def check_own_module(own: OwnModule, task: ImageTask = MNIST_TASK) -> None:
    """Raise `InvalidValue` when a module does not map images to a logit for each class, has nothing to train, computes
    with weights that are not its own, or is one of TorchScript, which takes no hooks.

    Lazy layers learn their sizes from its input, and draw their initial weights; so do those that a first forward pass
    makes. Otherwise the module and torch's random state are left as they are.
    """
    model, arch, name = own.module, str(own.reference), own.reference.name
    scripted = next((path for path, part in model.named_modules() if isinstance(part, torch.jit.ScriptModule)), None)
    if scripted is not None:
        problem = f"{f'{name}: {scripted}' if scripted else name} is made by torch.jit, and its layers cannot be seen"
        raise InvalidValue("arch", arch, problem, hint="name the module that torch.jit was given")
    try:
        weights = _check_forward(own, task)
    except InvalidValue as error:
        if fitting := _made_for(model, task):
            error.advice = Advice.of(fitting)
        raise
    if foreign := weights.problem():
        what, instead = foreign
        raise InvalidValue("arch", arch, f"{name}: {what}", hint=instead)
    if has_lazy_layers(model):
        problem = f"{name} has lazy layers that its forward does not use, so their parameters cannot be counted"
        raise InvalidValue("arch", arch, problem, hint=task.forward)
    if not count_parameters(model, trainable_only=True):
        raise InvalidValue("arch", arch, f"{name} has no trainable parameters", hint="there is nothing to train")


def _check_forward(own: OwnModule, task: ImageTask) -> WeightsInUse:
    """The weights that a forward pass uses; lazy layers, and those that the first pass makes, are there afterwards."""
    model, arch, name = own.module, str(own.reference), own.reference.name
    with blaming(arch, own.files, f"{name}'s forward raised", task):
        if has_lazy_layers(model):
            with only_our_seeds():
                make_lazy_layers(model, task)
        problem, weights = _tried(model, task)
        if weights.new and not problem:
            with only_our_seeds():
                make_lazy_layers(model, task)
            problem, weights = _tried(model, task)
    if problem:
        raise InvalidValue("arch", arch, problem, hint=task.forward)
    return weights


def _tried(model: nn.Module, task: ImageTask) -> tuple[str, WeightsInUse]:
    """What is wrong with a module's output, and the weights in use; a copy is tried, and the module left as it is."""
    copy = copy_module(model)
    with torch.random.fork_rng(devices=[]), WeightsInUse(copy) as weights:
        return check_output(copy, task), weights


def _made_for(model: nn.Module, task: ImageTask) -> str:
    """How a network that takes images in another form than they come in is made to fit; empty where none fits."""
    size, margin = task.size, (32 - task.size) // 2
    ways = {
        (size * size,): f"it takes rows of {size * size} values: begin forward with x = x.flatten(1)",
        (size, size): "it takes images without a channel: begin forward with x = x.squeeze(1)",
        (3, size, size): "it takes three colours: begin forward with x = x.expand(-1, 3, -1, -1)",
    }
    if margin > 0:
        ways[1, 32, 32] = f"it takes 32x32 pixels: begin forward with x = F.pad(x, [{margin}] * 4)"
        ways[3, 32, 32] = (
            f"it takes 32x32 pixels in colour: x = F.pad(x, [{margin}] * 4).expand(-1, 3, -1, -1) comes first"
        )
    for shape, way in ways.items():
        with suppress(Exception, SystemExit, KeyboardInterrupt), torch.random.fork_rng(devices=[]), torch.no_grad():
            if copy_module(model).eval()(torch.zeros(2, *shape)).shape == (2, task.classes):
                return way
    return ""
