"""The filter language: what each term finds, and the one line for one that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidValue
from experiments.results.filters.fields import FIELDS, Kind
from experiments.results.filters.language import RunFilter, parse_filter
from experiments.runs.row import RunRow, Status


def item(run_id: str = "20260102-030405-abcd", status: Status = Status.FINISHED, **values: object):
    facts = {"name": "", "ended": "finished", "arch": "conv9", "dataset": "mnist", "seed": 0, "total_params": 9_000}
    facts |= {"epochs_done": 3, "epochs": 20, "best_test_accuracy": 0.995, "final_test_accuracy": 0.99}
    facts |= {"started": "2026-01-02T03:04:05+00:00", "seconds": 25.0, "group_id": None, "tags": (), "limited": False}
    facts |= {"lr": 0.03772, "batch_size": 256, "optimizer": "sgd", "schedule": "constant", "augment": "none"}
    return RunRow(run_id=run_id, **(facts | values)), status


OPERATORS = st.sampled_from([":", "=", "!=", "<", ">="])
HOUR_AGO = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
RUNS = {
    "base": item(
        name="base-3", seed=3, group_id="g20260101-000000-aaaa", note="Analysis\nit overfits", lr=0.27092532949
    ),
    "trial": item(tags=("study:first", "best"), best_test_accuracy=0.9952, total_params=7_999, schedule="onecycle"),
    "split": item(best_test_accuracy=None, final_test_accuracy=0.991, batch_size=64, optimizer="adamw"),
    "alive": item(status=Status.RUNNING, ended="", best_test_accuracy=None, final_test_accuracy=None, started=HOUR_AGO),
    "waits": item(
        status=Status.RUNNING, ended="", started="", best_test_accuracy=None, final_test_accuracy=None, seconds=0.0
    ),
    "quick": item(dataset="fashion", first_epoch_at_target=2, augment="shift,erase", tags=("lr test",), lr=None),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "base trial split alive waits quick"),
        ("acc>99.4", "base trial quick"),
        ("acc > 99.4 params<8k", "trial"),
        ("params<8000", "trial"),
        ("acc>=99.1 acc<99.5", "split"),
        ("best=99.5", "base quick"),
        ("best!=99.5", "trial split alive waits"),
        ("final=99%", "base trial quick"),
        ("lr=0.2709", "base"),
        ("lr=0.01..0.05", "trial split alive waits"),
        ("lr=..0.01", ""),
        ("lr=0.1..", "base"),
        ("batch=64,128", "split"),
        ("batch:64..128", "split"),
        ("seed=3", "base"),
        ("tag:best", "trial"),
        ("tag:BEST,other", "trial"),
        ('tag:"lr test"', "quick"),
        ("tag:*", "trial quick"),
        ("#best", "trial"),
        ("status:live", "alive waits"),
        ("status:waiting", "waits"),
        ("status:running", "alive"),
        ("status:ended", "base trial split quick"),
        ("group:base", "base"),
        ("group:g20260101-000000-aaaa", "base"),
        ("!group:*", "trial split alive waits quick"),
        ("sweep:first", "trial"),
        ("study:first", "trial"),
        ("!sweep", "base split alive waits quick"),
        ("sweep", "trial"),
        ("overfits", "base"),
        ("note:overfits", "base"),
        ("note:*", "base"),
        ("name:ase", "base"),
        ("name=base-3", "base"),
        ("name=base", ""),
        ("data:fash", "quick"),
        ("augment:erase", "quick"),
        ("schedule:onecycle", "trial"),
        ("schedule:one", ""),
        ("optimizer:adamw", "split"),
        ("reached<=2", "quick"),
        ("!reached:*", "base trial split alive waits"),
        ("age<2h", "alive"),
        ("age<2h age>30m", "alive"),
        ("time<26s time>20", "base trial split alive quick"),
        ("conv9 FASHION", "quick"),
        ('"it overfits"', "base"),
        ('"overfits it"', ""),
        ("id:20260102", "base trial split alive waits quick"),
    ],
)
def test_every_term_finds_what_it_names(text, found):
    wanted = parse_filter(text)
    assert " ".join(name for name, one in RUNS.items() if wanted.holds(one)) == found


@pytest.mark.parametrize("correct", [*range(9900, 9951), 157, 1001, 10_000])
def test_a_run_at_a_bound_is_neither_above_nor_below_it(correct):
    run, bound = item(best_test_accuracy=correct / 10_000), f"{correct / 100:.2f}"
    held = [operator for operator in ("<", "<=", "=", ">=", ">") if parse_filter(f"acc{operator}{bound}").holds(run)]
    assert held == ["<=", "=", ">="]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("acc>0.994", "acc>0.994: acc is in percent: acc>99.4, not 0.994"),
        ("conv5 acc>high", "acc>high: acc takes a percentage, such as acc>99.4"),
        ("acc>", "acc>: acc needs a value, such as acc>99.4"),
        ("parms<8000", "parms<8000: there is no field parms; did you mean params?"),
        ("status:dead", "status:dead: there is no status dead; there are live, ended, waiting, running"),
        ("lr=0.5..0.1", "lr=0.5..0.1: the span goes from the smaller to the larger: lr=0.1..0.5"),
        ("lr=..", "lr=..: lr takes a span with an end"),
        ("tag>best", "tag>best: tag takes : or =, such as tag:best"),
        ("age<3", "age"),
        ("age<2y", "age<2y: age takes a time in s, m, h, d or w, such as age<2h"),
        ("params<8m", "params<8m: params takes a number, such as params<8k"),
        ("lr=1e999", "lr=1e999: lr takes a number"),
        ("base !", "!: ! excludes what follows it: !sweep"),
    ],
)
def test_a_mistake_is_one_line_with_what_is_allowed(text, line):
    if text == "age<3":  # seconds
        assert parse_filter(text)
        return
    with pytest.raises(InvalidValue) as caught:
        parse_filter(text)
    assert f"{caught.value.value}: {caught.value.allowed}".startswith(line)
    assert caught.value.message.isprintable()
    assert "acc>99.4" in caught.value.hint


@pytest.mark.parametrize("name", FIELDS)
def test_the_example_of_every_field_is_a_filter(name):
    field = FIELDS[name]
    wanted = parse_filter(field.example)
    assert wanted.tests
    assert all(isinstance(wanted.holds(one), bool) for one in RUNS.values())
    assert (field.kind in (Kind.PART, Kind.WORD)) is not field.is_number


def filter_or_mistake(text: str) -> RunFilter | InvalidValue:
    try:
        return parse_filter(text)
    except InvalidValue as error:
        return error


@given(
    st.text(max_size=40) | st.builds("{}{}{}".format, st.sampled_from(sorted(FIELDS)), OPERATORS, st.text(max_size=12))
)
def test_whatever_is_typed_is_a_filter_or_a_mistake_in_one_line(text):
    wanted = filter_or_mistake(text)
    if isinstance(wanted, RunFilter):
        assert all(wanted.holds(one) in (True, False) for one in RUNS.values())
    else:
        assert wanted.message.isprintable()
