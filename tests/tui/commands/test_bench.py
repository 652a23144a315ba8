"""`bench` as a command: what it refuses, and what it says of seeds."""

import pytest

from tui.command_line.exit_codes import ExitCode


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--precision", "tf32", "--device", "cpu"), ("precision = tf32", "needs a CUDA device, not cpu")),
        (("--engine", "graph", "--device", "cpu"), ("engine = graph", "needs a CUDA device, not cpu")),
    ],
)
def test_what_cannot_work_here_is_refused_before_any_data_is_looked_for(cli, refused, no_network, arguments, named):
    refused(cli("bench", *arguments), 2, *named)


@pytest.fixture
def module(tmp_path):
    """Networks of one's own: one that talks, one that is broken."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "class Loud(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
        "    def forward(self, x):\n"
        "        print('forward')\n"
        "        return super().forward(x)\n"
        "class Broken(nn.Module):\n"
        "    def __init__(self):\n"
        "        raise RuntimeError('on purpose')\n"
    )
    return file


def test_a_module_that_is_broken_is_refused_before_any_data_is_looked_for(cli, refused, no_network, module):
    refused(cli("bench", "--arch", f"{module}:Broken"), 2, "RuntimeError('on purpose'): RuntimeError: on purpose")


def test_what_is_only_timed_has_no_budget(cli, no_network):
    assert cli("bench", "--arch", "c64 c64 gap fc10").code == ExitCode.DATA


def test_what_a_module_prints_is_not_among_the_data(cli, module, blobs, monkeypatch):
    monkeypatch.setattr("core.data.loader.Loader.load", lambda *_: blobs)
    words = ("--batch-size", 64, "--rounds", 1, "--steps", 1, "--engine", "eager", "--device", "cpu")
    answer = cli("bench", "--arch", f"{module}:Loud", *words, "--json")
    assert [timing["loop"] for timing in answer.json["timings"]] == ["example", "eager"]
    assert "forward" in answer.err
    assert "1 round of 1 step for the example" in answer.err


def test_the_text_says_at_which_batch_size_and_precision(cli, blobs, monkeypatch):
    monkeypatch.setattr("core.data.loader.Loader.load", lambda *_: blobs)
    words = ("--arch", "c4 gap fc10", "--batch-size", 64, "--rounds", 1, "--steps", 1, "--engine", "eager")
    answer = cli("bench", *words, "--device", "cpu")
    assert answer.out.endswith(", batch 64, fp32\n")


def test_the_text_has_a_table_with_and_without_busy_processes(cli, blobs, monkeypatch):
    monkeypatch.setattr("core.data.loader.Loader.load", lambda *_: blobs)
    monkeypatch.setattr("experiments.bench.busy.SETTLE", 0.01)
    words = ("--arch", "c4 gap fc10", "--batch-size", 64, "--rounds", 1, "--steps", 1, "--engine", "eager")
    answer = cli("bench", *words, "--device", "cpu", "--busy", 1)
    assert "ms quiet" in answer.out
    assert "1 thread at most; busy: beside 1 process; fewer: 1, and nothing else computes\n" in answer.out
    assert "with and without 1 busy process" in answer.err
    [tuned, eager] = cli("bench", *words, "--device", "cpu", "--busy", 1, "--json").json["busy"]
    assert (tuned["loop"], eager["loop"], eager["busy"]) == ("tuned", "eager", 1)
    assert eager["slowdown"] == pytest.approx(eager["ms_busy"] / eager["ms_quiet"])
