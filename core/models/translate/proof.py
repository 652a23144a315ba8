"""Holds the network of a spec against the module that it is said to equal."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.task import MNIST_TASK, ImageTask

TOLERANCE = 1e-9
"""In float64, relative to the largest value, of gradients to the largest of all. What is computed in another order
differs by about 1e-14."""

ATTEMPTS = 3
TRAINING = (2, 5)
SCORING = (4, 1)
"""Images in the batches that are compared."""

_DROPOUTS = frozenset(
    {"dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout"}
)


class WithoutDropout(TorchFunctionMode):
    """Within the block no dropout drops anything, and what makes float32 of its input, which a run's images are
    anyway, leaves it as it is."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = [*args, *(kwargs or {}).values()]
        to_float32 = func.__name__ in ("to", "type") and any(value is torch.float32 for value in given[1:])
        if func.__name__ == "float" or to_float32:
            return given[0]
        if func.__name__ in _DROPOUTS:
            in_place = func.__name__.endswith("_") or bool((kwargs or {}).get("inplace"))
            return given[0] if in_place else given[0].clone()
        return func(*args, **(kwargs or {}))


def difference(module: nn.Module, twin: nn.Module, *, log_softmax: bool, task: ImageTask = MNIST_TASK) -> str:
    """As `_difference`; what differs has done so with several sets of weights. With a single one, the slope of a ReLU
    or the choice of a maximum may hang on a rounding error."""
    for seed in range(ATTEMPTS):
        if not (reason := _difference(module, twin, log_softmax, task, torch.Generator().manual_seed(seed))):
            break
    return reason


def _difference(
    module: nn.Module, twin: nn.Module, log_softmax: bool, task: ImageTask, generator: torch.Generator
) -> str:
    """What differs between a module and the network that has its very tensors; empty when nothing does.

    Compares outputs, gradients of parameters and images, and running statistics, in training and in evaluation mode,
    on batches of several sizes, with weights other than the initial ones, among which are often zeros and ones.

    Args:
        module: in float64; its weights are changed.
        log_softmax: whether the module's outputs are those of the network after a log_softmax.
    """
    _scatter(module, generator)
    for training, sizes in ((True, TRAINING), (False, SCORING)):
        for size in sizes:
            images = torch.randn(size, 1, task.size, task.size, generator=generator, dtype=torch.float64) * 1.5
            weights = torch.randn(size, task.classes, generator=generator, dtype=torch.float64)
            before = [buffer.clone() for buffer in module.buffers()]
            if size == 1 and not _takes_one(module, images, task.classes):
                continue
            found = _results(module, module, images, weights, training=training)
            for buffer, value in zip(module.buffers(), before, strict=True):
                buffer.copy_(value)
            expected = _results(twin, module, images, weights, training=training, log_softmax=log_softmax)
            # That of a bias before a norm is nothing but what others leave when they cancel out.
            largest = max(_size(value) for what, value in expected.items() if "gradient" in what)
            for what, wanted in expected.items():
                if not _close(found[what], wanted, largest if "gradient" in what else _size(wanted)):
                    mode = "training" if training else "evaluation"
                    return f"{what} differs, for {size} images in {mode} mode"
    return ""


def _takes_one(module: nn.Module, image: Tensor, classes: int) -> bool:
    """Whether a module scores a single image (1, 1, S, S), as one that squeezes its output does not."""
    module.eval()
    try:
        with torch.no_grad():
            return bool(module(image).shape == (1, classes))
    except (RuntimeError, IndexError):
        return False


def _results(
    network: nn.Module,
    owner: nn.Module,
    images: Tensor,
    weights: Tensor,
    *,
    training: bool,
    log_softmax: bool = False,
) -> dict[str, Tensor | None]:
    """Outputs and buffers, and in training gradients, of a network with the owner's tensors."""
    images = images.clone().requires_grad_()
    owner.train(training)
    network.train(training)
    owner.zero_grad(set_to_none=True)
    with torch.set_grad_enabled(training), WithoutDropout():
        output = network(images)
        if log_softmax:
            output = output.log_softmax(1)
    if training:
        (output * weights).sum().backward()
    found: dict[str, Tensor | None] = {"the output": output.detach(), "the gradient of the images": images.grad}
    found |= {f"the gradient of {name}": parameter.grad for name, parameter in owner.named_parameters()}
    return found | {name: buffer.clone() for name, buffer in owner.named_buffers()}


def _size(tensor: Tensor | None) -> float:
    return float(tensor.abs().max()) if tensor is not None and tensor.numel() else 0.0


def _close(found: Tensor | None, expected: Tensor | None, size: float) -> bool:
    if found is None or expected is None:
        # A layer without effect may have a gradient of zeros, or none.
        return all(one is None or not one.any() for one in (found, expected))
    return found.shape == expected.shape and _size(found - expected) <= TOLERANCE * (1 + size)


@torch.no_grad()
def _scatter(module: nn.Module, generator: torch.Generator) -> None:
    """Move all weights and running statistics away from values at which one layer does what another would."""

    def noise(tensor: Tensor) -> Tensor:
        return torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)

    for parameter in module.parameters():
        parameter.add_(noise(parameter), alpha=0.1)
    for name, buffer in module.named_buffers():
        if buffer.is_floating_point():
            buffer.add_(noise(buffer).abs() if name.endswith("var") else noise(buffer), alpha=0.2)


def random_states() -> tuple[object, ...]:
    """The states of the random numbers of torch, Python and numpy (where it is loaded), which can be compared."""
    numpy = sys.modules.get("numpy")
    of_numpy = () if numpy is None else numpy.random.get_state()
    return (
        tuple(torch.get_rng_state().tolist()),
        random.getstate(),
        *(tuple(part.tolist()) if hasattr(part, "tolist") else part for part in of_numpy),
    )
