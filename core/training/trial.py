"""A trial of somebody's own module before its run: does it train, and in which memory format.

Networks here compute in channels_last, which is faster for convolutions. A module that views its activations as another
shape may be able to do so in contiguous memory alone, as it is in a script; or give something else. So copies of it
make one step of training on each size of batch that the run will have, and score some, in both formats.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.advice import Action, Hint, Tip
from core.config import Precision, TrainConfig
from core.device.device import float32_products, mixed
from core.device.random_state import ScriptNumbers, random_state, restore_random_state
from core.errors import InvalidValue, one_line
from core.models.own.blame import blame, way_out
from core.models.own.copying import copy_module
from core.models.own.isolation import isolated
from core.task import MNIST_TASK, ImageTask
from core.training.evaluate import Pixels
from core.training.failures import is_out_of_memory, one_image
from core.training.unsaved import unsaved_note, unsaved_state

_TRACED = re.compile(r'File "([^"]+)", line (\d+), in \S+\n +(.*)')

Outcome = dict[str, Tensor]
"""Logits and gradients by name."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the batches that a module will be given: in training, when it is scored, and in evaluation mode
    where gradients are wanted."""

    trained: Sequence[int] = ()
    scored: Sequence[int] = ()
    inspected: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """`memory_format` is the one to compute in; `notes` are sentences for the run's record, and `in_use` the names of
    the parameters in the order in which the forward pass uses them."""

    memory_format: torch.memory_format
    notes: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()


@dataclass(slots=True)
class _Attempt:
    """What a copy has done: its outcome, and where it failed, the error, its stage and its batch.

    `last_first` names its parameters in the order in which they got their gradients: first what is used last.
    """

    outcome: Outcome = field(default_factory=dict)
    error: BaseException | None = None
    reason: str = ""
    stage: str = "forward"
    size: int = 0
    done: list[tuple[str, int]] = field(default_factory=list)
    note: str = ""
    last_first: dict[str, None] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.error is not None or bool(self.reason)


def try_module(
    model: nn.Module,
    config: TrainConfig,
    device: torch.device,
    sizes: Sizes,
    *,
    images: int,
    files: Sequence[Path] = (),
    again: Callable[[], nn.Module] | None = None,
    task: ImageTask = MNIST_TASK,
) -> Trial:
    """Find the memory format in which to train a module, which is not changed; nor is any random state.

    Args:
        images: of the training set, by which a batch size is advised.
        files: those of its author, which an error is to name.
        again: makes the module anew; called where it cannot be copied.
        task: that of the data set.

    Raises:
        InvalidValue: when it does not train in either.
        MemoryError, RuntimeError: when the device has no room for the batch.
    """
    trial = _Trial(model, config.precision, config.label_smoothing, device, again, task)
    found = trial.run(sizes)
    if found.failed:
        raise _problem(found, trial.trace(found), config, images, files, task) from found.error
    notes = [found.note] if found.note else []
    if not all(bool(found.outcome[name].isfinite().all()) for name in found.outcome if name.startswith("logits")):
        notes.append("the network gives logits that are not finite before it is trained")
    return Trial(trial.memory_format, tuple(notes), tuple(reversed(found.last_first)))


def scoring_format(model: nn.Module, task: ImageTask = MNIST_TASK) -> torch.memory_format:
    """The memory format in which to score a module on the CPU, and to find its gradients in evaluation mode.

    One that works in neither has that of a script. torch's random state is not touched, not for a moment.
    """
    trial = _Trial(model, "fp32", 0.0, torch.device("cpu"), None, task)
    found = trial.run(Sizes(inspected=(2,)), seed=None)
    return torch.contiguous_format if found.failed else trial.memory_format


class _Trial:
    """Attempts in either memory format, and the one that was found."""

    def __init__(
        self,
        model: nn.Module,
        precision: Precision,
        smoothing: float,
        device: torch.device,
        again: Callable[[], nn.Module] | None,
        task: ImageTask,
    ) -> None:
        self._model = model
        self._precision = precision
        self._smoothing = smoothing
        self._device = device
        self._again = again
        self._task = task
        self.memory_format = torch.channels_last

    def run(self, sizes: Sizes, seed: int | None = 0) -> _Attempt:
        """Decide on the format; the attempt in it, or, when both failed, in a script's.

        Args:
            seed: of what is drawn meanwhile; None where nothing needs to be the same.
        """
        plain = self._attempt(torch.contiguous_format, sizes, seed)
        laid_out = self._attempt(torch.channels_last, sizes, seed)
        if not laid_out.failed and (plain.failed or self._agree(plain, laid_out, sizes)):
            return laid_out
        self.memory_format = torch.contiguous_format
        return plain

    def trace(self, attempt: _Attempt) -> Sequence[str]:
        """For a failed backward pass, the trace of what it is the backward pass of, where torch can tell."""
        if attempt.stage != "backward" or attempt.error is None:
            return ()
        with warnings.catch_warnings(record=True) as caught, torch.autograd.set_detect_anomaly(True):
            warnings.simplefilter("always")
            self._attempt(torch.contiguous_format, Sizes((attempt.size,)), 0)
        return [str(warning.message) for warning in caught]

    def _agree(self, plain: _Attempt, laid_out: _Attempt, sizes: Sizes) -> bool:
        """Whether both have the same outcome, but for rounding."""
        if not (differing := [name for name in plain.outcome if not self._close(name, plain, laid_out)]):
            return True
        # Random numbers are drawn in the order of memory. Such a module is judged by what it does when it is scored.
        other = self._attempt(torch.contiguous_format, Sizes(sizes.trained[:1]), 1)
        drawn = not all(self._close(name, plain, other) for name in other.outcome)
        return drawn and all(name.endswith(tuple(f" trained {size}" for size in sizes.trained)) for name in differing)

    def _close(self, name: str, one: _Attempt, other: _Attempt) -> bool:
        if other.outcome.get(name) is None or one.outcome[name].shape != other.outcome[name].shape:
            return False
        first, second = one.outcome[name].double(), other.outcome[name].double()
        if not bool(first.isfinite().all()):
            return torch.equal(first.isfinite(), second.isfinite())
        tolerance = 5e-2 if self._precision == "bf16" else 1e-2 if self._precision == "tf32" else 2e-3
        alike = [other for other in one.outcome if other.startswith("logits") == name.startswith("logits")]
        whole = max(float(one.outcome[other].abs().max()) for other in alike if one.outcome[other].numel())
        scale = max(float(first.abs().max()) if first.numel() else 0.0, 1e-2 * whole)
        return bool(((first - second).abs() <= tolerance * scale + 1e-7).all())

    def _copy(self, memory_format: torch.memory_format) -> nn.Module:
        try:
            copy = copy_module(self._model)
        except Exception:  # whatever its author's `__deepcopy__` or one of torch's raises
            if self._again is None:
                raise
            copy = self._again()
            copy.load_state_dict(self._model.state_dict())
        copy = copy.to(self._device)
        return copy.to(memory_format=memory_format) if memory_format is torch.channels_last else copy

    def _attempt(self, memory_format: torch.memory_format, sizes: Sizes, seed: int | None) -> _Attempt:
        attempt = _Attempt()
        with nullcontext() if seed is None else _seeded(self._device, seed), isolated():
            try:
                copy = self._copy(memory_format)
                before = unsaved_state(copy)
                for name, parameter in copy.named_parameters():
                    if parameter.requires_grad:
                        hook = partial(_take_in, attempt, name)
                        parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]
                pixels = Pixels(0.13, 0.31, memory_format=memory_format)
                for mode in ("trained", "scored", "inspected"):
                    copy.train(mode == "trained")
                    for size in getattr(sizes, mode):
                        attempt.stage, attempt.size = f"forward {mode}", size
                        self._step(copy, pixels, attempt, mode)
                        if attempt.reason:
                            return attempt
                        attempt.done.append((mode, size))
                    if mode == "trained":
                        attempt.note = unsaved_note(before, unsaved_state(copy))
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                if is_out_of_memory(error):
                    raise
                attempt.error = error
        return attempt

    def _step(self, copy: nn.Module, pixels: Pixels, attempt: _Attempt, mode: str) -> None:
        size, trained, graded = attempt.size, mode == "trained", mode != "scored"
        inputs = pixels(_images(size, self._task.size).to(self._device))
        copy.zero_grad(set_to_none=True)
        tf32 = trained and self._precision == "tf32"
        with torch.set_grad_enabled(graded), float32_products(self._device, tf32=tf32):
            with mixed(self._precision, self._device) if trained else nullcontext():
                logits = copy(inputs)
            attempt.reason = _output_problem(logits, (size, self._task.classes), self._device)
            if attempt.reason:
                return
            attempt.outcome[f"logits {mode} {size}"] = logits.detach().clone()
            if not graded:
                return
            attempt.stage = "backward"
            if not logits.requires_grad:
                attempt.reason = "gave logits without a gradient (no_grad, detach or .data cut it off)"
                return
            labels = torch.arange(size, device=self._device) % self._task.classes
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=self._smoothing)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            gradients = {name: p.grad for name, p in copy.named_parameters() if p.grad is not None}
            if not gradients:
                attempt.reason = "gave logits that depend on none of its parameters, as far as gradients tell"
            attempt.outcome |= {f"{name} {mode} {size}": gradient.clone() for name, gradient in gradients.items()}


def _take_in(attempt: _Attempt, name: str, _: Tensor) -> None:
    attempt.last_first[name] = None


def _output_problem(output: object, wanted: tuple[int, int], device: torch.device) -> str:
    """The reason why this is not the logits of so many images, for so many classes; empty when it is."""
    if not isinstance(output, Tensor):
        return f"gave {_kind(output)}, not a tensor"
    if output.shape != wanted:
        return f"gave an output of shape {tuple(output.shape)}, not {wanted}"
    if not output.is_floating_point():
        return f"gave {output.dtype}, not floating point"
    if output.device.type != device.type:
        return f"gave an output on {output.device}, while the run is on {device}"
    return ""


def _kind(output: object) -> str:
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of {len(output)}"
    return "nothing" if output is None else type(output).__name__


def _problem(
    failed: _Attempt,
    traces: Sequence[str],
    config: TrainConfig,
    images: int,
    files: Sequence[Path],
    task: ImageTask,
) -> InvalidValue:
    """The error of an attempt, in a sentence of its own."""
    error, size = failed.error, failed.size
    batch = "one image" if size == 1 else f"{size} images"
    where = "evaluation" if failed.stage.endswith("scored") else "training"
    alone = size == 1 and (error is None or "Expected more than 1" in str(error))
    words = f"forward {failed.reason}, in {where} mode" if failed.reason else ""
    if error is not None:
        words = blame(error, files, task)
        if failed.stage == "backward":
            line = next((line for trace in traces if (line := _last_line(trace, files))), "")
            words = f"in the backward pass{f' of {line}' if line else ''}: {words}"
    if where == "training" and (alone or any(mode == "trained" for mode, _ in failed.done)):
        last = "a last batch" if failed.done else "batches"
        if images == 1:
            return one_image(config, words)
        hint: Hint = Tip(Action.SET, "limit_train", str(images + config.val_split - images % config.batch_size))
        if alone:
            hint = Tip(Action.SET, "batch_size", str(batch_size_without_one(images, config.batch_size)))
        return InvalidValue("batch_size", config.batch_size, f"leaves {last} of {batch}, {words}", hint=hint)
    size_named = "" if not failed.done else f" (a batch of {batch})"
    return InvalidValue("arch", config.arch, words + size_named, hint=_advice(error, task))


def _advice(error: BaseException | None, task: ImageTask) -> Hint:
    if error is None:
        return f"{task.forward}, in training as in evaluation mode"
    if "inplace operation" in str(error):
        return "leave out what changes that tensor in place: add_, +=, inplace=True"
    return way_out(error)


def _last_line(trace: str, files: Sequence[Path]) -> str:
    """The last line of a user's files in the text of a trace: ``net.py:12: x.add_(1)``."""
    names = {str(path) for path in files}
    found = [(name, number, code) for name, number, code in _TRACED.findall(trace) if name in names]
    return "".join(f"{Path(name).name}:{number}: {one_line(code, 60)}" for name, number, code in found[-1:])


def batch_size_without_one(images: int, size: int) -> int:
    """The nearest size of batches, of two images at least, that leaves no last batch of one."""
    near = sorted(range(2, max(images, 2) + 1), key=lambda other: (abs(other - size), other))
    return next(other for other in near if images % other != 1)


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Within the block random numbers are those of a seed; after it they are as if there had been none."""
    before, numbers = random_state(device), ScriptNumbers()
    numbers.seed(seed)
    try:
        with numbers:
            torch.manual_seed(seed)
            yield
    finally:
        restore_random_state(before, device)


def _images(size: int, side: int) -> Tensor:
    """Images (N, S, S) uint8 of noise, always the same."""
    generator = torch.Generator().manual_seed(size)
    return torch.randint(0, 256, (size, side, side), generator=generator, dtype=torch.uint8)
