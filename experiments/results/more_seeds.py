"""More seeds for a group that is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.errors import InvalidValue, RunError
from experiments.results.groups import find_group
from experiments.runs.config import stored_config
from experiments.runs.folder import Meta, Run, RunSpec
from experiments.runs.own_code import NamedCode, named_code
from experiments.runs.recipe import FREE_FIELDS
from experiments.runs.seeds import seed_specs, seeds_text
from experiments.runs.store import Store


def more_seeds(
    store: Store, reference: str, seeds: Sequence[int], changes: Mapping[str, object]
) -> tuple[str, list[RunSpec], str]:
    """A group's id, the config, name and tags that each of these seeds has in it, and a note on their code.

    Args:
        reference: the group's id, a prefix of it, or its name.
        changes: config fields that were given all the same; they must not change the recipe. A module of one's own has
            to be named again.

    Raises:
        RunError: when there is no such group, or its records are damaged.
        InvalidValue: for a seed that it has, another recipe, or a group whose runs are not of one.
    """
    group_id = store.find_group_id(reference)
    group = find_group(store, group_id) if group_id is not None else None
    if group is None:
        hint = Advice(Tip(Action.SHOW, "RUN"), " says which group a run is in")
        raise RunError(f"no such group: {reference!r}", hint=hint)
    if varying := group.varying():
        hint = Advice("begin another group, without ", Tip(Action.OPTION, "group"))
        raise InvalidValue("group", reference, f"its runs differ in {', '.join(varying)}", hint=hint)
    taken = {member.seed for member in group.members}
    if known := [str(seed) for seed in seeds if seed in taken]:
        some = ", ".join(known[:4]) + (", ..." if len(known) > 4 else "")
        hint = Advice(Tip(Action.SHOW, reference), " lists its runs")
        raise InvalidValue("seeds", seeds_text(seeds), f"the group has {some} already", hint=hint)
    member = store.run(group.members[0].run_id)
    config, code = _same_recipe(member, changes)
    meta = member.meta()
    specs = seed_specs(config, seeds, Meta(group.name, meta.tags, group.id, meta.trackers))
    return group.id, [replace(spec, files=code.files) for spec in specs], code.note


def _same_recipe(member: Run, changes: Mapping[str, object]) -> tuple[TrainConfig, NamedCode]:
    arch = changes.get("arch")
    code = named_code(member, stored_config(member), str(arch) if arch is not None else None, exactly=True)
    config = code.config
    changed = config.changed(**{field: value for field, value in changes.items() if field != "arch"})
    for field in TrainConfig.model_fields:
        old, new = getattr(config, field), getattr(changed, field)
        if old != new and field not in FREE_FIELDS:
            hint = Advice("leave it out, or begin another group, without ", Tip(Action.OPTION, "group"))
            raise InvalidValue(field, new, f"the group's runs have {old}", hint=hint)
    return changed, code
