"""A study that is continued by a command which says all of it once more: it has to be the same search."""

from __future__ import annotations

from dataclasses import replace

from core.dataset_names import is_own, path_and_pin
from core.errors import InvalidValue
from experiments.studies.plan import SweepPlan
from tui.text.output import note


def as_before(plan: SweepPlan, stored: SweepPlan | None, written: dict[str, str]) -> SweepPlan:
    """The plan with the data, sampler, pruner and length of the stored study, where there is one."""
    if stored is None:
        return plan
    same = {field: getattr(stored.base, field) for field in ("dataset", "val_split") if field not in written}
    if _is_same_data(written.get("dataset", ""), stored.base.dataset):
        same["dataset"] = stored.base.dataset
    base = plan.base.model_copy(update=same)
    plan = replace(plan, base=base, seeds_per_trial=stored.seeds_per_trial, race=stored.race)
    return replace(plan, sampler=stored.sampler, pruner=stored.pruner, trials=stored.trials)


def _is_same_data(written: str, stored: str) -> bool:
    """Whether a data set is the one that a study settled on: so is auto, and one's own at the same path."""
    if is_own(written) and is_own(stored):
        (path, pin), (old, _) = path_and_pin(written), path_and_pin(stored)
        return path == old and not pin
    return written == "auto"


def check_same(name: str, stored: SweepPlan, plan: SweepPlan) -> None:
    """Refuse a plan that is another search than the stored one; note a new sampler or pruner."""
    if difference := stored.difference(plan):
        hint = "continue it as it was, with --study alone, or choose another name"
        raise InvalidValue("study", name, f"was begun with other options: {difference}", hint=hint)
    if plan.sampler == "grid" != stored.sampler:
        hint = "begin another study for a grid, or leave --sampler out"
        raise InvalidValue("sampler", "grid", f"the study began with {stored.sampler}", hint=hint)
    for what in ("sampler", "pruner"):
        if (old := getattr(stored, what)) != (new := getattr(plan, what)):
            note(f"{what} was {old}, is now {new}")
