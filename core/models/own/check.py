"""Whether a module of one's own can be trained here."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch.nn.parameter import UninitializedParameter

from core.errors import InvalidValue
from core.models.build import check_output, count_parameters
from core.models.own.blame import blaming
from core.models.own.load import OwnModule


def check_own_module(own: OwnModule) -> None:
    """Raise `InvalidValue` when a module does not map images to 10 logits, or has nothing to train.

    The module and torch's random state are left as they are.
    """
    model, arch, name = own.module, str(own.reference), own.reference.name
    with blaming(arch, own.files, f"{name}'s forward raised"), torch.random.fork_rng(devices=[]):
        # A copy, so that a forward pass that changes the module's state leaves the one to be trained as it was made.
        problem = check_output(deepcopy(model))
    if any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
        problem = f"{name} has lazy layers, whose parameters nobody can count"
    if problem:
        raise InvalidValue("arch", arch, problem, hint="forward takes (N, 1, 28, 28) and returns logits (N, 10)")
    if not count_parameters(model, trainable_only=True):
        raise InvalidValue("arch", arch, f"{name} has no trainable parameters", hint="there is nothing to train")
