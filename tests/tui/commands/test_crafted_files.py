"""Files that somebody has made up: every command shows them or refuses them in one line, and waits for none."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
import torch
from safetensors.torch import load_file

from core.storage.checkpoint import load_checkpoint
from core.storage.tensors import read_tensors, weights_sha256, write_tensors
from experiments.runs.folder import Run
from experiments.runs.row import RunRow
from experiments.runs.store import Store

FILES = (
    "config.json",
    "meta.json",
    "env.json",
    "owner.json",
    "events.jsonl",
    "checkpoint.safetensors",
    "checkpoint-previous.safetensors",
    "best.safetensors",
    "final.safetensors",
    "predictions.safetensors",
    "reserve",
    "stop",
)
STUDY_FILES = ("study.json", "journal.jsonl", "journal.lock", "lock", "owner.json", "output.log")
DONE, USAGE, DAMAGED = 0, 2, 5


@pytest.fixture
def run(train, home) -> Run:
    assert train("--name", "x").code == DONE
    return Store(home).find("x")


@pytest.fixture(autouse=True)
def nothing_waits(request) -> Iterator[None]:
    """A command that waits for a pipe is interrupted, and fails the test, instead of holding up all others."""
    if "run" in request.fixturenames:
        request.getfixturevalue("run")  # whose training may have to compile kernels first

    def waited(*_: object) -> None:
        raise AssertionError("it waited")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def check_presentable(answer) -> None:
    assert "Traceback" not in answer.err
    assert answer.code in (DONE, 1, USAGE, DAMAGED), answer
    for line in answer.err.splitlines():
        assert line.isprintable()
        assert len(line) < 1_000


@pytest.mark.parametrize("name", FILES)
def test_no_command_waits_for_a_pipe_in_the_place_of_a_runs_file(cli, run, home, tmp_path, name):
    (run.folder / name).unlink(missing_ok=True)
    os.mkfifo(run.folder / name)
    Store(home)
    commands = [
        ("runs",),
        ("show", run.id),
        ("watch", run.id),
        ("verify", run.id),
        ("export", run.id, "--format", "json", "-o", tmp_path / "x.json"),
        ("bundle", run.id, "-o", tmp_path / "x.zip"),
        ("compare", run.id, run.id),
        ("rename", run.id, "other"),
        ("resume", run.id, "--epochs", 3),
        ("stop", run.id),
        ("rm", run.id, "-y"),
    ]
    for command in commands:
        check_presentable(cli(*command))
    assert not run.folder.exists()


@pytest.mark.parametrize("name", STUDY_FILES)
def test_nor_of_a_sweeps(cli, home, name):
    folder = home / "studies" / "first"
    folder.mkdir(parents=True)
    (folder / "study.json").write_text("{}")
    (folder / "journal.jsonl").touch()
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    for command in (("sweeps",), ("sweeps", "first"), ("sweep", "--study", "first", "--trials", 1, "--lr", "0.1,0.2")):
        check_presentable(cli(*command))


@pytest.mark.parametrize("name", ["index.sqlite", "state.json", "interface.log"])
def test_nor_of_a_homes(cli, run, home, name):
    (home / name).unlink(missing_ok=True)
    os.mkfifo(home / name)
    assert run.id in cli("runs").out


def recraft(run: Run, change) -> None:
    """Write the checkpoint anew, with a sum that is right, after a change of its tensors, its state, or its text."""
    from core.storage.checkpoint import _digest

    checkpoint = load_checkpoint(run.checkpoint)
    tensors, state = dict(checkpoint.tensors), dict(checkpoint.state)
    text = change(tensors, state) or json.dumps(state)
    metadata = {"version": "1", "state": text, "sha256": _digest(tensors, text)}
    write_tensors(run.checkpoint, tensors, metadata)
    run.checkpoint.with_stem("checkpoint-previous").unlink(missing_ok=True)


def put(name: str, value: object):
    return lambda _tensors, state: state.update({name: value})


def put_tensor(name: str, value: torch.Tensor):
    return lambda tensors, _state: tensors.update({name: value})


def drop(name: str):
    return lambda tensors, _state: tensors.pop(name) is None and ""


CHECKPOINTS = {
    "nested": lambda *_: "[" * 100_000,
    "a list": lambda *_: "[]",
    "nothing": lambda *_: "null",
    "accuracies that are none": put("accuracies", [float("nan"), 0.5]),
    "accuracies above all": put("accuracies", [0.5, 2.0]),
    "accuracies in words": put("accuracies", ["0.5", "0.5"]),
    "endless": put("seconds", float("inf")),
    "seconds of before": put("epoch_seconds", -1),
    "a huge step": lambda _, state: json.dumps(state | {"step": 0}).replace('"step": 0', f'"step": {"9" * 500}'),
    "half a step": put("step", 1.5),
    "an epoch that is true": put("epoch", True),
    "threads in words": put("threads", "many"),
    "an order beyond": lambda t, _: t.update({"draw.order": t["draw.order"] + 10_000}),
    "an order below": lambda t, _: t.update({"draw.order": t["draw.order"] - 300}),
    "an order twice": lambda t, _: t.update({"draw.order": torch.zeros_like(t["draw.order"])}),
    "an order too short": lambda t, _: t.update({"draw.order": t["draw.order"][:3]}),
    "an order in fractions": lambda t, _: t.update({"draw.order": t["draw.order"] + 0.5}),
    "an order of another shape": lambda t, _: t.update({"draw.order": t["draw.order"][None]}),
    "changes of their own": put_tensor("draw.changes", torch.ones(3, 3)),
    "other steps": put_tensor("engine.steps", torch.tensor(-7)),
    "many steps": put_tensor("engine.steps", torch.arange(5)),
    "no steps": drop("engine.steps"),
    "no random state": drop("random.cpu"),
    "a random state of one byte": put_tensor("random.cpu", torch.zeros(1, dtype=torch.uint8)),
    "a momentum of one number": lambda t, _: t.update({n: torch.tensor(1.0) for n in t if "momentum" in n}),
    "weights of another shape": lambda t, _: t.update({n: torch.zeros(2) for n in t if n.startswith("model.")}),
    "no weights": lambda t, _: [t.pop(name) for name in list(t) if name.startswith("model.")] and None,
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_is_made_up_is_refused_in_one_line(cli, run, home, refused, name):
    entries = run.log.read_text().splitlines(keepends=True)
    recraft(run, lambda _tensors, state: None)
    assert cli("verify", run.id).code == DONE
    cut = [line for line in entries if '"run_finished"' not in line]
    run.log.write_text("".join(cut))
    if "order" in name or "changes" in name:  # which only an epoch under way has

        def begun(tensors, state):
            state |= {"epoch": 2, "step": 1, "accuracies": state["accuracies"][:1]}
            tensors |= {"draw.order": torch.randperm(256), "engine.steps": torch.tensor(3)}

        recraft(run, begun)
    recraft(run, CHECKPOINTS[name])
    check_presentable(cli("verify", run.id))
    check_presentable(cli("show", run.id))
    refused(cli("resume", run.id), DAMAGED)


def test_weights_whose_outputs_are_no_numbers_are_refused(cli, run, refused, tmp_path):
    from PIL import Image

    weights, metadata = read_tensors(run.final_weights, 1 << 20)
    for tensor in weights.values():
        if tensor.is_floating_point():
            tensor.fill_(3e38)
    write_tensors(run.final_weights, weights, metadata)
    assert weights_sha256(load_file(run.final_weights))
    picture = Image.new("L", (28, 28))
    picture.putpixel((14, 14), 255)
    picture.save(tmp_path / "digit.png")
    refused(cli("predict", run.id, tmp_path / "digit.png"), DAMAGED, "not finite")
    refused(cli("verify", run.id), DAMAGED, "not finite")


@pytest.mark.parametrize("field", ["name", "arch", "epochs_done", "seconds", "tags", "limited", "best_test_accuracy"])
def test_rows_of_other_types_in_the_index_are_read_from_the_run(cli, run, home, field):
    wanted = cli("runs", "--json").json
    for value in (1 << 70, -1.5, "text", True, [1], {"a": {}}):
        with closing(sqlite3.connect(home / "index.sqlite")) as database, database:
            ((content,),) = database.execute("SELECT row FROM runs").fetchall()
            row, place = json.loads(content), RunRow._fields.index(field)
            if type(row[place]) is type(value):
                continue
            database.execute("UPDATE runs SET row = ?", (json.dumps([*row[:place], value, *row[place + 1 :]]),))
        assert cli("runs", "--json").json == wanted, value
