"""`sweep`: search for the config that scores best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.config import TrainConfig, field_help
from core.errors import InvalidValue
from experiments.locations import Locations
from experiments.presets.loader import DEFAULT
from experiments.runs.owner import is_locked
from experiments.studies.folder import StudyFolder, no_such_study
from experiments.studies.locks import wait_for_lock
from experiments.studies.objectives import ACCURACIES, parse_objectives
from experiments.studies.plan import (
    MAX_JOBS,
    MAX_SEEDS_PER_TRIAL,
    MAX_TRIALS,
    PRUNERS,
    SAMPLERS,
    Placement,
    SweepPlan,
    continued,
    make_plan,
    settle_data,
)
from experiments.studies.racing.rule import MAX_RACE
from experiments.studies.space import FIXED, Space
from tui.command_line.config_options import FromFile, FromPreset, option_help, with_config_options
from tui.command_line.continuing import as_before, check_same
from tui.command_line.driving import announced, driven, executor_of
from tui.command_line.exit_codes import ExitCode, stop_code
from tui.command_line.following import announcing, download_progress
from tui.command_line.hangup import training_on_a_terminal
from tui.command_line.signals import StopFlag, stop_on_signals
from tui.text.advice import flag
from tui.text.numbers import whole_number
from tui.text.output import note, note_logs

if TYPE_CHECKING:
    from experiments.studies.view import StudyView

EXECUTORS = ("local", "ray")


def _one_of(name: str, words: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise InvalidValue(
                name, text, f"must be one of {', '.join(words)}", hint=f"for example --{name} {words[0]}"
            )
        return text

    return parse


def _objectives(text: str) -> str:
    return ",".join(parse_objectives(text))


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 8:
        raise InvalidValue("gpus_per_trial", text, "must be a number above 0 and at most 8", hint="for example 0.5")
    return value


def _not_an_option(field: str, hint: str, text: str) -> str:
    """The text of an option; it is checked against the field later. A text that is itself an option means that the
    value is missing. It is refused here, because the later message would name the wrong field."""
    if text.startswith("--"):
        raise InvalidValue(field, text, "is an option: a value is missing before it", hint=hint)
    return text


def _space_option(field: str) -> Parameter:
    """A config field as an option that takes a value or a dimension of the search space."""
    name = flag(field)
    if field == "budget":
        annotation: Any = Annotated[bool | None, typer.Option(f"{name}/--no-budget", help=field_help(field))]
    else:
        default = TrainConfig.model_fields[field].default
        is_switch = isinstance(default, bool)
        is_number = isinstance(default, int | float) and not is_switch
        many = "X|A,B|LOW:HIGH" if is_number else "true|false|true,false" if is_switch else "X|A,B"
        hint = f"for example {name} true,false" if is_switch else field_help(field)
        option = typer.Option(
            name,
            help=option_help(field),
            metavar="VALUE" if field in FIXED else many,
            parser=partial(_not_an_option, field, hint),
        )
        annotation = Annotated[str | None, option]
    return Parameter(field, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


@with_config_options(after="config", parameter_of=_space_option)
def sweep(
    context: typer.Context,
    *,
    preset: FromPreset = None,
    config: FromFile = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="Number of trials in total, those of earlier calls included [default: 20].",
            metavar="N",
            parser=whole_number("trials", 1, MAX_TRIALS),
        ),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="How values are proposed [default: tpe].",
            metavar="|".join(SAMPLERS),
            parser=_one_of("sampler", SAMPLERS),
        ),
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            help="When to give up a trial early: below the median of the others in the second half of its run "
            "(median), by successive halving (halving), or below 99.10% in its first three epochs "
            "(early-signal). A trial that ends before it hears of the decision counts as finished [default: "
            "none].",
            metavar="|".join(PRUNERS),
            parser=_one_of("pruner", PRUNERS),
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="What to maximise: accuracy after the last epoch, on held-out training images (val: a tenth of "
            "them, at most 5,000, unless --val-split says otherwise) or on the test set (test, which makes "
            "it optimistic). With params, macs (multiply-adds for an image) or seconds (of a step) behind it, the "
            "search is for the Pareto front of all [default: val].",
            metavar="|".join(ACCURACIES) + "[,COST]...",
            parser=_objectives,
        ),
    ] = None,
    seeds_per_trial: Annotated[
        int | None,
        typer.Option(
            help="Seeds that each trial is trained with, as a group; its score is their mean [default: 1].",
            metavar="N",
            parser=whole_number("seeds_per_trial", 1, MAX_SEEDS_PER_TRIAL),
        ),
    ] = None,
    race: Annotated[
        int | None,
        typer.Option(
            help="When all trials are done, train the N best with new seeds, and drop those that are worse by more "
            "than chance, until one is left or each has 12 [default: 0, no race].",
            metavar="N",
            parser=whole_number("race", 0, MAX_RACE),
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="Where to train: in processes of this machine (local), or on a Ray cluster (ray) [default: local].",
            metavar="|".join(EXECUTORS),
            parser=_one_of("executor", EXECUTORS),
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Trials at once [default: one for each GPU, else for each core].",
            metavar="N",
            parser=whole_number("jobs", 1, MAX_JOBS),
        ),
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(
            help="Share of a GPU for each trial; 0.5 trains two on one GPU [default: 1].", metavar="F", parser=_share
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="With --executor ray: the cluster to join [default: one that is started on this machine].",
            metavar="HOST:PORT",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(help="The study's name; the same name continues it [default: a new name].", metavar="NAME"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one event a line as JSON.")] = False,
    **options: Any,
) -> None:
    """Search for the config that scores best. Options with a range or a list are searched, the others are fixed.

    A space is written as options: --lr 0.01:0.1:log --batch-size 64,128,256 --arch conv9,conv5 --dropout 0:0.2:0.05.
    A template searches networks: --arch "c{8:20:2} p2 s{24,32,40}p1 [s40p1] gap fc10".
    """
    locations: Locations = context.obj
    note_logs("experiments")
    made_up = f"sweep-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder = StudyFolder.of(locations.home, made_up if study is None else study)
    stored = folder.plan()
    if stored is not None:
        with folder.locked():  # else another process drives it
            pass
        with stop_on_signals() as stop:  # else the journal is locked by a process that does not drive it
            wait_for_lock(folder.journal_lock, lambda: not is_locked(folder.journal_lock), stop)
    placement = _placement(stored, executor, jobs, gpus_per_trial, ray_address)
    budget: bool | None = options.pop("budget")
    written = {field: text for field, text in options.items() if text is not None}
    starts = bool(preset or config)
    if stored is None and study is not None and not (written or starts or objective or budget is not None):
        raise no_such_study(locations.home, study)
    if stored is not None and not starts and not Space.parse(written)[0]:
        plan = continued(stored, written, objective=objective, budget=budget)
    else:
        plan = make_plan(_origin(preset, config), written, objective=objective or "val", budget=budget)
        plan = as_before(plan, stored, written)
    plan = replace(plan, sampler=sampler or plan.sampler, pruner=pruner or plan.pruner, trials=trials or plan.trials)
    plan = replace(plan, seeds_per_trial=seeds_per_trial or plan.seeds_per_trial, placement=placement)
    plan = replace(plan, race=plan.race if race is None else race)
    plan.check()
    if placement.executor == "ray":
        from experiments.execution.ray_executor import require_ray

        require_ray()
    if plan.sampler == "grid":
        plan.space.grid()

    from experiments.execution.runner import Runner
    from experiments.studies.code import keep_code, read_code
    from experiments.studies.proposals import Proposals, check_machine
    from experiments.studies.view import study_view
    from tui.text.sweep_report import SweepReport

    with training_on_a_terminal(locations) as stop:
        runner = Runner(locations, stop, download_progress())
        runner.store.check_writable()
        for changed in read_code(folder, plan, runner.first_read):
            note(changed)
        Proposals(plan.base, plan.space, runner.first_read).check_feasible()
        plan = _with_data(plan, locations, stop)
        plan = replace(plan, base=runner.teachers.settled(runner.store, plan.base))
        if stored is not None:
            check_same(folder.name, stored, plan)
        trainer = executor_of(plan, locations)
        if placement.executor == "local":
            check_machine(plan)
        with folder.held():
            if folder.plan() != stored:
                hint = f"mnist-tui sweeps {folder.name} shows it"
                raise InvalidValue("study", folder.name, "was begun or changed by another process", hint=hint)
            keep_code(folder, plan, runner.first_read)
            folder.write_plan(plan)
            before = study_view(locations.home, folder.name)
            report = SweepReport(before, as_json=as_json)
            report.begin()
            with announcing(runner.store, 1) as announcer:
                for event in announced(driven(runner, folder, plan, trainer, stop), before, announcer, stop):
                    report.show(event)
        view = study_view(locations.home, folder.name)
        report.end(view, runner.store)
    raise typer.Exit(_exit_code(view, stop()))


def _origin(preset: str | None, config: Path | None) -> tuple[str, str]:
    if preset is not None and config is not None:
        raise InvalidValue(
            "config", str(config), "cannot be used with --preset", hint='name the preset in the file: base = "..."'
        )
    return ("--config", str(config.absolute())) if config is not None else ("--preset", preset or DEFAULT)


def _placement(
    stored: SweepPlan | None, executor: str | None, jobs: int | None, gpus: float | None, address: str | None
) -> Placement:
    """Where to train: as asked, or else as the study did so far."""
    before = stored.placement if stored is not None else Placement()
    if executor is not None and executor != before.executor:
        before = Placement(executor=executor)
    if address is not None and before.executor != "ray":
        raise InvalidValue("ray_address", address, "is for --executor ray", hint="add it, or leave this out")
    return Placement(
        executor=before.executor,
        jobs=jobs or before.jobs,
        gpus_per_trial=gpus or before.gpus_per_trial,
        ray_address=address or before.ray_address,
    )


def _with_data(plan: SweepPlan, locations: Locations, stop: StopFlag) -> SweepPlan:
    """Load and check the data once before anything trains, so that no worker has to download it."""
    from core.data.loader import Loader

    dataset = Loader(locations.data, locations.cache, stop, download_progress()).load(plan.base.dataset)
    if dataset.note:
        note(f"warning: {dataset.note}")
    return settle_data(plan, dataset)


def _exit_code(view: StudyView, reason: str) -> ExitCode:
    if reason:
        return stop_code(reason)
    return ExitCode.FAILED if view.trained and all(trial.state == "failed" for trial in view.trained) else ExitCode.DONE
