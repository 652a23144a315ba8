"""Training of one run: a config and a data set become a stream of events and a trained network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.random_state import restore_random_state
from core.engines.engine import Engine, batch_sizes
from core.errors import RunError, ShouldStop, one_line
from core.events import TrainEvent
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.models.translate.translation import Translation, Untranslatable, translate
from core.storage.checkpoint import START_AGAIN, Checkpoint
from core.training.evaluate import Evaluator, whole_batch
from core.training.failures import check_last_batch
from core.training.loop import EpochLoop
from core.training.record import RunRecord
from core.training.step import TrainStep
from core.training.teacher import Teacher
from core.training.trial import Sizes, try_module


class Trainer(RunRecord):
    """One run by itself: made with everything ready, then `run` once.

    Args:
        teacher: the one that the config names.

    Raises:
        InvalidValue: when data set and config do not fit together.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        summary: Summary,
        model: nn.Module,
        device: torch.device,
        teacher: Teacher | None = None,
    ) -> None:
        dataset = dataset.limited(config.limit_train, config.limit_test)
        super().__init__(config, dataset, summary, device, teacher=teacher)
        memory_format = torch.channels_last
        in_use: tuple[str, ...] = ()
        translated = translate(model, dataset.task) if is_user_module(config.arch) else None
        if isinstance(translated, Translation):  # it is run as the spec's network
            summary = translated.summary
            in_use = tuple(dict.fromkeys(translated.names.values()))
        if isinstance(translated, Untranslatable):
            trial = try_module(
                model, config, device, self._batches(), images=self.images, files=summary.files, task=dataset.task
            )
            memory_format, self.notes, in_use = trial.memory_format, trial.notes, trial.in_use
        else:
            check_last_batch(config, self.images, summary)
        model = model.to(device)
        if memory_format is torch.channels_last:
            model = model.to(memory_format=memory_format)
        self._loop = EpochLoop(
            config,
            dataset,
            model,
            device,
            partial(TrainStep, in_use=in_use),
            Evaluator,
            memory_format=memory_format,
            translated=translated,
            twin_of=translated.twin_of if isinstance(translated, Translation) else None,
            teacher=teacher,
        )
        self._loop.start_epoch([self])  # so that an engine can get ready

    @property
    def model(self) -> nn.Module:
        """The network that is trained."""
        return self._loop.model

    @property
    def engine(self) -> Engine:
        return self._loop.engine

    @property
    def scored_model(self) -> nn.Module:
        """The network that evaluation scores: the moving average where there is one."""
        return self._loop.scored_model

    def run(self, should_stop: ShouldStop = lambda: "") -> Iterator[TrainEvent]:
        """Train. Lazy: each event is yielded before work goes on, and a caller that takes no more has stopped the run.

        `should_stop` is asked before every batch, in evaluation too. The last event is RunFinished, RunStopped or
        RunFailed.
        """
        for _, event in self._loop.run([self], lambda _: should_stop()):
            yield event

    def _batches(self) -> Sizes:
        """The sizes of the batches that the network will be given."""
        counts = filter(None, (len(self._dataset.test_labels), self.config.val_split))
        scored = {size for count in counts for size in batch_sizes(count, min(count, whole_batch(self.device)))}
        return Sizes(batch_sizes(self.images, self.config.batch_size), sorted(scored, reverse=True))

    def checkpoint(self) -> Checkpoint:
        return self._checkpoint(self._loop.parts_of(self.copy))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint of the same config was made; to be called before `run`.

        Raises:
            RunError: when it is not a checkpoint of this config.
        """
        try:
            self._restore(checkpoint)
            if not self.between_epochs:
                self._loop.start_epoch([self])
            self._loop.load(checkpoint)
            restore_random_state(checkpoint.part("random"), self.device)
        except (RuntimeError, ArithmeticError, LookupError, AttributeError, TypeError, ValueError) as error:
            text = f"the checkpoint does not fit the run's config: {one_line(error)}"
            raise RunError(text, hint=START_AGAIN) from error
