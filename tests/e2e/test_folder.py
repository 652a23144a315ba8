"""The folder that the program is started in is the user's: nothing there is taken for a part of the program."""

from __future__ import annotations

from waiting import wait_until

TRAIN = ("run", "--dataset", "mnist-5k", "--limit-train", "200", "--limit-test", "100", "--epochs", "1")
TAKEN = ("core", "experiments", "tui", "random", "signal", "types", "torch", "json")
"""Names of our packages and of others that the processes of a run import."""


def test_files_named_as_ours_or_pythons_are_imported_by_no_process_of_a_run(lab, tmp_path):
    folder = tmp_path / "here"
    for name in TAKEN:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('the folder is imported from')")
    for options in (("--seeds", "0-1"), ("--detach",)):
        done = lab.run(*TRAIN, *options, cwd=folder)
        assert done.returncode == 0, done.stderr
    wait_until(lambda: [row["status"] for row in lab.rows()] == ["finished"] * 3)
