"""Load the trained network of a run from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.errors import RunError, one_line
from core.models.network import build_network, summarize_config
from core.models.own.files import OwnFiles
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.task import ImageTask
from experiments.runs.config import class_names, stored_config, stored_task
from experiments.runs.folder import Run
from experiments.runs.own_code import NamedCode, named_code
from experiments.runs.provenance import came_without_weights
from experiments.runs.view import RunView, how_to_finish

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.training.evaluate import Pixels

StoredWeights = Literal["final", "best", "checkpoint"]
"""Which weights: of the last epoch, of the best epoch, or of the latest checkpoint of a live or stopped run."""


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A network in evaluation mode on the CPU.

    `weights` are its parameters and buffers by name, `source` says which of the stored ones they are, and `epoch` after
    how many epochs they were stored (0 where the file does not say). `code` says where a user's own module is from. It
    is for images of `task`, of one of these `classes`.
    """

    config: TrainConfig
    module: nn.Module
    pixels: Pixels
    summary: Summary
    weights: Mapping[str, Tensor]
    source: StoredWeights
    epoch: int
    code: NamedCode
    task: ImageTask
    classes: tuple[str, ...]

    def logits(self, images: Tensor) -> Tensor:
        """(N, classes) float32 for images (N, S, S), 0 to 255 of any type.

        Raises:
            RunError: when one is not finite, as finite weights may make it.
        """
        import torch

        from core.training.evaluate import BATCH, logits_of

        with torch.inference_mode():
            logits = torch.cat([logits_of(self.module, self.pixels, batch) for batch in torch.split(images, BATCH)])
        check_finite(logits, self)
        return logits

    def probabilities(self, images: Tensor) -> Tensor:
        """(N, classes) float32, each row adding up to 1, for images (N, S, S) uint8."""
        return self.logits(images).softmax(1)


def check_finite(outputs: Tensor, network: LoadedNetwork) -> None:
    """Raise `RunError` when a network's outputs, (N, classes), are not numbers that can be compared."""
    finite = outputs.isfinite().all(1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0])
        text = f"the {network.source} weights give image {first} (counted from 0) outputs that are not finite"
        raise RunError(text, hint="the weights have grown out of all proportion, or were damaged")


def load_network(
    run: Run, source: StoredWeights | None = None, *, arch: str | None = None, view: RunView | None = None
) -> LoadedNetwork:
    """Build a run's network with its stored weights.

    This leaves torch's global random state as it is, so it may be called while a run trains in the same process.

    Args:
        source: None for the final weights, or the best ones where there are no final ones.
        arch: for a user's own module its FILE.py:CLASS once more, so that no code is run that nobody named.
        view: what the run's log says, where that is known already.

    Raises:
        RunError: when the run has no such weights, or its files are damaged.
        InvalidValue: when `arch` is missing, not asked for, or cannot be built.
    """
    import torch

    from core.training.evaluate import Pixels
    from core.training.trial import scoring_format

    view = view or run.view()
    code, task = named_code(run, stored_config(run, view), arch), stored_task(run, view)
    config = code.config
    source, weights, epoch = read_weights(run, source)
    summary, module = _build(config, code.files, task)
    _load_weights(module, weights, run)
    memory_format = torch.channels_last
    if is_user_module(config.arch):
        memory_format = scoring_format(module, task)
    if memory_format is torch.channels_last:
        module.to(memory_format=memory_format)
    pixels = Pixels(*pixel_statistics(run, config), memory_format=memory_format)
    names = class_names(view.started)
    return LoadedNetwork(config, module.eval(), pixels, summary, weights, source, epoch, code, task, names)


def read_weights(run: Run, source: StoredWeights | None) -> tuple[StoredWeights, dict[str, Tensor], int]:
    """Read stored weights: which they are, the tensors by name, and their epoch. `source` is as in `load_network`.

    Raises:
        RunError: when the run has none, or the file is damaged.
    """
    from core.storage.checkpoint import MAX_BYTES, load_checkpoint
    from core.storage.tensors import read_tensors

    if source == "checkpoint":
        checkpoint = load_checkpoint(run.checkpoint)
        if checkpoint is None:
            raise RunError(f"run {run.id} has no checkpoint yet", hint=how_to_finish(run.id, [run.view().end]))
        return source, checkpoint.part("average") or checkpoint.part("model"), int(checkpoint.state.get("epoch", 0))
    paths: dict[StoredWeights, Path] = {"final": run.final_weights, "best": run.best_weights}
    for name in [source] if source else list(paths):
        try:
            weights, metadata = read_tensors(paths[name], MAX_BYTES)
        except FileNotFoundError:
            continue
        epoch = metadata.get("epoch", "")
        return name, weights, int(epoch) if epoch.isdecimal() and len(epoch) < 6 else 0
    what = f"{source} weights" if source else "weights"
    if came_without_weights(run.folder):
        hint = "its bundle was made without: import one that has them"
        raise RunError(f"run {run.id} came without weights", hint=hint)
    raise RunError(f"run {run.id} has no {what}", hint=how_to_finish(run.id, [run.view().end]))


def _build(config: TrainConfig, files: OwnFiles | None, task: ImageTask) -> tuple[Summary, nn.Module]:
    """The network before its weights are loaded. Only a user's own module has memory for them; others are on "meta"."""
    import torch

    from core.models.build import build_model

    unbounded = config.model_copy(update={"budget": False})
    summary = summarize_config(unbounded, task)
    if summary is None:
        with torch.random.fork_rng(devices=[]):
            network = build_network(unbounded, files, task)
        return network.summary, network.module
    with torch.device("meta"):
        return summary, build_model(summary)


def _load_weights(module: nn.Module, weights: Mapping[str, Tensor], run: Run) -> None:
    """Load the weights into the network, in place.

    Raises:
        RunError: when names, shapes or types differ, or a value is not finite.
    """

    expected = module.state_dict()
    try:
        for name, tensor in weights.items():
            if name in expected and expected[name].dtype != tensor.dtype:
                raise ValueError(f"{name} is {tensor.dtype}, not {expected[name].dtype}")
            if not bool(tensor.isfinite().all()):
                raise ValueError(f"{name} has values that are not finite")
        module.load_state_dict(weights, assign=True)
    except (RuntimeError, ValueError) as error:
        reason = f"run {run.id}: the stored weights do not fit its network: {one_line(error)}"
        raise RunError(reason, hint=Advice(Tip(Action.VERIFY, run.id), " says what differs")) from error


def pixel_statistics(run: Run, config: TrainConfig) -> tuple[float, float]:
    """Mean and standard deviation of the pixels, by which a run's images are standardised.

    Raises:
        RunError: when the run has not yet decided on a data set.
    """
    from core.data.sources import BUNDLED, SOURCES

    source = SOURCES.get("mnist" if config.dataset == BUNDLED else config.dataset)
    if source is not None and source.mean is not None and source.std is not None:
        return source.mean, source.std
    started = run.view().started
    if started is None or started.pixel_mean is None or not started.pixel_std:
        raise RunError(f"run {run.id} does not say which data set it used", hint="it has not been started yet")
    return started.pixel_mean, started.pixel_std
