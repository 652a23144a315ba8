"""Functions of torch that its documentation does not promise, all in one place.

Each is here for the time it saves in a training step, or because torch tells in no other way what somebody has set, and
does what its docstring says, no more. A later version of
torch may change any of them without a word: `tests/core/device/test_torch_private.py` holds each against plain
arithmetic and names the one that is no longer what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _device
from torch.utils._python_dispatch import TorchDispatchMode as TorchDispatchMode
from torch.utils._pytree import tree_flatten as tree_flatten

PRINT_OPTIONS = torch._tensor_str.PRINT_OPTS
"""How tensors are printed, which `torch.set_printoptions` sets and nothing tells."""


def set_gradients(on: bool) -> None:
    """Record gradients from now on or not, as `torch.set_grad_enabled` does for a block."""
    torch._C._set_grad_enabled(on)


def default_device() -> torch.device | None:
    """What `torch.set_default_device` has set; None where nobody has."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def makes_tensors(function: Callable[..., Any]) -> bool:
    """Whether a function of torch makes tensors on the default device."""
    return function in _device._device_constructors()


def has_fused_steps(device: torch.device) -> bool:
    """Whether the fused steps of optimizers are known to work on a device."""
    return device.type in ("cpu", "cuda")


def fused_sgd(
    parameters: list[Tensor],
    gradients: list[Tensor],
    buffers: list[Tensor],
    *,
    lr: Tensor,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """The step of `torch.optim.SGD`, in place, on parameters and momentum `buffers` (empty where momentum is 0).

    For parameters of one type on one device. torch's optimizers are not used, because making the first one imports its
    compiler, for which a run would wait a second; nor the functions behind them, which take longer to find a kernel
    than it runs on a CPU. The buffers exist before the first step, as zeros; torch would make them in it, to the same
    effect.

    Args:
        lr: (1,), read on the device, so that a recorded step sees it change.
    """
    torch._fused_sgd_(
        parameters,
        gradients,
        buffers,
        lr=lr,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        dampening=0.0,
        maximize=False,
        is_first_step=False,
    )


def fused_adam(
    parameters: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    steps: list[Tensor],
    *,
    lr: Tensor,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """The step of `torch.optim.Adam`, or with `decoupled` of `AdamW`, in place, for parameters as in `fused_sgd`.

    Args:
        means: of the gradients, zeros before the first step.
        squares: means of their squares, likewise.
        steps: () float32, for each parameter the number of its steps, this one included.
        lr: (1,), read on the device.
    """
    step = torch._fused_adamw_ if decoupled else torch._fused_adam_
    step(
        parameters,
        gradients,
        means,
        squares,
        [],
        steps,
        lr=lr,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=weight_decay,
        eps=eps,
        amsgrad=False,
        maximize=False,
    )


def add_to_each(tensors: Sequence[Tensor], addends: Sequence[Tensor] | float, factor: float = 1.0) -> None:
    """tensors[i] += factor * addends[i], or one number; on a GPU by one kernel, as are the following ones."""
    if isinstance(addends, float):
        torch._foreach_add_(list(tensors), addends)
    else:
        torch._foreach_add_(list(tensors), list(addends), alpha=factor)


def count_each(counters: Sequence[Tensor]) -> None:
    """counters[i] += 1."""
    torch._foreach_add_(list(counters), 1)


def sums_of_each(tensors: Sequence[Tensor], others: Sequence[Tensor], factor: float) -> list[Tensor]:
    """tensors[i] + factor * others[i], as new tensors."""
    return list(torch._foreach_add(list(tensors), list(others), alpha=factor))


def multiply_each(tensors: Sequence[Tensor], factor: float | Tensor) -> None:
    """tensors[i] *= factor, which may be a tensor ()."""
    torch._foreach_mul_(list(tensors), factor)


def products_of_each(tensors: Sequence[Tensor], factor: float | Tensor) -> list[Tensor]:
    """tensors[i] * factor, as new tensors; the factor may be a tensor ()."""
    return list(torch._foreach_mul(list(tensors), factor))


def add_products_to_each(
    tensors: Sequence[Tensor], ones: Sequence[Tensor], others: Sequence[Tensor], factor: float
) -> None:
    """tensors[i] += factor * ones[i] * others[i]."""
    torch._foreach_addcmul_(list(tensors), list(ones), list(others), value=factor)


def add_quotients_to_each(tensors: Sequence[Tensor], ones: Sequence[Tensor], others: Sequence[Tensor]) -> None:
    """tensors[i] += ones[i] / others[i]."""
    torch._foreach_addcdiv_(list(tensors), list(ones), list(others))


def quotients_of_each(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """tensors[i] / others[i], as new tensors."""
    return list(torch._foreach_div(list(tensors), list(others)))


def roots_of_each(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The square roots of each, as new tensors."""
    return list(torch._foreach_sqrt(list(tensors)))


def norms_of_each(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The Euclidean norm () of each."""
    return list(torch._foreach_norm(list(tensors)))


def signs_of_each(tensors: Sequence[Tensor]) -> list[Tensor]:
    """-1, 0 or 1 for each number, as new tensors."""
    return list(torch._foreach_sign(list(tensors)))


def lerp_each(tensors: Sequence[Tensor], ends: Sequence[Tensor], weights: Sequence[Tensor] | Tensor | float) -> None:
    """tensors[i] += weights[i] * (ends[i] - tensors[i]); a weight is a tensor of one number, or one is for all."""
    if isinstance(weights, float):
        torch._foreach_lerp_(list(tensors), list(ends), weights)
    else:
        of_each = [weights.to(one.dtype) for one in tensors] if isinstance(weights, Tensor) else list(weights)
        torch._foreach_lerp_(list(tensors), list(ends), of_each)


def copy_to_each(tensors: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """tensors[i] becomes sources[i]."""
    torch._foreach_copy_(list(tensors), list(sources))


def convolution_gradients(gradient: Tensor, x: Tensor, shape: Sequence[int], padding: int) -> tuple[Tensor, Tensor]:
    """The gradients of weights (O, I, H, W) and bias (O,) from that of the output of a convolution of x with stride 1.

    Unlike `torch.nn.grad.conv2d_weight` it finds both at once.

    Args:
        shape: of the weights.
        padding: zeros by which the rows of x are longer at either end in the convolution.
    """
    found = torch.ops.aten.convolution_backward(
        gradient,
        x,
        gradient.new_empty(shape),
        [shape[0]],
        stride=[1, 1],
        padding=[0, padding],
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=1,
        output_mask=[False, True, True],
    )
    return found[1], found[2]


def column_statistics(rows: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the (biased) variance of each column of rows (N, C), in the type of `like` (C,)."""
    # Statistics that it would update, and with a momentum of 0 leaves as they are, tell it in which type to compute.
    found: tuple[Tensor, Tensor] = torch.ops.aten.batch_norm_update_stats(
        rows, like.new_zeros(rows.shape[1]), like.new_ones(rows.shape[1]), momentum=0.0
    )
    return found


def scaled_columns(rows: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """rows * scale + offset for rows (N, C) and, in higher precision, scale and offset (C,); rounded once."""
    # A normalisation with a mean of 0 and a deviation of 1.
    found: tuple[Tensor, ...] = torch.native_batch_norm(
        rows,
        scale,
        offset,
        torch.zeros_like(scale),
        torch.ones_like(scale),
        training=False,
        momentum=0.0,
        eps=0.0,
    )
    return found[0]


def scaled_columns_backward(
    gradient: Tensor, rows: Tensor, scale: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of rows (N, C), scale and offset in (rows - mean) * scale + offset, from that of the result.

    The two sums (C,), over gradient * (rows - mean) and over the gradient, take one pass together.
    """
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        gradient,
        rows,
        weight=scale,
        running_mean=mean,
        running_var=torch.ones_like(mean),
        save_mean=None,
        save_invstd=None,
        train=False,
        eps=0.0,
        output_mask=[True, True, True],
    )
    return found
