"""The table of commands. Only the command that is typed is imported.

To add a command, write its function, or a `typer.Typer` of subcommands, in a module of this package and add one row:
its name, where it is (``module:attribute``), and the first line of its docstring. `mnist-tui --help` lists that line
without importing anything. Nothing else has to know of the command.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """Where a command is, and its line in the list of commands. A test compares it with the command's own help."""

    target: str
    help: str


COMMANDS: Mapping[str, Row] = {
    "run": Row("tui.commands.run:run", "Train a network. Flags override the preset or file."),
    "lr-find": Row(
        "tui.commands.lr_find:lr_find",
        "Look for a learning rate. Trains for an epoch while it rises, and says where the loss stops falling.",
    ),
    "archs": Row("tui.commands.archs:app", "Architectures: list them, show one, write a module as a spec."),
    "presets": Row("tui.commands.archs:presets", "List the presets."),
    "data": Row(
        "tui.commands.data:data",
        "List the data sets, or download, verify, locate or show one. That is mnist unless --dataset names another.",
    ),
    "doctor": Row(
        "tui.commands.doctor:doctor",
        "Check the installation, devices, data and home. Exits 1 when something is broken.",
    ),
    "settings": Row(
        "tui.commands.settings:app",
        "Show the settings and where each comes from, or change their file.",
    ),
    "runs": Row("tui.commands.runs:runs", "List the runs, the newest first."),
    "show": Row(
        "tui.commands.runs:show",
        "Show a run's config, epochs and result, or a group's statistics.",
    ),
    "note": Row(
        "tui.commands.note:note",
        "Show the note of a run or of the runs of a group, or write it. A report sets Target, Result, Analysis apart.",
    ),
    "watch": Row(
        "tui.commands.runs:watch",
        "Follow a run, or the runs of a group in turn, until it ends. Ctrl+C leaves the run alone.",
    ),
    "resume": Row(
        "tui.commands.lifecycle:resume",
        "Continue a run or a group exactly where it stopped. --epochs extends a finished one.",
    ),
    "stop": Row(
        "tui.commands.lifecycle:stop",
        "Stop a run or a group, after a checkpoint. It does not matter which process trains it.",
    ),
    "queue": Row(
        "tui.commands.jobs.queue:app",
        "List the runs that wait in line, move or drop them. A process of its own trains them, one job at a time.",
    ),
    "compare": Row(
        "tui.commands.compare:compare",
        "Say whether runs or groups differ by more than chance. Prints difference, 95% interval and verdict.",
    ),
    "predict": Row(
        "tui.commands.predict:predict",
        "Classify pictures with a trained network.",
    ),
    "export": Row(
        "tui.commands.export:export",
        "Write a run's network, curves or chart for other programs. Prints the path.",
    ),
    "verify": Row(
        "tui.commands.verify:verify",
        "Check a run, a group or a bundle against its log. Counts and scores it again; exits 5 where they differ.",
    ),
    "bundle": Row(
        "tui.commands.bundle:bundle",
        "Pack a run or a group into one zip. Others check it with mnist-tui verify, and add it with mnist-tui import.",
    ),
    "import": Row(
        "tui.commands.bundle:import_runs",
        "Add the runs of bundles to this home. Those that are here already are left as they are.",
    ),
    "report": Row(
        "tui.commands.report:report",
        "Write runs, groups or a sweep as one HTML page that opens offline. Prints its path.",
    ),
    "rm": Row("tui.commands.runs:rm", "Delete runs and everything in their folders. Asks first when on a terminal."),
    "sweep": Row(
        "tui.commands.sweep:sweep",
        "Search for the config that scores best. Options with a range or a list are searched, the others are fixed.",
    ),
    "sweeps": Row("tui.commands.sweeps:sweeps", "List the sweeps, show the results of one, or stop it."),
    "claims": Row(
        "tui.commands.claims:claims",
        "Test the exercise's six claims over several seeds. Called again, it goes on where it stopped.",
    ),
    "bench": Row(
        "tui.commands.bench:bench",
        "Time training with each engine and with PyTorch's MNIST example. They take turns, on full MNIST.",
    ),
}
