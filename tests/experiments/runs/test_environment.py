"""The record of what a run was made with."""

import platform
import subprocess
import sys
from importlib.metadata import version

import pytest

from experiments.runs.environment import describe_environment, describe_machine, git_revision, package_versions


def test_the_record_names_versions_machine_device_and_command_line(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["mnist-tui", "run"])
    monkeypatch.chdir(tmp_path)
    record = describe_environment("cpu")
    assert record["versions"]["python"] == platform.python_version()
    assert record["versions"]["torch"] == version("torch")
    assert (record["device"], record["command_line"], record["working_folder"]) == (
        "cpu",
        ["mnist-tui", "run"],
        str(tmp_path),
    )
    assert record["host"] == platform.node()


def test_what_is_not_installed_has_no_version():
    assert package_versions(("torch", "no-such-package-x")) == {"torch": version("torch"), "no-such-package-x": None}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@b")
    (tmp_path / "file").write_text("one")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "one"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    return tmp_path


def test_the_revision_is_the_commit_and_a_plus_where_files_differ(repository):
    head = subprocess.run(["git", "-C", repository, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert git_revision(repository) == head.stdout.strip()
    (repository / "file").write_text("two")
    assert git_revision(repository) == head.stdout.strip() + "+"


def test_outside_a_repository_and_without_git_there_is_no_revision(repository, tmp_path_factory, monkeypatch):
    assert git_revision(tmp_path_factory.mktemp("plain")) is None
    monkeypatch.setenv("PATH", "")
    assert git_revision(repository) is None


def test_what_is_published_with_a_measurement_names_no_folder_host_or_command():
    machine, record = describe_machine("cpu"), describe_environment("cpu")
    assert record.items() >= machine.items()
    assert record.keys() - machine.keys() == {"host", "command_line", "working_folder"}
