"""The fields of a new sweep as texts, and what they amount to: the words of a command, or what is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches

from core.advice import Action, Tip
from core.config import TrainConfig
from core.data.task_of import task_of
from core.errors import InvalidValue, LabError, OverBudget, shown
from core.models.grammar.template import is_template
from core.models.spec import is_user_module
from experiments.locations import Locations
from experiments.presets.loader import DEFAULT, load_preset
from experiments.studies.folder import StudyFolder
from experiments.studies.objectives import ACCURACIES, COSTS
from experiments.studies.plan import (
    MAX_JOBS,
    MAX_SEEDS_PER_TRIAL,
    MAX_TRIALS,
    PRUNERS,
    SAMPLERS,
    SweepPlan,
    make_plan,
)
from experiments.studies.proposals import Proposals, check_machine
from experiments.studies.racing.rule import MAX_RACE
from experiments.studies.space import FIXED, in_words, parse_value
from tui.live.forms.advice import WORDS, tip_in_words
from tui.live.forms.fields import label as lab_label
from tui.live.forms.form import check, texts_of
from tui.live.machine import torch_is_there
from tui.text.advice import flag as flag_of
from tui.text.keys import with_keys
from tui.text.numbers import whole_number
from tui.text.template_words import range_in_words, range_of

LABELS = {
    "study": "Study",
    "space": "Space",
    "trials": "Trials",
    "epochs": "Epochs",
    "objective": "Objective",
    "sampler": "Sampler",
    "pruner": "Pruner",
    "seeds_per_trial": "Seeds a trial",
    "race": "Race",
    "jobs": "Jobs",
}
OBJECTIVES = (*ACCURACIES, *(f"val,{cost}" for cost in COSTS), "val,params,seconds")
"""Those of the form; on the command line every other combination can be written, too."""
CHOICES = {"objective": OBJECTIVES, "sampler": SAMPLERS, "pruner": PRUNERS}
HELP = {
    "study": "A name to find and continue it by.",
    "space": "What is searched, as on the command line: --lr 0.01:0.1:log --arch conv9,conv5, or a template: "
    "--arch 'c{8:16} p2 [s24] gap fc10'",
    "trials": "Trials in all.",
    "epochs": "Epochs of each trial.",
    "objective": "val: accuracy on held-out images. test: on the test set, optimistic. With params, macs or seconds a "
    "step the Pareto front of both.",
    "sampler": "How to propose: tpe learns from the trials so far, nsga2 crosses the best, random, grid takes all.",
    "pruner": "Give up trials early: below the median from half-way on, by halving, or without 99.10% in three epochs.",
    "seeds_per_trial": "Seeds that each trial is trained with; its score is their mean.",
    "race": "When all trials are done, train so many of the best with new seeds and drop those worse by "
    "more than chance; 0 for no race.",
    "jobs": "Trials at once; empty for one for each GPU, else for each core.",
}
GIVEN_OTHERWISE = frozenset({"budget", "epochs"})
"""Config fields that are no option taken from the Lab as they are: one is a flag, the other has a field of its own."""

_FOR_FIELDS = WORDS | {Action.SET: "choose {value} as {label}"}
_FOR_SPACE = WORDS | {
    Action.SET: "put {flag} {value} into Space",
    Action.LEAVE_OUT: "leave {flag} out",
    Action.OPTION: "{flag} {value}",
    Action.RAISE_BUDGET: "put a higher {flag} into Space",
    Action.LIFT_BUDGETS: "turn Budget off in the Lab",
}


def tip_in_form_words(tip: Tip) -> str:
    """A tip in terms of the fields here: what has none of its own is written into Space."""
    return tip_in_words(tip, _FOR_FIELDS if tip.subject in LABELS else _FOR_SPACE)


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A sweep that may be started: the options of `mnist-tui sweep --study NAME`."""

    name: str
    options: tuple[str, ...]


def lab_config(form: Mapping[str, str]) -> TrainConfig:
    """The config in the Lab now, of several seeds the first.

    Raises:
        InvalidValue: when something is wrong there.
    """
    checked = check(texts_of({}) | dict(form), form.get("arch", "conv9"))
    for field, error in checked.errors.items():
        words = f"{lab_label(field)} {error}" if field else error
        raise InvalidValue("Lab", "", words, hint=with_keys("put it right in the Lab ({lab}) first"))
    assert checked.config is not None, "a form without errors has a config"
    return checked.config


def check_sweep(texts: Mapping[str, str], base: TrainConfig, locations: Locations) -> SweepRequest:
    """Hold the fields against what `mnist-tui sweep` would make of them, with a base that says what does not vary.

    Raises:
        LabError: naming the first field that is wrong.
    """
    texts = {field: text.strip() for field, text in texts.items()}
    folder = StudyFolder.of(locations.home, texts["study"])
    if (folder.folder / "study.json").exists() or folder.journal.exists() or folder.is_alive():
        raise InvalidValue(
            "study", folder.name, "exists already", hint=with_keys("open it and press {continue} to continue it")
        )
    trials = whole_number("trials", 1, MAX_TRIALS)(texts["trials"])
    jobs = whole_number("jobs", 1, MAX_JOBS)(texts["jobs"]) if texts["jobs"] else None
    searched = options_of(texts["space"])
    options = {"epochs": texts["epochs"]} | _fixed_by(base) | searched
    with _within_budget("space" if "epochs" in searched else "epochs", texts):
        plan = make_plan(("--preset", DEFAULT), options, objective=texts["objective"], budget=base.budget)
    seeds = whole_number("seeds_per_trial", 1, MAX_SEEDS_PER_TRIAL)(texts["seeds_per_trial"])
    race = whole_number("race", 0, MAX_RACE)(texts["race"])
    plan = replace(plan, sampler=texts["sampler"], pruner=texts["pruner"], seeds_per_trial=seeds, race=race)
    plan.check()
    if texts["sampler"] == "grid":
        plan.space.grid()
    with _within_budget("space", texts):
        _check_feasible(plan)
    if torch_is_there():
        check_machine(plan)
    words = ["--preset", DEFAULT, *(() if base.budget else ("--no-budget",))]
    for field, text in options.items():
        words += [flag_of(field), text]
    for field in CHOICES:
        words += [flag_of(field), texts[field]]
    words += ["--seeds-per-trial", str(seeds), "--race", str(race)]
    words += ["--trials", str(trials), *(() if jobs is None else ("--jobs", str(jobs)))]
    return SweepRequest(folder.name, tuple(words))


def template_words(space: str, base: TrainConfig) -> str:
    """What the networks of a template amount to that is written into Space, or is in the Lab, for the data set and
    within the budget that are; empty without one, or while it is wrong."""
    try:
        options = options_of(space)
        arch = options.get("arch", base.arch)
        if not is_template(arch):
            return ""
        names = [field for field in ("dataset", "max_params") if field in options]
        own: dict[str, object] = {field: parse_value(field, options[field]) for field in names}
        base = base.model_copy(update=own)
        found = range_of(arch, task_of(base.dataset))
    except LabError:
        return ""
    budget = base.max_params if base.budget else None
    words = range_in_words(found.least.total_params, found.most.total_params, budget)
    if budget is None:
        return f"Networks of the template: {words}."
    numbers, comma, rest = words.partition(", ")
    return f"Networks of the template: {numbers} parameters{comma}{rest}."


def options_of(text: str) -> dict[str, str]:
    """A space as it is written on the command line, field by field; a field with one value is fixed.

    Raises:
        InvalidValue: naming the word that is wrong.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidValue("space", text, "a quotation mark is not closed", hint="close it") from error
    options: dict[str, str] = {}
    fields = [field for field in TrainConfig.model_fields if field != "budget"]
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for flag, value in zip(words[::2], [*words[1::2], ""], strict=False):
        field = flag.removeprefix("--").replace("-", "_")
        if flag.startswith("--") and field in LABELS and field not in fields:
            place = "above" if field == "study" else "below"
            raise InvalidValue("space", flag, f"has a field of its own, {LABELS[field]} {place}", hint="leave it out")
        if not flag.startswith("--") or field not in fields:
            close = get_close_matches(field, fields, n=1)
            hint = f"did you mean {flag_of(close[0])}?" if close else "for example --lr 0.01:0.1:log"
            raise InvalidValue("space", flag, "cannot be searched", hint=hint)
        if not value or value.startswith("--"):
            if field in FIXED:
                first = TrainConfig.model_fields[field].default
                example = f"for example {flag} {1000 if first is None else in_words(first)}"
                raise InvalidValue("space", flag, "takes one value", hint=example)
            raise InvalidValue("space", flag, "has no values", hint=f"for example {flag} A,B or LOW:HIGH")
        if field in options:
            raise InvalidValue("space", flag, "is there twice", hint="leave one of them out")
        options[field] = value
    return options


@contextmanager
def _within_budget(field: str, texts: Mapping[str, str]) -> Iterator[None]:
    """Name the field in which too much is asked for."""
    try:
        yield
    except OverBudget as error:
        text = shown(texts[field], 24)
        raise InvalidValue(field, text, error.message.removeprefix(f"epochs = {text}: "), hint=error.advice) from error


def _fixed_by(base: TrainConfig) -> dict[str, str]:
    """The fields in which a config differs from what a sweep starts from."""
    start = load_preset(DEFAULT).config
    values = {field: getattr(base, field) for field in TrainConfig.model_fields if field not in GIVEN_OTHERWISE}
    return {field: in_words(value) for field, value in values.items() if value != getattr(start, field)}


def _check_feasible(plan: SweepPlan) -> None:
    searched = plan.space.dimension("arch")
    archs = [plan.base.arch, *map(str, searched.ends() if searched is not None else ())]
    if not any(map(is_user_module, archs)):  # whose code is run by the sweep's own process alone
        Proposals(plan.base, plan.space).check_feasible()
