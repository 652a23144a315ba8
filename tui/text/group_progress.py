"""Runs that are trained at the same time, as text: a line for each epoch and for each run that ends."""

from __future__ import annotations

from core.events import EndEvent, EpochFinished, RunFailed, RunStarted
from experiments.runs.eventlog import Entry
from experiments.runs.store import Store
from experiments.runs.view import RunView, reduce
from tui.text.advice import command_line_record
from tui.text.output import complain, note, say
from tui.text.progress import epoch_line, last_line


class GroupProgress:
    """Prints the events of several runs as they come; `views` is what each has come to, by its id."""

    def __init__(self, store: Store, *, as_json: bool, quiet: bool) -> None:
        self.views: dict[str, RunView] = {}
        self._store = store
        self._as_json = as_json
        self._quiet = quiet
        self._noted = ""

    def show(self, entry: Entry) -> None:
        """Take in one event of any of the runs."""
        view = self.views[entry.run_id] = reduce(self.views.get(entry.run_id, RunView()), entry)
        match entry.event:
            case RunStarted(note=text) if text and text != self._noted:  # once, and not for each of them
                self._noted = text
                note(f"warning: {text}")
            case RunFailed() as event:
                complain(f"run {entry.run_id}: {event.error}", event.advice)
            case EpochFinished() as event if not (self._quiet or self._as_json):
                of_all = f"seed {view.config.get('seed')}, epoch {event.epoch}/{view.config.get('epochs')}"
                say(f"{of_all}: {epoch_line(view, event)}")
            case _:
                pass
        ended = isinstance(entry.event, EndEvent)
        if self._as_json and (ended or not self._quiet):
            say(entry.to_json(command_line_record))
        elif ended and not self._as_json:
            say(last_line(view, entry.run_id, self._store.run(entry.run_id).folder))
