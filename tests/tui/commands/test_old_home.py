"""A home made before the packages were reordered is read, verified and continued as before.

`tests/fixtures/old_home` holds the home, a bundle of its run `done`, and what the version that made them answered about
them; in `show-*.txt` what is answered today, as words for people may change. Where an answer names the home's folder it
says HOME.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from safetensors.torch import load_file

from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.config import stored_config

FIXTURE = Path(__file__).parents[2] / "fixtures" / "old_home"


@pytest.fixture(autouse=True)
def old_home(home):
    shutil.copytree(FIXTURE / "home", home)


def kept(name: str, home: Path) -> str:
    return (FIXTURE / "answers" / name).read_text().replace("HOME", str(home))


def what_was(before: Any, now: Any) -> Any:
    """`now` without the keys that `before` has not: they may be added, but none may change or go. Numbers count as the
    same up to the rounding of their last digits."""
    if isinstance(before, dict) and isinstance(now, dict):
        return {key: what_was(value, now[key]) for key, value in before.items() if key in now}
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [what_was(one, other) for one, other in zip(before, now, strict=True)]
    if isinstance(before, float) and isinstance(now, float) and math.isclose(before, now, rel_tol=1e-9):
        return before
    return now


def contents(bundle: Path) -> dict[str, bytes]:
    with ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("runs", "runs.txt"),
        ("show done", "show-done.txt"),
        ("show stopped", "show-stopped.txt"),
        ("show pair", "show-pair.txt"),
    ],
)
def test_what_people_read_is_the_same(cli, home, words, name):
    answer = cli(*words.split())
    assert (answer.code, answer.out) == (0, kept(name, home))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("runs", "runs.json"),
        ("show done", "show-done.json"),
        ("show stopped", "show-stopped.json"),
        ("show pair", "show-pair.json"),
        ("compare pair-0 pair-1", "compare.json"),
        ("sweeps rates", "sweeps-rates.json"),
    ],
)
def test_what_programs_read_is_the_same(cli, home, words, name):
    answer = cli(*words.split(), "--json")
    before = json.loads(kept(name, home))
    assert answer.code == 0
    assert what_was(before, answer.json) == before


@pytest.mark.parametrize("name", ["done", "done.zip"])
def test_run_and_bundle_agree_with_their_logs(cli, home, name):
    answer = cli("verify", FIXTURE / name if name.endswith(".zip") else name, "--json")
    before = json.loads(kept(f"verify-{name}.json", home))
    assert answer.code == 0
    asked = {(check["item"], check["where"]) for check in before}  # more is checked now
    found = [check for check in answer.json["checks"] if (check["item"], check["where"]) in asked]
    assert what_was(before, found) == before


def test_the_run_packs_into_the_same_bundle(cli, tmp_path):
    assert cli("bundle", "done", "-o", tmp_path / "again.zip").code == 0
    assert contents(tmp_path / "again.zip") == contents(FIXTURE / "done.zip")


def test_a_run_stopped_within_an_epoch_ends_as_if_it_had_not_been(cli, store, tmp_path, cache_home):
    """Its weights are those of a run made here and now: bit for bit where this processor rounds as the one that made
    the checkpoint, which the kept hash of the undisturbed run tells; elsewhere within a tolerance."""
    run = store.find("stopped")
    elsewhere = Locations(tmp_path / "elsewhere", tmp_path / "data", cache_home / "mnist-tui" / "decoded")
    *_, whole = Runner(elsewhere).run(stored_config(run))
    *_, finished = records = cli("resume", "stopped", "--json").records
    undisturbed = [json.loads(line) for line in (FIXTURE / "answers" / "undisturbed.jsonl").read_text().splitlines()]
    if whole.event.weights_sha256 == undisturbed[-1]["weights_sha256"]:
        assert finished["weights_sha256"] == whole.event.weights_sha256
    weights = load_file(Runner(elsewhere).store.run(whole.run_id).final_weights)
    for name, tensor in load_file(run.final_weights).items():
        torch.testing.assert_close(tensor, weights[name], rtol=1e-3, atol=1e-3)
    losses = {record["epoch"]: record["test_loss"] for record in records if record["event"] == "epoch_finished"}
    expected = {record["epoch"]: record["test_loss"] for record in undisturbed[:-1] if record["epoch"] > 1}
    assert losses == pytest.approx(expected, abs=1e-3)


def test_runs_and_groups_make_a_page(cli, tmp_path):
    assert cli("report", "pair", "done", "-o", tmp_path / "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert "Group pair" in page
    assert "46 of 200" in page


def test_a_sweep_goes_on_to_the_trials_it_was_to_have(cli, home):
    before = json.loads(kept("sweeps-rates.json", home))
    (listed,) = cli("sweeps", "--json").json
    assert (listed["study"], listed["done"], listed["planned"]) == ("rates", 2, 4)
    assert cli("sweep", "--study", "rates", "--json").code == 0
    after = cli("sweeps", "rates", "--json").json
    assert (after["done"], after["planned"], after["states"]["finished"]) == (4, 4, 4)
    finished = [trial for trial in before["results"] if trial["state"] == "finished"]
    assert what_was(finished, [trial for trial in after["results"] if trial["trial"] in (0, 1)]) == finished
