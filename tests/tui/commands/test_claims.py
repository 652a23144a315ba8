"""`claims` as a command: the runs that it makes, that it goes on after a kill, and the report."""

import os
import signal
import subprocess
import sys
from xml.etree import ElementTree

from waiting import wait_until

from experiments.runs.row import Status

SMALL = ("claims", "--seeds", "1", "--epochs", "1", "--dataset", "mnist-5k", "--limit-train", "300")
SMALL += ("--limit-test", "100", "--device", "cpu", "--jobs", "2")


def test_killed_claims_go_on_without_doing_a_run_twice(cli, store, home, tmp_path):
    words = [sys.executable, "-m", "tui", "--home", str(home), *SMALL]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ) as process:
        # On a busy machine it takes minutes until two more processes have loaded torch.
        wait_until(lambda: process.poll() is not None or Status.FINISHED in (status for _, status in store.rows()), 400)
        assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGKILL)
    before = {row.run_id for row, status in store.rows() if status is Status.FINISHED}
    page = tmp_path / "six.md"
    answer = cli(*SMALL, "-o", page)
    assert answer.code == 0, answer.err
    rows = store.rows()
    assert [status for _, status in rows] == [Status.FINISHED] * 8
    groups = {row.name: row.group_id for row, _ in rows}
    assert len(groups) == len(set(groups.values())) == 8, groups
    assert before <= {row.run_id for row, _ in rows}
    assert [line[:2] for line in answer.out.splitlines()] == [f"{number}." for number in range(1, 7)]
    assert all("CANNOT TELL" in line for line in answer.out.splitlines())
    assert "would tell" not in answer.out, "more of what is no evidence tells nothing"
    assert "no evidence for or against any claim: only 300 training images" in answer.err
    assert "**This is no evidence" in page.read_text()
    for chart in ("curves", "recipes", "early"):
        ElementTree.parse(tmp_path / f"six-{chart}.svg")

    record = cli(*SMALL, "--json").json
    assert (record["complete"], record["evidence"], len(record["claims"])) == (True, False, 6)
    assert all({"number", "claim", "measured", "n", "verdict", "rule"} <= set(claim) for claim in record["claims"])
    assert (record["limit_train"], record["limit_test"]) == (300, 100)
    assert "holds" not in record["claims"][3]["measured"]
    assert {claim["power"] for claim in record["claims"]} == {None}
    assert len(store.rows()) == 8
    same = record["claims"][4]["details"]
    assert same["same_seed_same_weights"] == same["same_seed"] == 1


def test_what_is_wrong_is_said_before_anything_trains(cli, refused, store, tmp_path):
    (tmp_path / "notes.md").write_text("mine")
    refused(cli(*SMALL, "-o", tmp_path / "notes.md"), 2, "output", "would be lost")
    refused(cli(*SMALL, "-o", tmp_path / "x.txt"), 2, "output", ".md")
    refused(cli("claims", "--epochs", "21"), 3, "epochs = 21")
    refused(cli("claims", "--seeds", "0"), 2, "seeds", "0")
    for duration in ("0s", "5", "-1h", "soon"):
        refused(cli("claims", f"--for={duration}"), 2, f"for = {duration}", "must be a number above 0 with s, m or h")
    refused(cli("claims", "--dataset", "cifar"), 2, "dataset", "cifar")
    assert store.rows() == []


def test_when_its_time_is_up_it_says_how_things_stand_and_goes_on_from_there(cli, store):
    answer = cli(*SMALL, "--for", "0.001s")
    assert answer.code == 0, answer.err
    assert "time is up; the same command goes on from here" in answer.err
    assert "not all runs have ended" in answer.err
    assert [line[:2] for line in answer.out.splitlines()] == [f"{number}." for number in range(1, 7)]
    assert "over batch-64 unknown" in answer.out
    assert "+0.000" not in answer.out, "of no runs there is no difference"
    assert all(status is not Status.FINISHED for _, status in store.rows())
    record = cli(*SMALL, "--for", "0.001s", "--json").json
    assert (record["complete"], len(record["claims"])) == (False, 6)
