"""Finds the run that another is to learn from, and what the new one keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from core.config import TrainConfig
from core.dataset_names import identity_of, is_own, name_of
from core.errors import InvalidValue, LabError, RunError
from core.events import RunStarted
from core.models.network import summarize_config
from core.models.spec import is_user_module
from experiments.runs.config import stored_config, stored_task
from experiments.runs.folder import Run
from experiments.runs.store import Store
from experiments.runs.teacher import MAX_NETWORKS, TEACHER, TaughtBy, TeacherCopy

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from core.data.loader import Dataset
    from core.models.summary import Summary
    from core.training.trainer import Trainer

CHOOSE = "name a run or a group that has finished; its id, name or latest will do"


@dataclass(frozen=True, slots=True)
class KnownTeachers:
    """The teachers of runs that are made together, as they were when first looked for: what is called ``latest`` is
    another run a moment later, and a run that goes on has other weights."""

    _ids: dict[str, str] = field(default_factory=dict)
    _copies: dict[str, TeacherCopy] = field(default_factory=dict, repr=False)

    def settled(self, store: Store, config: TrainConfig) -> TrainConfig:
        """The config with the id of its teacher, which it may name in any other way. Needs no torch.

        Raises:
            InvalidValue: when there is no such run, or one cannot learn from it.
        """
        if not config.teacher:
            return config
        if config.teacher not in self._ids:
            self._ids[config.teacher] = _id_of(store, config.teacher)
        settled = config.model_copy(update={"teacher": self._ids[config.teacher]})
        for run in _runs_of(store, settled.teacher):
            _check(run, settled, config.teacher)
        return settled

    def of(self, store: Store, config: TrainConfig, group_id: str | None = None) -> TeacherCopy | None:
        """A copy of the teacher of a settled config; None where it has none.

        Args:
            group_id: of the group that the new run is one of: all of it learn from the same weights.

        Raises:
            InvalidValue: when there is no such run any more, and no run that keeps a copy of it.
            RunError: when its files are damaged.
        """
        if not config.teacher:
            return None
        if config.teacher not in self._copies:
            self._copies[config.teacher] = self._find(store, config, group_id)
        return self._copies[config.teacher]

    def _find(self, store: Store, config: TrainConfig, group_id: str | None) -> TeacherCopy:
        runs = _runs_of(store, config.teacher)
        for scope in [*([group_id] if group_id else []), *([] if runs else [None])]:
            if (taught := _taught(store, config.teacher, scope)) is not None:
                return TeacherCopy.read(taught.folder)
        if not runs:
            raise _not_found(config.teacher)
        return _copy_of(config.teacher, runs)


def kept_teacher(run: Run, config: TrainConfig, started: RunStarted | None) -> TeacherCopy | None:
    """The copy that a run keeps of its teacher, which is the one that it began with; None where it has none.

    Raises:
        RunError: when it is missing, damaged or another.
    """
    if not config.teacher:
        return None
    copy = TeacherCopy.read(run.folder)
    if copy.reference != config.teacher or (started is not None and started.teacher != copy.sha256):
        reason = f"{run.folder / TEACHER}: is not the teacher that the run began with"
        raise RunError(reason, hint="start a new run with the same config")
    return copy


AnyTrainer = TypeVar("AnyTrainer", bound="Trainer")


def learning_from(
    copy: TeacherCopy | None,
    kind: Callable[..., AnyTrainer],
) -> Callable[[TrainConfig, Dataset, Summary, nn.Module, torch.device], AnyTrainer]:
    """Makes trainers of a kind with this teacher; none can be made for another data set (`check_dataset`)."""

    def make(
        config: TrainConfig, dataset: Dataset, summary: Summary, module: nn.Module, device: torch.device
    ) -> AnyTrainer:
        check_dataset(copy, dataset.name)
        taught = None if copy is None else copy.teacher(config, dataset.task)
        return kind(config, dataset, summary, module, device, taught)

    return make


def check_dataset(copy: TeacherCopy | None, dataset: str) -> None:
    """Raise `InvalidValue` when a teacher was trained on other images than those of a data set."""
    if copy is not None and identity_of(copy.dataset) != identity_of(dataset):
        raise InvalidValue(
            "teacher",
            copy.reference,
            f"was trained on {copy.dataset}, not on {dataset}",
            hint="choose a teacher of the same data set",
        )


def _id_of(store: Store, reference: str) -> str:
    try:
        group_id = store.find_group_id(reference)
        return group_id or store.find(reference).id
    except InvalidValue as several:
        raise InvalidValue("teacher", reference, several.allowed, hint=several.advice) from several
    except RunError as error:
        if _taught(store, reference, None) is not None:
            return reference
        raise _not_found(reference) from error


def _runs_of(store: Store, teacher: str) -> list[Run]:
    """The runs of a teacher's id; none where they are gone."""
    try:
        return store.find_all(teacher)
    except LabError:
        return []


def _taught(store: Store, teacher: str, group_id: str | None) -> Run | None:
    """A run that keeps a copy of a teacher, of this group where one is given."""
    runs = (run for run in store.runs() if run.config().get("teacher") == teacher and (run.folder / TEACHER).is_file())
    return next((run for run in runs if group_id is None or run.meta().group_id == group_id), None)


def _not_found(reference: str) -> InvalidValue:
    return InvalidValue("teacher", reference, "no such run", hint=CHOOSE)


def _check(run: Run, config: TrainConfig, reference: str) -> None:
    """Raise `InvalidValue` when a run with this config cannot learn from another."""
    its = stored_config(run)
    if is_user_module(its.arch):
        reason = f"run {run.id} trains a module of your own, whose code would have to be run: a teacher is a spec's"
        raise InvalidValue("teacher", reference, reason, hint="choose a run of a spec")
    if not (run.final_weights.is_file() or run.best_weights.is_file()):
        raise InvalidValue("teacher", reference, f"run {run.id} has no weights yet", hint=CHOOSE)
    if not is_own(config.dataset) and config.dataset not in ("auto", name_of(its.dataset)):
        reason = f"was trained on {name_of(its.dataset)}, not on {config.dataset}"
        raise InvalidValue("teacher", reference, reason, hint="choose a teacher of the same data set")


def _copy_of(teacher: str, runs: Sequence[Run]) -> TeacherCopy:
    """A copy of the final weights of runs, or the best ones of those that have no final ones.

    Raises:
        InvalidValue, RunError: when it cannot be made.
    """
    from core.storage.tensors import read_tensors

    if len(runs) > MAX_NETWORKS:
        reason = f"has {len(runs)} runs, more than the {MAX_NETWORKS} that can be learnt from"
        raise InvalidValue("teacher", teacher, reason, hint="name one run")
    networks: list[TaughtBy] = []
    tensors: dict[str, Tensor] = {}
    datasets = []
    for number, run in enumerate(runs):
        config = stored_config(run)
        summary = summarize_config(config.model_copy(update={"budget": False}), stored_task(run))
        assert summary is not None, "a module of one's own is refused before"
        which = "final" if run.final_weights.is_file() else "best"
        weights, metadata = read_tensors(run.final_weights if which == "final" else run.best_weights, 64 << 20)
        epoch = metadata.get("epoch", "")
        networks.append(
            TaughtBy(
                run.id,
                summary.spec,
                which,
                epoch=int(epoch) if epoch.isdecimal() else 0,
                held_out=config.val_split,
                limit_train=config.limit_train or 0,
            )
        )
        tensors |= {f"{number}.{name}": tensor for name, tensor in weights.items()}
        datasets.append(name_of(config.dataset))
    if len(set(datasets)) > 1:
        reason = f"was trained on {' and '.join(sorted(set(datasets)))}"
        raise InvalidValue("teacher", teacher, reason, hint="name one run")
    return TeacherCopy(teacher, datasets[0], tuple(networks), tensors)
