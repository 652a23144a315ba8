"""What the interface remembers between starts, and from whom it takes it."""

import os

import pytest

from tui.live.state import State


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "home" / "state.json"
    State(form={"arch": "planted.py:Net"}, runs_reverse=True).save(path)
    return path


def test_it_comes_back_as_it_was_saved(path):
    assert State.load(path) == State(form={"arch": "planted.py:Net"}, runs_reverse=True)


def test_what_another_user_could_have_written_is_not_taken(path):
    path.chmod(0o666)
    assert State.load(path) == State()


def test_a_pipe_in_its_place_is_not_waited_for(path):
    path.unlink()
    os.mkfifo(path)
    assert State.load(path) == State()
