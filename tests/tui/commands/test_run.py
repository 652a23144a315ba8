"""`run`: what it prints for people and for programs, and what it leaves behind."""

import json
import os
import re
import signal
from datetime import datetime

import pytest
from post_office import post_office
from safetensors.torch import load_file

from core.config import TrainConfig
from core.engines.native import library as native
from core.engines.native.library import kernels_obstacle
from core.storage.tensors import weights_sha256

TEST_LINE = re.compile(r"Test set: Average loss: \d+\.\d{4}, Accuracy: (\d+)/200 \((\d+\.\d\d)%\)")
NUMBER = (int, float)
OPTIONAL = (int, float, type(None))

KEYS = {
    "run_started": {
        **dict.fromkeys(("total_params", "train_images", "test_images", "steps_per_epoch"), int),
        **{"config": dict, "device": str, "dataset": str},
    },
    "step_progress": {"epoch": int, "step": int, "steps_per_epoch": int, "loss": NUMBER, "images_per_second": NUMBER},
    "epoch_finished": {
        **dict.fromkeys(("train_loss", "train_accuracy", "lr", "seconds", "images_per_second"), NUMBER),
        **dict.fromkeys(("test_loss", "test_accuracy", "val_loss", "val_accuracy"), OPTIONAL),
        **{"epoch": int, "test_correct": (int, type(None)), "test_total": (int, type(None))},
    },
    "run_finished": {
        **dict.fromkeys(("best_test_accuracy", "selected_test_accuracy"), OPTIONAL),
        **dict.fromkeys(("best_epoch", "selected_epoch", "first_epoch_at_target"), (int, type(None))),
        **{"epochs": int, "final_test_accuracy": float, "early_signal": bool, "seconds": float, "weights_sha256": str},
    },
    "run_stopped": {"epoch": int, "reason": str},
    "run_failed": {"epoch": int, "error": str, "hint": str},
}


def of_kind(records, event):
    return [record for record in records if record["event"] == event]


def check_keys(records):
    for record in records:
        assert datetime.fromisoformat(record["time"]).utcoffset().total_seconds() == 0
        assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", record["run_id"])
        for key, kind in KEYS.get(record["event"], {}).items():
            assert isinstance(record[key], kind), (key, record)
            assert (type(record[key]) is bool) == (kind is bool), (key, record)


def test_json_is_one_event_a_line_with_the_promised_keys(train):
    answer = train("--json")
    assert answer.code == 0
    check_keys(answer.records)
    events = [record["event"] for record in answer.records]
    assert (events[0], events[-1]) == ("run_started", "run_finished")
    assert events.count("epoch_finished") == 2
    assert "step_progress" in events
    started, end = answer.records[0], answer.records[-1]
    assert started["config"].keys() == TrainConfig.model_fields.keys()
    assert started["config"]["arch"] == "c4 p2 c8 gap fc10"
    assert (started["total_params"], started["dataset"]) == (450, "mnist-5k")
    assert (started["train_images"], started["test_images"], started["steps_per_epoch"]) == (256, 200, 2)
    assert (end["epochs"], end["early_signal"]) == (2, False)
    assert (end["selected_epoch"], end["selected_test_accuracy"]) == (None, None)
    for epoch in of_kind(answer.records, "epoch_finished"):
        assert epoch["test_accuracy"] == epoch["test_correct"] / epoch["test_total"]
        assert (epoch["test_total"], epoch["val_loss"], epoch["val_accuracy"]) == (200, None, None)


def test_json_on_stdout_is_the_log_line_by_line(train, store):
    answer = train("--json")
    assert answer.out == store.find("latest").log.read_text()


def test_json_leaves_stderr_to_what_went_wrong(train):
    assert train("--json").err == ""
    assert train("--quiet").err == ""


@pytest.mark.skipif(bool(kernels_obstacle()), reason="there are no kernels here")
def test_text_says_what_keeps_a_run_from_beginning_at_once(train, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    native._compiled.cache_clear()
    assert train().err.startswith("compiling the kernels of the native engine for this machine, which is done once\n")
    assert "compiling" not in train().err


def test_with_a_validation_split_the_test_set_stays_out_of_the_epochs(train):
    records = train("--json", "--val-split", "56").records
    check_keys(records)
    for epoch in of_kind(records, "epoch_finished"):
        assert [epoch[f"test_{key}"] for key in ("loss", "accuracy", "correct", "total")] == [None] * 4
        assert 0 <= epoch["val_accuracy"] <= 1
    assert records[0]["train_images"] == 200
    assert records[-1]["best_test_accuracy"] is None
    assert records[-1]["selected_epoch"] in (1, 2)
    assert 0 <= records[-1]["selected_test_accuracy"] <= 1


def test_text_is_progress_on_stderr_and_results_on_stdout_in_the_words_of_the_exercise(train, store):
    answer = train("--target", "5")
    assert answer.code == 0
    lines = answer.out.splitlines()
    scores = [TEST_LINE.fullmatch(line) for line in lines[:2]]
    assert all(scores), lines
    assert all(f"{int(score[1]) / 2:.2f}" == score[2] for score in scores)
    run = store.find("latest")
    end = run.view().end
    final, best = f"{100 * end.final_test_accuracy:.2f}%", f"{100 * end.best_test_accuracy:.2f}%"
    assert len(lines) == 3
    for part in (run.id, final, best, "first reached: epoch 1", str(run.folder)):
        assert part in lines[2]
    bars = [line for line in answer.err.splitlines() if line.startswith("epoch ")]
    pattern = r"epoch {}/2 loss=\d+\.\d{{4}}: 100%\|█{{10}}\| 2/2 \[\d\d:\d\d<00:00, +\d+\.\d\dit/s\]"
    assert [bool(re.fullmatch(pattern.format(i), bar)) for i, bar in enumerate(bars, 1)] == [True, True], bars


def test_quiet_prints_only_the_last_line(train, store):
    answer = train("--quiet")
    assert answer.out.count("\n") == 1
    assert answer.out.startswith(f"run {store.find('latest').id} (seed 0) finished: ")


def test_quiet_and_json_together_print_only_the_last_event(train, store):
    answer = train("--quiet", "--json")
    assert [record["event"] for record in answer.records] == ["run_finished"]
    assert answer.err == ""


def test_an_empty_name_is_none(train, cli):
    train("--quiet", "--name", "")
    assert cli("runs", "--json").json[0]["name"] == ""


def test_stored_weights_have_the_printed_hash(train, store):
    end = train("--json").records[-1]
    assert weights_sha256(load_file(store.find("latest").final_weights)) == end["weights_sha256"]


def test_flags_override_the_file_and_the_file_its_base(train, cli, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "modern"\nlr = 0.5\nseed = 3\n')
    config = train("--json", "--config", path, "--lr", "0.25", "--no-nesterov").records[0]["config"]
    assert (config["lr"], config["seed"], config["schedule"], config["nesterov"]) == (0.25, 3, "onecycle", False)


@pytest.mark.parametrize("flag", [("--epochs", "1"), ("--max-epochs", "30"), ("--no-budget",)])
def test_flags_override_what_is_over_the_budget_in_a_file(cli, tmp_path, flag):
    path = tmp_path / "long.toml"
    path.write_text('epochs = 21\narch = "c4 gap fc10"\ndataset = "mnist-5k"\nlimit_train = 64\nlimit_test = 64\n')
    assert cli("run", "--config", path, "--quiet").code == 3
    assert cli("run", "--config", path, "--quiet", *flag).code == 0


def test_name_tags_and_seed_are_kept_with_the_run(train, cli):
    train("--quiet", "--name", "baseline", "--tag", "a", "--tag", "b c", "--seed", "5")
    (row,) = cli("runs", "--json").json
    assert (row["name"], row["tags"], row["seed"], row["group_id"]) == ("baseline", ["a", "b c"], 5, None)


@pytest.mark.parametrize(
    "name",
    ["two\nlines", "\x1b[31mred", "a\tb", "\udcff", "x" * 5000],
    ids=["line break", "escape", "tab", "not UTF-8", "long"],
)
def test_a_name_that_would_spoil_a_table_is_refused_or_shown_on_one_line(train, cli, name):
    answer = train("--quiet", "--name", name)
    if answer.code == 2:
        assert "name" in answer.err
        return
    header, *lines = cli("runs").out.splitlines()
    assert "name" in header
    assert len(lines) == 1
    assert lines[0].isprintable()
    assert len(lines[0]) < 1000


def test_a_run_that_diverges_exits_1_with_the_error_and_a_hint(train):
    answer = train("--lr", "100", "--arch", "c8n c8n c8n c8n fc64 fc10", "--no-budget", "--epochs", "9", "--json")
    assert answer.code == 1
    check_keys(answer.records)
    assert answer.records[-1]["event"] == "run_failed"
    error, hint = answer.err.splitlines()
    assert error == f"error: {answer.records[-1]['error']}"
    assert hint == f"hint: {answer.records[-1]['hint']}"
    assert "not finite" in error
    assert "--lr" in hint


def test_a_module_of_ones_own_is_trained_and_named_by_its_file(train, cli, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    answer = train("--json", "--arch", f"{path}:Net")
    assert answer.code == 0
    assert answer.records[0]["total_params"] == 7850
    assert cli("runs", "--json").json[0]["arch"] == f"{path}:Net"


def test_what_a_module_of_ones_own_prints_does_not_mix_with_the_events(train, tmp_path):
    path = tmp_path / "noisy.py"
    path.write_text(
        "from torch import nn\nprint('imported')\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
        "    def forward(self, x):\n        print('forward')\n        return super().forward(x)\n"
    )
    answer = train("--json", "--arch", f"{path}:Net")
    assert answer.code == 0
    assert all(line.startswith('{"event": ') for line in answer.out.splitlines())


def test_a_stop_before_the_run_exists_is_told_in_words(train, store, monkeypatch):
    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("experiments.execution.runner.Runner.check", interrupted)
    answer = train()
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == "error: stopped by SIGINT\nhint: the run had not begun, so nothing was saved\n"
    assert store.runs() == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_the_network_is_made_stops_the_run_before_its_first_step(train, store, tmp_path, name):
    path = tmp_path / "mine.py"
    path.write_text(
        f"import os, signal, time\nfrom torch import nn\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        f"        os.kill({os.getpid()}, signal.{name})\n        time.sleep(60)\n"
        f"        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    answer = train("--arch", f"{path}:Net", "--on-hangup", "stop")
    assert answer.code == {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}[name]
    assert "epoch 1" not in answer.err
    assert all(run.view().end.reason == name for run in store.runs())


def test_a_log_that_is_read_back_is_what_was_printed(train, cli):
    records = train("--json", "--name", "x").records
    shown = cli("show", "x", "--json").json
    assert shown["epoch_results"][0]["test_correct"] == of_kind(records, "epoch_finished")[0]["test_correct"]
    assert json.dumps(shown["config"]) == json.dumps(records[0]["config"])


def test_a_headless_run_tells_the_users_address_of_its_end_before_it_leaves(train, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with post_office() as office:
        monkeypatch.setenv("MNIST_TUI_NOTIFY_URL", f"{office.address}/topic")
        assert train("--name", "try").code == 0
        assert office.letters[-1].headers["title"] == "try: finished"
        office.letters.clear()
        assert train("--name", "try", "--seeds", "0-1").code == 0
    assert [letter.headers["title"] for letter in office.letters] == ["try: all runs have ended"]


def test_an_address_that_cannot_be_told_costs_a_run_a_warning(train, monkeypatch):
    monkeypatch.setenv("MNIST_TUI_NOTIFY_URL", "http://127.0.0.1:9/topic")
    answer = train()
    assert answer.code == 0
    assert answer.err.count("warning: notify_url: 127.0.0.1:9 was not told") == 1
