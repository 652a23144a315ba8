"""News of runs, posted to a real server, in its form; what cannot be posted is warned of once and holds up nothing."""

import json

import pytest
from post_office import post_office

from core.events import EndEvent
from experiments.execution.runner import Runner
from experiments.export import notifications
from experiments.export.notifications import Announcer, News, request_of
from experiments.runs.folder import Meta

NEWS = News("failed", "20260102-030405-abcd", "try <1> & größer: failed", "the loss is not finite")


@pytest.fixture
def office(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with post_office() as office:
        yield office


@pytest.fixture
def announce(store, office):
    """Tell a server of logs; returns what was warned of."""

    def tell(*logs, address="/topic", **options):
        said = []
        announcer = Announcer(store, office.address + address, said.append, **options)
        for entries in logs:
            assert list(announcer.follow(iter(entries))) == list(entries)
        announcer.close()
        return said

    return tell


def logged(run, script, *events):
    """Entries of a run, as they come when they are in its log."""
    with run.open_log() as log:
        return [log.append(event) for event in events]


def test_the_end_of_a_run_is_told_with_its_result(announce, office, new_run, script):
    run = new_run(name="try")
    epochs = [script.epoch(1, 0.98), script.epoch(2, 0.99)]
    assert announce(logged(run, script, script.started(), *epochs, script.finished(2, 0.99))) == []
    (letter,) = office.letters
    assert letter.path == "/topic"
    assert letter.headers["title"] == "try: finished"
    assert letter.headers["tags"] == "white_check_mark"
    assert letter.text == "final 99.00%, best 99.00%, 2 epochs, 25 s"


def test_the_target_is_told_when_it_is_reached_and_once(announce, office, new_run, script):
    run = new_run(name="try")
    epochs = [script.epoch(1, 0.9945), script.epoch(2, 0.9955)]
    announce(logged(run, script, script.started(), *epochs, script.stopped(2, "stop")))
    (letter,) = (letter for letter in office.letters if "target" in letter.headers["title"])
    assert letter.headers["title"] == "try: target reached"
    assert letter.text == "99.45% in epoch 1, of 99.4%"


def test_a_run_that_goes_on_does_not_tell_of_a_target_again(announce, office, new_run, script):
    run = new_run(script.started(), script.epoch(1, 0.995), script.stopped(1), name="try")
    announce(logged(run, script, script.started(), script.epoch(2, 0.996), script.finished(2, 0.996)))
    assert [letter.headers["title"] for letter in office.letters] == ["try: finished"]


def test_who_stops_a_run_is_not_told_but_a_signal_is_news(announce, office, new_run, script):
    for reason in ("stop", "SIGTERM"):
        announce(logged(new_run(name=reason), script, script.started(), script.stopped(1, reason)))
    assert [letter.headers["title"] for letter in office.letters] == ["SIGTERM: stopped"]


def test_several_runs_are_told_as_one_but_a_failure_at_once(announce, office, new_run, script):
    def seed(number, end):
        run = new_run(name=f"try-{number}")
        return logged(run, script, script.started(config={"seed": number}), script.epoch(1, 0.99), end)

    ends = [script.finished(1, 0.99), script.failed(2), script.finished(1, 0.99)]
    announce(*(seed(number, end) for number, end in enumerate(ends)), runs=3)
    told = {letter.headers["title"]: letter.text for letter in office.letters}
    assert told["try: all runs have ended"] == "3 runs: 2 finished, 1 failed, best 99.00%"
    assert list(told) == ["try-1: failed", "try: all runs have ended"]


def test_a_real_run_tells_of_its_end(locations, tiny, office, store):
    said = []
    announcer = Announcer(store, office.address, said.append)
    entries = list(announcer.follow(Runner(locations).run(tiny, Meta("real"))))
    announcer.close()
    assert isinstance(entries[-1].event, EndEvent)
    assert [letter.headers["title"] for letter in office.letters][-1] == "real: finished"
    assert said == []


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_refuses_is_warned_of_once_without_what_is_secret(announce, office, new_run, script, status):
    office.status = status
    runs = [logged(new_run(), script, script.started(), script.failed()) for _ in range(3)]
    (line,) = announce(*runs, address="/T0/secret", runs=3)
    assert f"HTTP {status}" in line
    assert "127.0.0.1" in line
    assert "secret" not in line


def test_an_address_where_nobody_listens_is_warned_of_in_one_line(store, new_run, script):
    said = []
    announcer = Announcer(store, "http://127.0.0.1:9/topic", said.append)
    list(announcer.follow(iter(logged(new_run(), script, script.started(), script.failed()))))
    announcer.close()
    (line,) = said
    assert line.isprintable()
    assert "127.0.0.1:9 was not told" in line


def test_a_server_that_never_answers_is_given_up(announce, office, new_run, script, monkeypatch):
    monkeypatch.setattr(notifications, "TIMEOUT", 0.2)
    office.open.clear()
    (line,) = announce(logged(new_run(), script, script.started(), script.failed()))
    assert "timed out" in line


def test_without_an_address_nothing_is_told(store, office, new_run, script):
    announcer = Announcer(store, "", pytest.fail)
    assert len(list(announcer.follow(iter(logged(new_run(), script, script.started(), script.failed()))))) == 2
    announcer.close()
    assert office.letters == []


def test_slack_discord_and_programs_have_forms_of_their_own():
    slack = request_of("https://hooks.slack.com/services/T0/B0/x", NEWS)
    assert json.loads(slack.data) == {"text": "*try &lt;1&gt; &amp; größer: failed*\nthe loss is not finite"}
    discord = request_of("https://discord.com/api/webhooks/1/x", NEWS)
    assert json.loads(discord.data) == {"content": "**try <1> & größer: failed**\nthe loss is not finite"}
    program = request_of("json+http://box:8080/hook", NEWS)
    assert program.full_url == "http://box:8080/hook"
    assert json.loads(program.data) == {
        "kind": "failed",
        "run_id": NEWS.run_id,
        "title": NEWS.title,
        "text": NEWS.text,
    }
    chosen = request_of("slack+https://chat.example.org/hooks/x", NEWS)
    assert (chosen.full_url, "text" in json.loads(chosen.data)) == ("https://chat.example.org/hooks/x", True)


def test_a_title_that_is_no_ascii_goes_into_a_header_all_the_same(announce, office, new_run, script):
    announce(logged(new_run(name="größer"), script, script.started(), script.failed()))
    (letter,) = office.letters
    assert letter.headers["title"] == "=?UTF-8?B?Z3LDtsOfZXI6IGZhaWxlZA==?="


def test_a_name_and_a_password_in_the_address_become_a_header(announce, office, new_run, script):
    office.address = office.address.replace("://", "://:tk_abc@")
    assert announce(logged(new_run(), script, script.started(), script.failed())) == []
    (letter,) = office.letters
    assert letter.headers["authorization"] == "Basic OnRrX2FiYw=="
