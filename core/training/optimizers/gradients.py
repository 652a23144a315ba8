"""What is done to gradients before an optimizer takes its step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.device.torch_private import add_to_each, signs_of_each


def add_l1(parameters: Sequence[Tensor], factor: float) -> None:
    """Add the gradient of factor * |parameter|, which is taken as 0 at 0, to each gradient that there is.

    It is a part of the loss, so it comes before gradients are clipped.
    """
    moved = [one for one in parameters if one.grad is not None]
    if moved:
        add_to_each([one.grad for one in moved if one.grad is not None], signs_of_each(moved), factor)


def clip_norm(parameters: Sequence[Tensor], largest: float, copies: int = 0) -> None:
    """Scale the gradients down to a common norm, as `torch.nn.utils.clip_grad_norm_` does; nothing is read back.

    Args:
        copies: where the parameters are those of several networks, each of which has a norm of its own.
    """
    if not copies:
        nn.utils.clip_grad_norm_(parameters, largest)
        return
    gradients = [one.grad.view(copies, -1) for one in parameters if one.grad is not None]
    if gradients:
        norms = torch.stack([torch.linalg.vector_norm(one, dim=1) for one in gradients])
        share = (largest / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0).view(copies, 1)
        for one in gradients:
            one.mul_(share)
