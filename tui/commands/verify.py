"""`verify`: check a run against its log."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from core.errors import RunError
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.provenance import left_out_of
from experiments.runs.store import Store
from experiments.verification.elsewhere import ScoreElsewhere, score_on
from experiments.verification.findings import Check, missing
from experiments.verification.verify import Verification
from experiments.verification.verify import verify as verify_run
from tui.command_line.exit_codes import ExitCode
from tui.command_line.options import AsJson, ModuleAgain, SaveWrong, save_wrong_images
from tui.command_line.patience import reading_logs
from tui.text.output import complain, note, percent, say, say_json, table

WORDS = {True: "agrees", False: "DIFFERS", None: "not checked"}


def verify(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            help="An id, a unique prefix of one, a name, latest, a group, or a bundle.", metavar="RUN|FILE.zip"
        ),
    ],
    arch: ModuleAgain = None,
    save_wrong: SaveWrong = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="Score the stored weights on the test images of another data set, too: of qmnist on the 50,000 that "
            "MNIST has not.",
            metavar="DATASET",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a run, a group or a bundle against its log. Counts and scores it again; exits 5 where they differ."""
    from experiments.execution.apart import try_code

    locations: Locations = context.obj
    with ExitStack() as stack:
        if run.endswith(".zip"):
            from experiments.bundles.unpack import unpacked

            found = stack.enter_context(unpacked(Path(run)))
        else:
            found = [(one, ()) for one in Store(locations.home).find_all(run)]
        runs = [one for one, _ in found]
        attempt = verify_run if len(runs) == 1 else _verify_member
        with reading_logs(runs):
            for one in runs:
                try_code(one, arch)
            verifications = [attempt(one, locations, arch=arch, before=before) for one, before in found]
            scored = [one for one in runs if not left_out_of(one.folder)] or runs  # the others have no weights
            elsewhere = {} if on is None else {one.id: score_on(one, locations, on, arch=arch) for one in scored}
        if save_wrong is not None:
            save_wrong_images(scored, locations, save_wrong, arch=arch)
        group_id = runs[0].meta().group_id
    agrees = all(verification.agrees for verification in verifications)
    if as_json:
        records = [verification.to_json() for verification in verifications]
        for record in records:
            if score := elsewhere.get(record["run_id"]):
                record["on"] = score.to_json()
        say_json(records[0] if len(records) == 1 else {"group_id": group_id, "agrees": agrees, "runs": records})
    else:
        for verification in verifications:
            _say(verification)
        for score in elsewhere.values():
            _say_elsewhere(score)
    raise typer.Exit(ExitCode.DONE if agrees else ExitCode.NO_RUN)


def _verify_member(run: Run, locations: Locations, *, arch: str | None, before: tuple[Check, ...]) -> Verification:
    """Verify one of several runs. One that cannot be verified becomes a finding and does not stop the others."""
    try:
        return verify_run(run, locations, arch=arch, before=before)
    except RunError as error:
        return Verification(run.id, (*before, missing("run", str(run.folder), error.message)))


def _say_elsewhere(score: ScoreElsewhere) -> None:
    found = score.to_json()
    interval = f"95% interval {percent(found['low'])} to {percent(found['high'])}"
    right = f"{score.correct:,} of {score.images:,} test images, {interval}, {score.weights} weights"
    say(f"run {score.run_id} on {score.dataset}: {percent(score.accuracy)} ({right})")
    if score.note:
        note(f"{score.dataset}: {score.note}")


def _say(verification: Verification) -> None:
    rows = [(WORDS[check.agrees], check.item, check.where, check.stored, check.found) for check in verification.checks]
    say(table(("", "what", "where", "stored", "found"), rows))
    differing = [check for check in verification.checks if check.agrees is False]
    if differing:
        places = ", ".join(dict.fromkeys(check.where for check in differing))
        complain(f"run {verification.run_id} does not match its log: {places}", "the lines with DIFFERS say how")
    else:
        count = sum(check.agrees is True for check in verification.checks)
        say(f"run {verification.run_id}: all {count} checks agree")
    if verification.code_note:
        note(verification.code_note)
