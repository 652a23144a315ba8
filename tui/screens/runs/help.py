"""The keys of Runs, and what its help says."""

from __future__ import annotations

from textual.binding import BindingType

from tui.widgets.keys import bind

EMPTY = """There are no runs yet.

Start one in the Lab ({lab}), or from a shell with: mnist-tui run"""
KEYS: list[BindingType] = [
    bind("open", "open", "Open", tooltip="Show the run in Training, a live one goes on there; unfold a group"),
    bind("order", "sort", "Sort", tooltip="Next order: newest, best, name and others"),
    bind("filter", "filter", "Filter", tooltip="Find runs by words and values"),
    bind("preview", "preview", "Preview", tooltip="Show or hide the run's curve, and why it is where it is"),
    bind("note", "note", "Note", tooltip="Write a note on it"),
    bind("report", "report", "Report", tooltip="Write a page for the browser: for a course, or with all numbers"),
    bind("fork", "fork", "Fork", tooltip="Take its config to the Lab, to change and start again"),
    bind("inspect", "inspect", "Inspect", tooltip="What its network confuses, its layers, filters and feature maps"),
    bind("draw", "draw", "Draw", tooltip="Draw a picture for its network"),
    bind("mark", "mark", "Mark", tooltip="Mark it, to be compared, tagged, stopped or deleted with others"),
    bind("compare", "compare", "Compare", tooltip="Compare what is marked"),
    bind("right", "unfold", "Unfold", tooltip="Show the runs of the group or sweep"),
    bind("left", "fold", "Fold", tooltip="Put the runs of the group or sweep into one row again"),
    bind("fold_all", "fold_all", "Fold all", tooltip="Unfold or fold all groups and sweeps"),
    bind("tag", "tag", "Tag", tooltip="Set the tags; for marked runs, add or remove some"),
    bind("edit", "rename", "Rename", tooltip="Give it another name"),
    bind("mark_group", "mark_group", "Group", tooltip="Mark its whole group as one"),
    bind("mark_all", "mark_all", "Mark all", tooltip="Mark all that is listed, or unmark it"),
    bind("reverse", "reverse", "Reverse", tooltip="The other way round"),
    bind("columns", "columns", "Columns", tooltip="Choose the columns"),
    bind("continue", "resume", "Continue", tooltip="Go on from its last checkpoint"),
    bind("line", "app.line", "Line", tooltip="What waits in line: another order, dropping"),
    bind("stop", "stop", "Stop", tooltip="Stop it after a checkpoint, wherever it is trained"),
    bind("delete", "delete", "Delete", tooltip="Delete it, or all that is marked, after a question"),
    bind("copy", "copy", "Copy", tooltip="Copy the run's id, its spec, or the command that trains the same"),
    bind("again", "reload", "Reload", tooltip="Read all runs again"),
    bind("back", "leave_filter", "Leave filter", tooltip="Leave the filter as it is"),
    bind("back", "clear_filter", "Clear filter", tooltip="Show all runs again"),
    bind("back", "unmark", "Unmark", tooltip="Take all marks away"),
]
HELP = (
    "The order by best ({order}, or a click on the header) has the best on top; the preview ({preview}) says why.",
    "A group of seeds and a sweep are one row, with the mean and n, or the best trial; {right} unfolds it.",
    "A filter has words and values: acc>99.4 params<8k lr=0.01..0.05 tag:best status:live group:base; ! excludes:",
    "!sweep.",
    "In the order by newest live runs come first, those of other terminals too; {open} attaches to one.",
    "Best is the best test accuracy over epochs, and optimistic for that; final is that of the last epoch.",
    "Runs with held-out images have no best; in the order by best they stand where their final puts them.",
    "A star after a data set: a part of its images (limits on training or test images).",
    "What is marked with {mark}, or {mark_all}, is compared with {compare}, and tagged, stopped or deleted as one.",
)
