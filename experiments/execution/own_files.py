"""The code of users' own modules, as the process that makes their runs first read it."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field

from core.config import TrainConfig
from core.data.task_of import task_of
from core.models.network import absolute_arch, build_network
from core.models.own.files import OwnFiles
from core.models.spec import is_user_module
from experiments.runs.own_code import remember_named


@dataclass(frozen=True, slots=True)
class FirstRead:
    """The files of each module as they were when first loaded: runs that are made together train the same code,
    whoever changes a file between the first of them and the last."""

    _known: dict[tuple[str, bool], OwnFiles] = field(default_factory=dict)

    def of(self, config: TrainConfig) -> OwnFiles | None:
        """The files of a config's network, where it has been loaded; None for a spec, too."""
        return self._known.get(_key(config))

    def keep(self, config: TrainConfig, source: OwnFiles | None) -> None:
        """Note what a config's network was loaded from, as its user named it, unless that is known."""
        if source is not None and _key(config) not in self._known:
            self._known[_key(config)] = source
            remember_named(source)

    def find(self, config: TrainConfig) -> OwnFiles | None:
        """The files of a config's network, which is loaded where they are not known yet; None for a spec.

        Raises:
            InvalidValue, OverBudget: when it cannot be built.
        """
        if is_user_module(config.arch) and self.of(config) is None:
            with redirect_stdout(sys.stderr):  # stdout is for data, not for what the module prints
                self.keep(config, build_network(config, task=task_of(config.dataset)).source)
        return self.of(config)


def _key(config: TrainConfig) -> tuple[str, bool]:
    return absolute_arch(config.arch), config.run_whole_file
