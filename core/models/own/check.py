"""Whether a module of one's own can be trained here."""

from __future__ import annotations

import torch

from core.errors import InvalidValue
from core.models.build import check_output, count_parameters
from core.models.own.blame import blaming
from core.models.own.copying import copy_module
from core.models.own.lazy import has_lazy_layers, make_lazy_layers
from core.models.own.load import OwnModule
from core.models.own.seeding import only_our_seeds
from core.task import MNIST_TASK, ImageTask


def check_own_module(own: OwnModule, task: ImageTask = MNIST_TASK) -> None:
    """Raise `InvalidValue` when a module does not map images to a logit for each class, has nothing to train, or is one
    of TorchScript, which takes no hooks.

    Lazy layers learn their sizes from its input, and draw their initial weights. Otherwise the module and torch's
    random state are left as they are.
    """
    model, arch, name = own.module, str(own.reference), own.reference.name
    scripted = next((path for path, part in model.named_modules() if isinstance(part, torch.jit.ScriptModule)), None)
    if scripted is not None:
        problem = f"{f'{name}: {scripted}' if scripted else name} is made by torch.jit, and its layers cannot be seen"
        raise InvalidValue("arch", arch, problem, hint="name the module that torch.jit was given")
    with blaming(arch, own.files, f"{name}'s forward raised", task):
        if has_lazy_layers(model):
            with only_our_seeds():
                make_lazy_layers(model, task)
        with torch.random.fork_rng(devices=[]):
            # A copy, so that a forward pass that changes the module's state leaves the one to train as it was made.
            problem = check_output(copy_module(model), task)
    if has_lazy_layers(model):
        problem = f"{name} has lazy layers that its forward does not use, so their parameters cannot be counted"
    if problem:
        raise InvalidValue("arch", arch, problem, hint=task.forward)
    if not count_parameters(model, trainable_only=True):
        raise InvalidValue("arch", arch, f"{name} has no trainable parameters", hint="there is nothing to train")
