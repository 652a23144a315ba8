"""Training of several runs of one network as one: `core.training.trainer` for a group."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.data.loader import Dataset
from core.engines.engine import Engine
from core.events import RunFailed, TrainEvent
from core.grouped.evaluate import GroupedEvaluator
from core.grouped.network import grouped_network
from core.grouped.step import GroupedStep
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.models.translate.translation import Translation, translate
from core.storage.checkpoint import Checkpoint
from core.training.failures import check_last_batch, is_out_of_memory
from core.training.loop import EpochLoop
from core.training.record import RunRecord
from core.training.teacher import Teacher


class GroupedRun(RunRecord):
    """One run of a group, as `Trainer` is one by itself: its checkpoints are those of the single run."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        summary: Summary,
        group: GroupTrainer,
        copy: int,
        teacher: Teacher | None,
    ) -> None:
        super().__init__(config, dataset, summary, group.device, copy, teacher)
        self._group: GroupTrainer = weakref.proxy(group)  # which has its runs, and a lot of memory to give back

    @property
    def engine(self) -> Engine:
        return self._group.loop.engine

    def checkpoint(self) -> Checkpoint:
        return self._checkpoint(self._group.loop.parts_of(self.copy))

    def fail_by(self, error: BaseException) -> RunFailed | None:
        failure = super().fail_by(error)
        if failure is not None and is_out_of_memory(error):
            return replace(failure, advice=Advice(Tip(Action.FEWER_AT_ONCE)))
        return failure


class GroupTrainer:
    """Runs that differ in seed and learning rate alone, trained together: made with everything ready, then `run` once.

    A run that ends before the others is still computed with them, to no further effect.

    Args:
        models: the network of each config, initial weights and all.
        teacher: the one that the configs name, for all copies.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        dataset: Dataset,
        summary: Summary,
        models: Sequence[nn.Module],
        device: torch.device,
        teacher: Teacher | None = None,
    ) -> None:
        config = configs[0]
        dataset = dataset.limited(config.limit_train, config.limit_test)
        self.device = device
        self.members = [GroupedRun(one, dataset, summary, self, copy, teacher) for copy, one in enumerate(configs)]
        translated = translate(models[0], dataset.task) if is_user_module(config.arch) else None
        run_as = translated.summary if isinstance(translated, Translation) else summary
        check_last_batch(config, self.members[0].images, run_as)
        model = grouped_network(summary, models, translated).to(device)
        step = partial(GroupedStep, highest=[one.lr for one in configs])
        evaluator = partial(GroupedEvaluator, min_size=config.batch_size)
        self.loop = EpochLoop(
            config,
            dataset,
            model,
            device,
            step,
            evaluator,
            copies=len(models),
            translated=translated,
            teacher=teacher,
        )
        self.loop.start_epoch(self.members)  # so that an engine can get ready

    def run(self, should_stop: Callable[[GroupedRun], str]) -> Iterator[tuple[GroupedRun, TrainEvent]]:
        """Train. Lazy, as `Trainer.run` is; each run has all the events that it would have alone.

        `should_stop` is asked of each run before every batch, in evaluation too, and a run that shall stop does so
        alone.
        """
        yield from self.loop.run(self.members, should_stop)
