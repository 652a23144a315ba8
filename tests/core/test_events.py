"""Events through JSON and back, and logs that are damaged or from elsewhere."""

import json
import math
from dataclasses import MISSING, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.events import (
    EVENT_TYPES,
    CheckpointSaved,
    EpochFinished,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    StepProgress,
    from_record,
    to_record,
)

WHOLE = st.integers(min_value=-(2**63), max_value=2**63)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text()
SCALAR = st.none() | st.booleans() | WHOLE | NUMBER | TEXT
TIPS = st.builds(Tip, st.sampled_from(Action), TEXT, TEXT)
ADVICE = st.lists(TEXT | TIPS, max_size=4).map(lambda parts: Advice(*parts))
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12)

KINDS = {
    RunStarted: {
        **dict.fromkeys(["spec", "device", "dataset", "note"], TEXT),
        **dict.fromkeys(["total_params", "train_images", "val_images", "test_images", "steps_per_epoch"], WHOLE),
        "config": st.dictionaries(TEXT, SCALAR),
    },
    StepProgress: {
        **dict.fromkeys(["epoch", "step", "steps_per_epoch"], WHOLE),
        "loss": NUMBER | st.none(),
        "images_per_second": NUMBER,
    },
    EpochFinished: {
        "epoch": WHOLE,
        **dict.fromkeys(["train_loss", "train_accuracy", "lr", "seconds", "images_per_second"], NUMBER),
        **dict.fromkeys(["test_loss", "test_accuracy", "val_loss", "val_accuracy"], NUMBER | st.none()),
        **dict.fromkeys(["test_correct", "test_total"], WHOLE | st.none()),
        **dict.fromkeys(["gradient_norms", "update_ratios"], st.dictionaries(TEXT, NUMBER, max_size=3)),
    },
    CheckpointSaved: {"epoch": WHOLE, "step": WHOLE, "file": TEXT},
    RunFinished: {
        "epochs": WHOLE,
        **dict.fromkeys(["final_test_accuracy", "seconds"], NUMBER),
        **dict.fromkeys(["best_test_accuracy", "selected_test_accuracy"], NUMBER | st.none()),
        **dict.fromkeys(["best_epoch", "selected_epoch", "first_epoch_at_target"], WHOLE | st.none()),
        "early_signal": st.booleans() | st.none(),
        **dict.fromkeys(["weights_sha256", "ended_by"], TEXT),
    },
    RunStopped: {"epoch": WHOLE, "reason": TEXT},
    RunFailed: {"epoch": WHOLE, "error": TEXT, "advice": ADVICE},
}
EVENTS = st.one_of([st.builds(kind, **values) for kind, values in KINDS.items()])
RECORDS = EVENTS.map(to_record)

EPOCH = EpochFinished(
    epoch=3,
    train_loss=0.5,
    train_accuracy=0.9,
    test_loss=0.1,
    test_accuracy=0.98,
    test_correct=98,
    test_total=100,
    val_loss=None,
    val_accuracy=None,
    lr=0.03,
    seconds=8.0,
    images_per_second=7000.0,
)


def test_every_event_is_among_those_tested_here_and_has_a_name_of_its_own():
    assert {name: EVENT_TYPES[name] for name in EVENT_TYPES} == {kind.NAME: kind for kind in KINDS}
    assert len(EVENT_TYPES) == len(KINDS) == 7


@given(event=EVENTS)
def test_an_event_comes_back_from_json_as_it_was(event):
    line = json.dumps(to_record(event), allow_nan=False)
    assert from_record(json.loads(line)) == event


def test_records_hold_the_keys_that_scripts_rely_on():
    assert next(iter(to_record(EPOCH))) == "event"
    promised = {
        "run_started": "config total_params device dataset train_images test_images steps_per_epoch",
        "step_progress": "epoch step steps_per_epoch loss images_per_second",
        "epoch_finished": "epoch train_loss train_accuracy test_loss test_accuracy test_correct test_total val_loss "
        "val_accuracy lr seconds images_per_second",
        "run_finished": "epochs final_test_accuracy best_test_accuracy best_epoch selected_epoch "
        "selected_test_accuracy first_epoch_at_target early_signal seconds weights_sha256",
        "run_stopped": "epoch reason",
    }
    for name, keys in promised.items():
        assert set(keys.split()) <= {field.name for field in fields(EVENT_TYPES[name])}


def test_the_record_of_a_failure_has_its_advice_as_a_plain_sentence_and_typed(script):
    record = to_record(script.failed())
    assert record == {
        "event": "run_failed",
        "epoch": 2,
        "error": "the loss is not finite",
        "hint": "use a lower lr than 0.03772",
        "advice": [{"action": "lower", "subject": "lr", "value": "0.03772"}],
    }


LOWER = {"action": "lower", "subject": "lr", "value": "0.1"}


@pytest.mark.parametrize(
    "advice",
    [None, "use", {}, [1], [{}], [LOWER | {"value": 0.1}], [LOWER | {"action": "something later"}]],
    ids=str,
)
def test_of_a_failure_without_advice_that_is_understood_the_plain_sentence_is_kept(script, advice):
    record = to_record(script.failed()) | {"hint": "use a lower --lr", "advice": advice}
    assert from_record(record).advice == Advice("use a lower --lr")
    del record["advice"]  # as in the logs of earlier versions
    assert from_record(record).advice == Advice("use a lower --lr")


def test_a_configs_record_comes_back_equal():
    config = TrainConfig(lr=0.1, limit_train=100).model_dump()
    started = RunStarted(
        config=config,
        spec="fc10",
        total_params=7850,
        device="cpu",
        dataset="mnist",
        train_images=100,
        val_images=0,
        test_images=10,
        steps_per_epoch=1,
        note="",
    )
    again = from_record(json.loads(json.dumps(to_record(started), allow_nan=False)))
    assert isinstance(again, RunStarted)
    assert TrainConfig.checked(again.config) == TrainConfig(lr=0.1, limit_train=100)


def test_a_whole_number_does_for_a_fraction_and_keys_of_later_versions_are_passed_over():
    record = to_record(EPOCH) | {"seconds": 8, "time": "2026-01-01T00:00:00Z", "run_id": "x", "new": [1]}
    assert from_record(record) == EPOCH
    assert type(from_record(record).seconds) is float


def test_a_log_from_before_there_were_engines_is_read(script):
    record = to_record(script.started(engine="graph"))
    assert from_record(record).engine == "graph"
    del record["engine"]
    assert from_record(record) == script.started(engine="eager")


@given(record=RECORDS, data=st.data())
def test_a_record_without_a_key_that_it_needs_is_none(record, data):
    kind = EVENT_TYPES[record["event"]]
    # Logs of earlier versions do not have those with a default.
    later = {"advice"}
    later |= {one.name for one in fields(kind) if (one.default, one.default_factory) != (MISSING, MISSING)}
    needed = [key for key in record if key == "event" or (record[key] is not None and key not in later)]
    key = data.draw(st.sampled_from(needed))
    nullable = "None" in str(kind.__annotations__.get(key))
    del record[key]
    assert (from_record(record) is None) or nullable


@given(record=RECORDS, data=st.data())
def test_a_record_with_a_value_of_another_type_is_none(record, data):
    key = data.draw(st.sampled_from([key for key in record if key != "advice"]))
    is_switch = key == "early_signal"
    record[key] = data.draw(st.sampled_from([[], [1.0], object(), b"", "yes" if is_switch else True, 1j]))
    assert from_record(record) is None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("key", ["train_loss", "test_loss", "lr"])
def test_a_number_that_is_not_finite_is_none(key, number):
    assert from_record(to_record(EPOCH) | {key: number}) is None


@pytest.mark.parametrize("key", ["lr", "test_loss"])
def test_a_whole_number_too_large_for_a_fraction_is_none(key):
    line = json.dumps(to_record(EPOCH) | {key: 10**400})
    assert from_record(json.loads(line)) is None


@settings(max_examples=200)
@given(junk=JSON)
def test_any_json_that_is_not_an_event_is_none(junk):
    assert from_record(junk) is None


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(EVENT_TYPES)) | JSON, values=st.dictionaries(TEXT, JSON), data=st.data())
def test_any_values_under_an_events_name_are_an_event_or_none(name, values, data):
    if isinstance(name, str) and name in EVENT_TYPES:
        keys = [field.name for field in fields(EVENT_TYPES[name])]
        values |= data.draw(st.dictionaries(st.sampled_from(keys), JSON))
    event = from_record({**values, "event": name})
    assert event is None or from_record(to_record(event)) == event
