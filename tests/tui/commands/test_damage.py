"""Whatever has happened to a run's files, commands that look at it show it or refuse it, and never crash."""

import json
from itertools import product

import pytest

COMMANDS = [("show", "x"), ("show", "x", "--json"), ("watch", "x"), ("runs",)]

VALUES = ['"x"', "null", "-1", "1e300", "[]", "{}", "true", "NaN", '"' + "y" * 300 + '"']
KEYS = {
    "of the config": ("batch_size", "epochs", "target", "arch", "seed", "lr"),
    "of an epoch": ("test_loss", "test_correct", "test_accuracy", "val_accuracy"),
    "of progress": ("step", "steps_per_epoch", "images_per_second"),
    "of the start and end": ("time", "train_images", "best_epoch", "best_test_accuracy", "error", "seconds"),
}


@pytest.fixture
def log(new_run, script):
    """A log with every kind of event, of a run that has ended, and its content."""
    events = [script.started(), script.progress(1, 235), script.epoch(1), script.progress(2), script.epoch(2)]
    run = new_run(*events, script.finished(2), script.failed(), name="x")
    return run.log, [json.loads(line) for line in run.log.read_text().splitlines()]


def crashes(cli, changes, write) -> list[str]:
    """Make each change in turn; those after which a command raised, or ended with a code that means something else."""
    found = []
    for change, command in product(changes, COMMANDS):
        write(*change)
        try:
            answer = cli(*command)
        except Exception as error:  # noqa: BLE001  # any at all is what is looked for
            found.append(f"{change} {command}: {error!r:.120}")
        else:
            if answer.code not in (0, 1, 5):
                found.append(f"{change} {command}: exit {answer.code}")
    return found


def put(records, key, value) -> str:
    """The records as lines, with this value under this key wherever it occurs."""
    lines = []
    for record in records:
        changed = record | {key: "@"} if key in record else dict(record)
        if key in record.get("config", {}):
            changed["config"] = record["config"] | {key: "@"}
        lines.append(json.dumps(changed))
    return "\n".join(lines).replace('"@"', value) + "\n"


@pytest.mark.parametrize("keys", KEYS)
def test_no_value_in_a_log_makes_a_command_crash(cli, log, keys):
    path, records = log
    changes = list(product(KEYS[keys], VALUES))
    assert crashes(cli, changes, lambda key, value: path.write_text(put(records, key, value))) == []


def test_no_line_missing_from_a_log_makes_a_command_crash(cli, log):
    path, records = log
    lines = [json.dumps(record) for record in records]

    def write(gone: int) -> None:
        path.write_text("\n".join(line for at, line in enumerate(lines) if at != gone) + "\n")

    assert crashes(cli, [(at,) for at in range(len(lines))], write) == []


def test_no_key_missing_from_the_config_in_a_log_makes_a_command_crash(cli, log):
    path, records = log
    config = records[0]["config"]

    def write(gone: str) -> None:
        records[0]["config"] = {key: value for key, value in config.items() if gone not in (key, "all")}
        path.write_text("\n".join(map(json.dumps, records)) + "\n")

    assert crashes(cli, [(key,) for key in ("batch_size", "epochs", "target", "arch", "seed", "all")], write) == []


def test_nothing_in_the_other_files_makes_a_command_crash(cli, log):
    folder = log[0].parent
    contents = [b"", b"{", b"[]", b"null", b"\xff", b'{"name": NaN, "x": NaN, "tags": [NaN], "host": NaN, "pid": NaN}']
    kept = {name: (folder / name).read_bytes() for name in ("config.json", "env.json")} | {"owner.json": b""}

    def write(name: str, content: bytes) -> None:
        for file, good in kept.items():
            (folder / file).write_bytes(content if file == name else good)

    assert crashes(cli, list(product(kept, contents)), write) == []


@pytest.mark.parametrize("key", ["arch", "error", "hint", "note", "device", "dataset"])
def test_control_characters_in_a_log_do_not_reach_the_terminal(cli, log, key):
    """An error message of a module of one's own may hold anything."""
    path, records = log
    path.write_text(put(records, key, r'"\u001b[31m\r\u0007\ud800\u009b1m\u202eevil\u2066\u2028"'))
    for command in COMMANDS:
        answer = cli(*command)
        assert not {*"\x1b\r\x07\x9b\u202e\u2066\u2028"} & set(answer.out + answer.err), command


def test_a_log_that_cannot_be_read_is_a_damaged_run(cli, refused, log):
    path, _ = log
    path.unlink()
    path.mkdir()
    for command in COMMANDS[:3]:
        refused(cli(*command), 5, "events.jsonl")
    assert cli("runs", "--json").json[0]["name"] == "x"
