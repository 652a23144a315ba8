"""The runs behind the claims: which runs have to be there, and the results of those that are.

They are ordinary runs, found again by their tags and configs. No other run of the home counts, so that the sample is
not picked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.errors import InvalidValue, OverBudget, ShouldStop
from core.events import RunStarted
from experiments.claims.power import power_of
from experiments.claims.rules import ARMS, CLAIMS, MAX_REPEATS, Arm, Claim, ClaimFinding
from experiments.execution.executor import Executor
from experiments.execution.run_list import RunOutcome, find_runs, train_all
from experiments.execution.runner import Runner
from experiments.presets.loader import load_preset
from experiments.results.groups import Group, GroupMember, make_group
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.owner import OwnedFolder
from experiments.runs.seeds import name_of_seed
from experiments.runs.store import Store

TAG = "claims"
EPOCHS = 20
"""Epochs of a run in the exercise."""
DATASETS = ("auto", "mnist", "mnist-5k")
"""What a study may be of; only full MNIST is evidence."""


@dataclass(frozen=True, slots=True)
class Design:
    """The runs to make: every arm with seeds from 0, each with the fields of `base` that its arm does not change."""

    base: TrainConfig
    seeds: int

    @classmethod
    def of(cls, seeds: int, **changes: object) -> Design:
        """The exercise's recipe with some fields changed for every arm.

        Raises:
            InvalidValue, OverBudget: when a config is wrong, or the data set another one than MNIST.
        """
        if isinstance(epochs := changes.get("epochs"), int) and epochs > EPOCHS:
            out = Tip(Action.LEAVE_OUT, "epochs")
            hint = Advice("the claims are about runs of so many: ", out, ", or give fewer to try the command out")
            raise OverBudget(f"epochs = {epochs}: at most {EPOCHS}, as in the exercise", hint=hint)
        if (dataset := changes.get("dataset", "auto")) not in DATASETS:
            raise InvalidValue(
                "dataset", dataset, f"must be one of {', '.join(DATASETS)}", hint="the claims are about MNIST"
            )
        design = cls(TrainConfig.checked({**load_preset("seed-conv9").values, **changes}), seeds)
        for arm in ARMS:
            design.config(arm, seeds - 1)
        return design

    def config(self, arm: Arm, seed: int) -> TrainConfig:
        return self.base.changed(**arm.changes, seed=seed)

    def seeds_of(self, arm: Arm) -> range:
        return range(min(self.seeds, MAX_REPEATS) if arm.repeats else self.seeds)

    @property
    def epochs(self) -> str:
        """The length of a run in words: `20 epochs`."""
        return f"{self.base.epochs} epoch{'s' * (self.base.epochs != 1)}"

    def shortcomings(self) -> list[str]:
        """The reasons why the results are no evidence for or against the claims; none where they are."""
        base, reasons = self.base, []
        if base.dataset != "mnist":
            reasons.append(f"the data set is {base.dataset}, not full MNIST")
        if base.limit_train is not None:
            reasons.append(f"only {base.limit_train:,} training images were used")
        if base.limit_test is not None:
            reasons.append(f"only {base.limit_test:,} test images were used")
        if base.epochs != EPOCHS:
            reasons.append(f"runs had {self.epochs}, not {EPOCHS}")
        return reasons


class ClaimsStudy:
    """The study of a design in one home."""

    def __init__(self, store: Store, design: Design) -> None:
        self.store = store
        self.design = design

    def train(self, runner: Runner, executor: Executor, should_stop: ShouldStop) -> Iterator[RunOutcome]:
        """Train what is missing, seed by seed over all arms, so that a part of it is balanced too; see `train_all`.

        Raises:
            InvalidValue: while another process does.
        """
        with OwnedFolder(self.store.home / TAG).held():
            yield from train_all(runner, executor, self.specs(), should_stop)

    def specs(self) -> list[RunSpec]:
        """Every run of the design, all arms of a seed together. An arm's group is that of its runs, or a new one."""
        groups: dict[str, str] = {}
        for arm in ARMS:
            groups[arm.name] = self._group_id(arm)
        return [
            self._spec(arm, seed, groups[arm.name])
            for seed in range(self.design.seeds)
            for arm in ARMS
            if seed in self.design.seeds_of(arm)
        ]

    def groups(self) -> dict[str, Group]:
        """The runs of each arm that are there."""
        found: dict[str, Group] = {}
        for arm in ARMS:
            runs = find_runs(self.store, [self._spec(arm, seed, None) for seed in self.design.seeds_of(arm)])
            there = [run for run in runs if run is not None]
            group_id = next((group_id for run in there if (group_id := run.meta().group_id)), "")
            found[arm.name] = make_group(group_id, [GroupMember.of(run) for run in there])
        return found

    def _spec(self, arm: Arm, seed: int, group_id: str | None) -> RunSpec:
        meta = Meta(name_of_seed(f"{TAG}-{arm.name}", seed), (TAG, f"{TAG}:{arm.name}"), group_id)
        return RunSpec(self.design.config(arm, seed), meta)

    def _group_id(self, arm: Arm) -> str:
        runs = find_runs(self.store, [self._spec(arm, seed, None) for seed in self.design.seeds_of(arm)])
        ids = [run.meta().group_id for run in runs if run is not None]
        return next((group_id for group_id in ids if group_id), None) or self.store.new_group_id()


@dataclass(frozen=True, slots=True)
class Results:
    """All findings of a study. Where it is no evidence no verdict is given."""

    design: Design
    groups: dict[str, Group]
    findings: tuple[tuple[Claim, ClaimFinding], ...]
    environments: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, study: ClaimsStudy) -> Results:
        groups = study.groups()
        findings = [(claim, claim.judge(groups)) for claim in CLAIMS]
        if study.design.shortcomings():
            findings = [(claim, finding.undecided()) for claim, finding in findings]
        runs = [
            (study.store.run(member.run_id).environment(), member.view.started)
            for group in groups.values()
            for member in group.members
        ]
        return cls(study.design, groups, tuple(findings), tuple(_environments(runs)))

    def power(self, claim: Claim, finding: ClaimFinding) -> dict[str, Any]:
        """Where it cannot be told: which difference could have been found, and how many seeds would tell (`words`).

        Else empty, as it is where the design is no evidence: more such runs would tell nothing.
        """
        return {} if self.design.shortcomings() else power_of(claim, finding, self.groups)

    def would_tell(self, claim: Claim, finding: ClaimFinding) -> str:
        """The words of `power`."""
        return str(self.power(claim, finding).get("words", ""))

    @property
    def is_complete(self) -> bool:
        return all(len(self.groups[arm.name].decided) == len(self.design.seeds_of(arm)) for arm in ARMS)

    def to_json(self) -> dict[str, Any]:
        """For programs. Accuracies are fractions."""
        base = self.design.base
        return {
            "seeds": self.design.seeds,
            "epochs": base.epochs,
            "dataset": base.dataset,
            "limit_train": base.limit_train,
            "limit_test": base.limit_test,
            "complete": self.is_complete,
            "evidence": self.is_complete and not self.design.shortcomings(),
            "why_no_evidence": self.design.shortcomings(),
            "claims": [
                {
                    "number": claim.number,
                    "claim": claim.text,
                    "rule": claim.rule,
                    "measured": finding.measured,
                    "n": finding.n,
                    "verdict": finding.verdict,
                    "details": finding.details,
                    "power": self.power(claim, finding) or None,
                }
                for claim, finding in self.findings
            ],
            "arms": {name: group.to_json() for name, group in self.groups.items()},
            "environments": list(self.environments),
        }


def _environments(runs: list[tuple[dict[str, Any], RunStarted | None]]) -> list[dict[str, Any]]:
    """The different machines and versions among runs."""
    found: list[dict[str, Any]] = []
    for record, started in runs:
        versions = record.get("versions")
        versions = versions if isinstance(versions, dict) else {}
        one = {
            "cpu": record.get("cpu"),
            "device": started.device if started is not None else record.get("device"),
            "python": versions.get("python"),
            "torch": versions.get("torch"),
            "mnist-tui": versions.get("mnist-tui"),
            "git_revision": record.get("git_revision"),
        }
        if one not in found:
            found.append(one)
    return found
