"""Networks of one's own, of every kind that people have: each does all that a spec does, by the command line."""

from __future__ import annotations

import json
import subprocess
import warnings
from pathlib import Path

import pytest
import torch
from network_files import NETWORKS
from waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SMALL = ("--dataset=mnist-5k", "--limit-train=256", "--limit-test=100", "--batch-size=48", "--device=cpu")
LONG = ("--epochs=300", "--no-budget")
"""So many epochs that a run is killed in the middle of them; together they take seconds."""


def succeeds(lab, *arguments: object) -> str:
    done = lab.run(*map(str, arguments), timeout=600)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def final_weights(lab, name: str) -> str:
    return json.loads(succeeds(lab, "show", name, "--json"))["end"]["weights_sha256"]


def train_and_kill(lab, name: str, *arguments: str) -> None:
    """Begin a run, and kill its process after an epoch."""
    with subprocess.Popen(
        [*lab.command, "run", "--name", name, "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=lab.environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "epoch_finished":
                process.kill()
    # Its module was trained in a process of its own, which stops with a checkpoint when it is left alone.
    wait_until(lambda: {row["name"]: row["status"] for row in lab.rows()}[name] in ("crashed", "stopped"))


def logits_of(model: Path, images: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"image": (images[:, None].float() / 255).numpy()})[0])


def goes_through_everything(lab, tmp_path, kind: str, engine: str) -> None:
    """Show, train, kill, resume, verify, export, predict, a group and a sweep, with this engine."""
    from core.data.picture import write_picture
    from experiments.inference.network import load_network
    from experiments.runs.store import Store

    network, folder = NETWORKS[kind], tmp_path / "mine"
    arch = network.write(folder)
    assert json.loads(succeeds(lab, "archs", "show", arch, "--json"))["total_params"] == network.parameters

    named = ("--engine", engine, "--arch", arch)
    options = (*SMALL, *LONG, *named)
    succeeds(lab, "run", "--name", "whole", *options)
    train_and_kill(lab, "killed", *options)
    network.change(folder)
    resumed = lab.run("resume", "killed", "--arch", arch)
    assert resumed.returncode == 0, resumed.stderr
    assert "changed since the run was made: its own copy is used" in resumed.stderr
    assert final_weights(lab, "killed") == final_weights(lab, "whole")
    succeeds(lab, "verify", "killed", "--arch", arch)

    images = torch.randint(0, 256, (20, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model = tmp_path / "net.onnx"
    succeeds(lab, "export", "whole", "--format", "onnx", "-o", model, "--arch", arch)
    expected = load_network(Store(lab.home).find("whole"), arch=arch).logits(images)
    assert (logits_of(model, images) - expected).abs().max() < 1e-4
    images[0] = 0
    images[0, 5:23, 13:15] = 255
    write_picture(tmp_path / "digit.png", images[0])
    (found,) = json.loads(succeeds(lab, "predict", "whole", tmp_path / "digit.png", "--arch", arch, "--json"))
    assert abs(sum(found["probabilities"]) - 1) < 1e-5

    succeeds(lab, "run", "--name", "seeds", "--seeds", "0-2", *SMALL, "--epochs", "2", *named)
    group = [row for row in lab.rows() if row["name"].startswith("seeds-")]
    assert [row["status"] for row in group] == ["finished"] * 3
    assert len({final_weights(lab, row["run_id"]) for row in group}) == 3
    sweep = ("sweep", "--study", "s", "--sampler", "grid", "--lr", "0.01,0.02", "--jobs", "1", *SMALL, "--epochs", "1")
    succeeds(lab, *sweep, *named)
    trials = [row for row in lab.rows() if "study:s" in row["tags"]]
    assert [row["status"] for row in trials] == ["finished"] * 2


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_of_ones_own_does_all_that_a_spec_does(lab, tmp_path, kind):
    goes_through_everything(lab, tmp_path, kind, "auto")


@pytest.mark.parametrize("engine", ["eager", "compile"])
@pytest.mark.parametrize("kind", ["class", "norm of the author's own"])
def test_so_it_does_with_other_engines(lab, tmp_path, kind, engine):
    """The first equals a spec, so that `auto` is native where there is a C compiler; the other equals none."""
    goes_through_everything(lab, tmp_path, kind, engine)
