"""`runs` and `show`: what was trained, as a table and as the JSON that scripts rely on."""

import itertools

import pytest

from experiments.statistics.digits import in_digits

KEYS = [
    *("run_id", "name", "status", "arch", "dataset", "seed", "total_params", "epochs_done", "epochs"),
    *("best_test_accuracy", "final_test_accuracy", "started", "seconds", "group_id", "tags"),
    *("lr", "batch_size", "optimizer", "schedule", "augment", "first_epoch_at_target", "note"),
    "waiting",
]


@pytest.fixture
def four_runs(new_run, script):
    """Four runs that differ in everything that can be sorted or filtered by, by their names."""
    best = [script.epoch(1, 0.98), script.epoch(2, 0.995), script.epoch(3, 0.99)]
    five = script.started(config={"arch": "conv5", "seed": 1}, dataset="mnist-5k")
    return {
        "a": new_run(script.started(config={"arch": "conv9"}), *best, script.finished(3, 0.99), name="a", tags=("x",)),
        "b": new_run(
            *(five, script.epoch(1, 0.9), script.finished(1, 0.992), five, script.stopped()),
            **{"name": "b", "tags": ("x", "y")},
        ),
        "c": new_run(script.started(total_params=19_458), script.failed(), name="c", group_id="g1"),
        "d": new_run(script.started(), script.epoch(1, 0.97), name="d"),
    }


def names(answer):
    return [row["name"] for row in answer.json]


def test_json_rows_have_the_promised_keys(cli, four_runs):
    rows = cli("runs", "--json").json
    assert len(rows) == 4
    assert all(list(row) == KEYS for row in rows)
    row = next(row for row in rows if row["name"] == "a")
    assert row.pop("started").endswith("+00:00")
    assert row == {
        **{"run_id": four_runs["a"].id, "name": "a", "status": "finished", "arch": "conv9", "dataset": "mnist"},
        **{"seed": 0, "total_params": 170, "epochs_done": 3, "epochs": 20, "seconds": 25.0},
        **{"best_test_accuracy": 0.995, "final_test_accuracy": 0.99, "group_id": None, "tags": ["x"]},
        **{"lr": 0.03772, "batch_size": 256, "optimizer": "sgd", "schedule": "constant", "augment": "none"},
        **{"first_epoch_at_target": 2, "note": "", "waiting": False},
    }


def test_the_status_of_each_run_is_told(cli, four_runs):
    status = {row["name"]: row["status"] for row in cli("runs", "--json").json}
    assert status == {"a": "finished", "b": "stopped", "c": "failed", "d": "running"}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--tag", "x"), "ab"),
        (("--tag", "y"), "b"),
        (("--status", "failed"), "c"),
        (("--status", "running"), "d"),
        (("--status", "crashed"), ""),
        (("--dataset", "mnist-5k"), "b"),
        (("--dataset", "mnist", "--tag", "x"), "a"),
        (("--tag", "nobody's"), ""),
    ],
)
def test_rows_are_those_that_have_all_that_is_asked_for(cli, four_runs, filters, found):
    assert sorted(names(cli("runs", "--json", *filters))) == list(found)


@pytest.mark.parametrize(
    ("key", "order"),
    [("name", "abcd"), ("best", "adbc"), ("final", "a..."), ("params", "...c"), ("arch", "b..."), ("status", "cadb")],
)
def test_sorting_puts_the_best_score_or_the_smallest_value_first(cli, four_runs, key, order):
    answer = names(cli("runs", "--json", "--sort", key))
    assert sorted(answer) == list("abcd")
    assert all(wanted in (".", name) for name, wanted in zip(answer, order, strict=True)), answer


def test_the_limit_counts_after_filter_and_sort(cli, four_runs):
    assert names(cli("runs", "--json", "--sort", "name", "--limit", "2")) == ["a", "b"]
    assert names(cli("runs", "--json", "--sort", "name", "--tag", "y", "--limit", "2")) == ["b"]


def test_without_a_sort_key_the_newest_run_comes_first(cli, new_run, script):
    for day in ("03", "01", "02"):
        run = new_run(name=day)
        lines = [entry.to_json().replace("2026-01-02", f"2026-01-{day}") for entry in script.entries(script.started())]
        run.log.write_text("\n".join(lines) + "\n")
    assert names(cli("runs", "--json")) == ["03", "02", "01"]


def test_the_table_shows_each_run_on_a_line(cli, four_runs):
    header, *lines = cli("runs", "--sort", "name").out.splitlines()
    assert header.split()[:4] == ["run", "name", "status", "arch"]
    assert [line.split()[0] for line in lines] == [run.id for run in four_runs.values()]
    assert "99.50%" in lines[0]
    assert "99.00%" in lines[0]
    assert "3/20" in lines[0]


def test_an_empty_home_is_an_empty_list_and_a_note_for_people(cli, home):
    assert cli("runs", "--json").json == []
    answer = cli("runs")
    assert (answer.code, answer.out) == (0, "")
    assert "mnist-tui run" in answer.err
    assert not home.exists()


def test_show_tells_of_one_run_what_its_files_hold(cli, four_runs):
    shown = cli("show", "a", "--json").json
    assert list(shown)[: len(KEYS)] == KEYS
    assert shown["config"]["arch"] == "conv9"
    assert [epoch["test_correct"] for epoch in shown["epoch_results"]] == [9800, 9950, 9900]
    assert shown["diagnosis"] == {
        "trend": "improving",
        "since": None,
        "target_epoch": 2,
        "words": "target reached in epoch 2, still improving at its end",
    }
    assert shown["end"]["event"] == "run_finished"
    assert shown["folder"] == str(four_runs["a"].folder)


def test_show_for_people_has_network_epochs_and_result(cli, four_runs):
    out = cli("show", "a").out
    for part in (
        four_runs["a"].id,
        "finished",
        "conv9 (170 parameters)",
        "Accuracy: 9950/10000 (99.50%)",
        "target reached in epoch 2, still improving at its end",
        "optimistic",
    ):
        assert part in out
    out = cli("show", "c").out
    assert "error: the loss is not finite" in out
    assert "hint: use a lower --lr" in out


def test_show_says_which_engine_trained_the_run_whatever_its_config_asked_for(cli, new_run, script):
    new_run(script.started(config={"engine": "auto"}, engine="native"), script.finished(), name="begun")
    new_run(name="waits")
    assert "  engine   native" in cli("show", "begun").out.splitlines()
    assert [cli("show", name, "--json").json["engine"] for name in ("begun", "waits")] == ["native", None]
    assert "  engine   " not in cli("show", "waits").out


@pytest.mark.parametrize("command", ["show", "watch", "rm"])
def test_no_such_run_is_exit_code_5(cli, refused, four_runs, command):
    for reference in ("nobody", "../../etc", ""):
        refused(cli(command, reference), 5, f"no such run: {reference!r}")


@pytest.mark.parametrize("command", ["show", "watch", "rm"])
def test_what_fits_several_runs_is_exit_code_2(cli, refused, four_runs, command):
    refused(cli(command, "2"), 2, "run = 2", "matches 4 runs", four_runs["a"].id)


def test_a_group_can_be_shown_by_its_id(cli, new_run, script):
    group = "g20260101-000000-ab12"
    for seed in (0, 1):
        new_run(script.started(config={"seed": seed}), script.epoch(1), script.finished(1), group_id=group)
    answer = cli("show", group)
    assert answer.code == 0
    assert all(run["run_id"] in answer.out for run in cli("runs", "--json").json)


def test_a_group_is_shown_with_its_name(cli, new_run, script):
    for seed in (0, 1):
        new_run(script.started(config={"seed": seed}), script.finished(), name=f"base-{seed}", group_id="g1")
    unnamed = new_run(script.started(), script.finished(), group_id="g2")
    assert "  group    base (g1)" in cli("show", "base-1").out.splitlines()
    assert "group base (g1): 2 of 2 runs finished" in cli("show", "base").out
    assert cli("show", "g1", "--json").json["name"] == "base"
    assert "  group    g2" in cli("show", unnamed.id).out.splitlines()
    assert "group g2: 1 of 1 runs finished" in cli("show", "g2").out


def test_runs_with_held_out_images_are_sorted_among_the_best_by_their_final_score(cli, new_run, script):
    held_out = script.started(config={"val_split": 5000})
    new_run(script.started(), script.epoch(1, 0.98), script.finished(1, 0.98), name="low")
    new_run(held_out, script.epoch(1, 0.97, on_test=False), script.finished(1, 0.99), name="split")
    new_run(script.started(), script.epoch(1, 0.995), script.finished(1, 0.995), name="high")
    new_run(held_out, script.epoch(1, 0.999, on_test=False), script.stopped(), name="open")
    answer = cli("runs", "--json", "--sort", "best")
    assert names(answer) == ["high", "split", "low", "open"]
    assert answer.json[1]["best_test_accuracy"] is None


def test_the_runs_of_a_group_are_shown_by_seed_with_the_config_that_they_share(cli, new_run, script):
    for seed in (10, 2, 1):
        events = (script.started(config={"seed": seed, "lr": 0.5}), script.epoch(1))
        new_run(*events, script.finished(1, weights_sha256=f"{seed:064}"), name=f"x-{seed}", group_id="g1")
    lines = cli("show", "g1").out.splitlines()
    assert [line.split()[1] for line in lines[1:4]] == ["x-1", "x-2", "x-10"]
    config = config_of(lines)
    assert {"arch=conv9", "lr=0.5"} <= set(config)
    assert not any(word.startswith("seed=") or "None" in word for word in config)


def config_of(lines: list[str]) -> list[str]:
    """The words of a config, which takes several lines."""
    first = next(place for place, line in enumerate(lines) if line.startswith("  config   "))
    more = itertools.takewhile(lambda line: line.startswith(" " * 11), lines[first + 1 :])
    return " ".join([lines[first].removeprefix("  config   "), *more]).split()


@pytest.mark.parametrize("reference", ["g1", "x-0"])
def test_a_config_is_shown_in_full_on_lines_of_eighty_columns(cli, new_run, script, reference):
    started = script.started(config={"arch": "c8 c8 p2 gap fc10"})
    new_run(started, script.epoch(1), script.finished(1), name="x-0", group_id="g1")
    lines = cli("show", reference).out.splitlines()
    shown = " ".join(config_of(lines))
    wanted = {field: value for field, value in started.config.items() if value is not None}
    if reference == "g1":
        del wanted["seed"]
    assert shown == " ".join(f"{field}={in_digits(value)}" for field, value in wanted.items())
    lines_of_config = [line for line in lines if line.startswith(("  config   ", " " * 11))]
    assert all(len(line) <= 80 for line in lines_of_config)
    assert "arch=c8 c8 p2 gap fc10 " in lines_of_config[0]


def test_a_run_on_a_part_of_its_data_set_is_marked_in_the_table(cli, new_run, script):
    new_run(script.started(config={"limit_train": 1500}, train_images=1500), script.finished(), name="part")
    new_run(script.started(train_images=55_000, val_images=5000), script.finished(), name="whole")
    data = {line.split()[1]: line.split()[4] for line in cli("runs").out.splitlines()[1:]}
    assert data == {"part": "mnist*", "whole": "mnist"}
    part, whole = (cli("show", name).out.splitlines() for name in ("part", "whole"))
    assert "  data     part of mnist: 1,500 training, 10,000 test images" in part
    assert "  data     mnist: 55,000 training, 5,000 held-out, 10,000 test images" in whole
    assert {row["dataset"] for row in cli("runs", "--json").json} == {"mnist"}
