"""Verification: whether a run is what its log says.

Parameters are counted again, stored weights are scored again, and log, config, checkpoint and predictions are compared
with one another. Only training again could check losses and accuracies on training images, times, and scores of epochs
whose weights were not kept; for the last, log and checkpoint must agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from core.config import TrainConfig
from core.errors import InvalidValue, RunError
from core.events import RunFinished, RunStarted
from core.models.network import summarize_config
from core.models.spec import is_user_module
from experiments.inference.network import LoadedNetwork, StoredWeights, load_network
from experiments.locations import Locations
from experiments.runs.config import stored_config
from experiments.runs.folder import Run
from experiments.runs.provenance import MANIFEST, came_without_weights
from experiments.runs.view import RunView
from experiments.verification.consistency import check_images, check_start
from experiments.verification.findings import Check, compare, compare_sums, missing, not_checked, summed_up
from experiments.verification.log import check_checkpoint_scores, check_config, check_end, check_epochs, read_log
from experiments.verification.rescoring import Rescored, rescore
from experiments.verification.source import check_source, check_teacher

if TYPE_CHECKING:
    from torch import Tensor

    from core.data.loader import Dataset


@dataclass(frozen=True, slots=True)
class Verification:
    """The checks made of one run. `code_note` is what its user should know of the code of a module of his own."""

    run_id: str
    checks: tuple[Check, ...]
    code_note: str = ""

    @property
    def agrees(self) -> bool:
        return all(check.agrees is not False for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "agrees": self.agrees, "checks": [asdict(check) for check in self.checks]}


def verify(run: Run, locations: Locations, *, arch: str | None = None, before: tuple[Check, ...] = ()) -> Verification:
    """Make every check of a run that needs no training. Of one whose bundle left its weights out the log is checked.

    Args:
        arch: for a user's own module its FILE.py:CLASS once more, so that no code is run that nobody named.
        before: checks that were made already, which come first.

    Raises:
        RunError: when the run has no log or no weights, so that nothing can be verified.
        InvalidValue: when it is being trained, or `arch` is missing or not asked for.
        DataError: when its data set is missing or corrupt.
    """
    if run.is_alive():
        raise InvalidValue("run", run.id, "is running", hint="verify it when it has ended")
    view, configs, checks = read_log(run)
    assert view.started is not None, "a log without a start is refused"
    networks = {source: _load(run, source, arch, view) for source in _expected(view)}
    loaded = [network for network in networks.values() if isinstance(network, LoadedNetwork)]
    if not loaded and not came_without_weights(run.folder):
        raise next(error for error in networks.values() if isinstance(error, RunError))
    config = loaded[0].config if loaded else stored_config(run, view)
    checks += check_config(run, configs, view.started)
    checks += check_start(view.started, config)
    checks += check_epochs(view, view.started, config)
    checks += check_end(view, config)
    checks += check_checkpoint_scores(run, view)
    if loaded:
        checks += check_source(run, loaded[0].code)
        checks += check_teacher(run, view.started, config)
    checks += _check_parameters(loaded[0] if loaded else None, config, view.started)
    data = _test_images(config, locations)
    checks += check_images(view.started, len(data.train_labels), len(data.test_labels), data.task, data.classes)
    if view.started.pixel_mean is not None:
        where = "events.jsonl, run_started"
        statistics = (view.started.pixel_mean, view.started.pixel_std)
        checks.append(compare("mean and deviation of the pixels", where, statistics, (data.mean, data.std)))
    if not loaded:
        checks.append(not_checked("weights", MANIFEST, "the bundle was made without"))
        return Verification(run.id, (*before, *checks))
    if data.task != view.started.task:  # the weights cannot be scored on it
        return Verification(run.id, (*before, *checks), loaded[0].code.note)
    for source, network in networks.items():
        if isinstance(network, RunError):
            checks.append(missing(f"{source} weights", f"{source}.safetensors", network.message))
        else:
            checks += _check_weights(run, network, view)
            checks += _check_scores(run, network, view, view.started, data)
    return Verification(run.id, (*before, *checks), loaded[0].code.note)


def _expected(view: RunView) -> tuple[StoredWeights, ...]:
    return ("final", "best") if isinstance(view.end, RunFinished) else ("best",)


def _load(run: Run, source: StoredWeights, arch: str | None, view: RunView) -> LoadedNetwork | RunError:
    try:
        return load_network(run, source, arch=arch, view=view)
    except RunError as error:
        return error


def _check_parameters(network: LoadedNetwork | None, config: TrainConfig, started: RunStarted) -> Iterator[Check]:
    """Count parameters by the spec and, where the weights are there, by the module."""
    from core.models.build import count_parameters

    where, unbounded = "events.jsonl, run_started", config.model_copy(update={"budget": False})
    summary = network.summary if network is not None else summarize_config(unbounded, started.task)
    if summary is not None:
        yield compare("parameters, from the spec", where, started.total_params, summary.total_params)
    if network is not None:
        yield compare("parameters, of the module", where, started.total_params, count_parameters(network.module))
    if summary is not None and not is_user_module(config.arch):  # its spec is only the path of its file
        yield compare("spec", where, started.spec, summary.spec)


def _test_images(config: TrainConfig, locations: Locations) -> Dataset:
    from core.data.loader import Loader

    return Loader(locations.data, locations.cache).load(config.dataset).limited(config.limit_train, config.limit_test)


def _check_weights(run: Run, network: LoadedNetwork, view: RunView) -> Iterator[Check]:
    """Check the hash of the weights, their epoch, and each tensor against the checkpoint."""
    from core.storage.checkpoint import load_checkpoint
    from core.storage.tensors import weights_sha256

    source, where = network.source, f"{network.source}.safetensors"
    end = view.end
    expected = end.epochs if source == "final" and isinstance(end, RunFinished) else view.best_epoch
    yield compare(f"epoch of the {source} weights", where, network.epoch, expected)
    if source == "final" and isinstance(end, RunFinished):
        yield compare_sums("final weights", where, weights_sha256(network.weights), end.weights_sha256)
    try:
        checkpoint = load_checkpoint(run.checkpoint)
    except RunError:
        return  # `check_checkpoint_scores` reports it
    if checkpoint is None:
        yield not_checked(f"{source} weights, tensor by tensor", run.checkpoint.name, "there is none")
        return
    part = "best" if source == "best" else "average" if network.config.ema or network.config.swa else "model"
    kept = checkpoint.part(part)
    checks = (_compare_tensors(name, where, tensor, kept.get(name)) for name, tensor in network.weights.items())
    yield from summed_up(f"{source} weights as in the checkpoint", where, f"{len(network.weights)} tensors", checks)


def _compare_tensors(name: str, where: str, stored: Tensor, kept: Tensor | None) -> Check:
    if kept is None or kept.shape != stored.shape:
        return missing(name, where, "the checkpoint has no such tensor")
    differing = int((kept != stored).sum())
    what = f"{differing:,} of {stored.numel():,} values differ from the checkpoint's" if differing else "the same"
    return Check(name, where, differing == 0, f"{tuple(stored.shape)}", what)


def _check_scores(
    run: Run, network: LoadedNetwork, view: RunView, started: RunStarted, data: Dataset
) -> Iterator[Check]:
    """Score the stored weights on the test images and, where there are some, on the held-out ones."""
    from core.training.sampling import split_validation

    source, end = network.source, view.end
    epoch = next((epoch for epoch in view.epochs if epoch.epoch == network.epoch), None)
    exact = started.device.startswith("cpu")
    where = f"events.jsonl, epoch {network.epoch}"
    test = rescore(network, data.test_images, data.test_labels, exact=exact)
    if epoch is None:
        yield missing(f"score of the {source} weights", where, "the log has no such epoch")
    elif epoch.val_accuracy is None:
        yield from test.compare_with(f"test, {source} weights", where, epoch.test_accuracy, epoch.test_loss)
    else:
        held_out = split_validation(len(data.train_labels), network.config.val_split)[1]
        val = rescore(network, data.train_images[held_out], data.train_labels[held_out], exact=exact)
        yield from val.compare_with(f"held-out, {source} weights", where, epoch.val_accuracy, epoch.val_loss)
        if isinstance(end, RunFinished):
            name = "selected" if source == "best" else "final"
            accuracy = end.selected_test_accuracy if source == "best" else end.final_test_accuracy
            yield from test.compare_with(f"test, {name} weights", "events.jsonl, run_finished", accuracy, None)
    if source == "final" and isinstance(end, RunFinished) and network.config.tta != "none":
        views = rescore(network, data.test_images, data.test_labels, exact=exact, views=network.config.tta)
        item, where = f"test, {network.config.tta} views, final weights", "events.jsonl, run_finished"
        yield from views.compare_with(item, where, end.tta_test_accuracy, None)
    yield from _check_predictions(run, source, test, data)


def _check_predictions(run: Run, source: StoredWeights, test: Rescored, data: Dataset) -> Iterator[Check]:
    """Compare the stored class of each test image with the one predicted now."""
    where = run.predictions.name
    try:
        kept = run.load_predictions()
    except RunError as error:
        yield missing("predictions", where, error.message)
        return
    if kept is None:
        if source == "final":
            yield not_checked("predictions", where, "there are none; earlier versions kept none")
        return
    classes = kept.final if source == "final" else kept.selected
    if classes is None:
        return
    yield compare("labels of the test images", where, kept.labels.tolist() == data.test_labels.tolist(), True)
    yield test.compare_classes(f"predictions of the {source} weights", where, classes.tolist())
