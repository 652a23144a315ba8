"""Tells an address by HTTP POST of what has become of runs, and sweeps: their end, a failure, the target.

For those who are not there: a detached run, one over SSH. Training does not know of it: entries are passed on
unchanged. What cannot be sent is given up after some seconds, with one warning.
"""

from __future__ import annotations

import atexit
import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from core.errors import one_line
from core.events import EndEvent, EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped
from experiments.export.tracking import earlier_entries
from experiments.runs.eventlog import Entry
from experiments.runs.seeds import name_of_group
from experiments.runs.store import Store
from experiments.runs.view import RunView, fold, reduce
from experiments.settings import notification_form

if TYPE_CHECKING:
    from urllib.request import Request

TIMEOUT = 5.0
"""Seconds that an address gets to answer."""
PATIENCE = 8.0
"""Seconds for which the end of a process waits for what is being sent."""

Kind = Literal["finished", "failed", "stopped", "target"]
_TAGS = {"finished": "white_check_mark", "failed": "x", "stopped": "warning", "target": "dart"}
"""Names of the small pictures that ntfy shows."""
_WORDS = {RunFinished: "finished", RunFailed: "failed", RunStopped: "stopped"}


@dataclass(frozen=True, slots=True)
class News:
    """What has become of a run, or of several that were started together. `run_id` is empty for those."""

    kind: Kind
    run_id: str
    title: str
    text: str


def news_of(name: str, view: RunView, entry: Entry, reached_before: int | None) -> News | None:
    """The news of an entry, if it has any. `view` is that of the run with the entry in it, `reached_before` the epoch
    in which it had reached its target without it.

    Somebody who stops a run knows of it; a signal that stops it is news.
    """
    best = f", best {percent(max(view.accuracies.values()))}" if view.accuracies else ""
    match entry.event:
        case EpochFinished(epoch=epoch) if view.first_epoch_at_target is not None and reached_before is None:
            at = f"{percent(view.accuracies[epoch])} in epoch {epoch}"
            return News("target", entry.run_id, f"{name}: target reached", f"{at}, of {view.config.get('target')}%")
        case RunFinished() as end:
            target = f", target reached in epoch {reached}" if (reached := view.first_epoch_at_target) else ""
            text = f"final {percent(end.final_test_accuracy)}{best}{target}, {end.epochs} epochs, {end.seconds:.0f} s"
            return News("finished", entry.run_id, f"{name}: finished", text)
        case RunFailed() as end:
            return News("failed", entry.run_id, f"{name}: failed", f"{end.error}{best}")
        case RunStopped(reason=reason, epoch=epoch) if reason.startswith("SIG"):
            return News("stopped", entry.run_id, f"{name}: stopped", f"{reason} in epoch {epoch}{best}")
        case _:
            return None


class Announcer:
    """Posts the news of runs to an address. `warn` is called at most once.

    Args:
        runs: how many runs it will hear of. Of several their ends are told as one, and failures at once.
    """

    def __init__(self, store: Store, address: str, warn: Callable[[str], None], runs: int = 1) -> None:
        self.store = store
        self._address = address
        self._warn = warn
        self._warned = False
        self._several = runs > 1
        self._views: dict[str, RunView] = {}
        self._sending: list[threading.Thread] = []
        self._closed = not address

    def follow(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Pass entries on, each once it has been heard."""
        if not self._address:
            yield from entries
            return
        for entry in entries:
            self.take(entry)
            yield entry

    def take(self, entry: Entry) -> None:
        """Hear an entry, and tell what is news in it."""
        if not isinstance(entry.event, RunStarted | EpochFinished | EndEvent):
            return
        before = self._views.get(entry.run_id)
        if before is None:  # it may go on where it stopped
            before = fold(earlier_entries(self.store.run(entry.run_id), entry))
        view = self._views[entry.run_id] = reduce(before, entry)
        news = news_of(self._name(entry.run_id), view, entry, before.first_epoch_at_target)
        if news is not None and (news.kind == "failed" or not self._several):
            self.tell(news)

    def close(self, *, waiting: bool = True) -> None:
        """Tell of the end of several runs, and wait some seconds for what is on its way. The end of the process does
        so in any case."""
        if self._closed:
            return
        self._closed = True
        ends = [view.end for view in self._views.values() if view.end is not None]
        if self._several and ends:
            self.tell(self._of_all(ends))
        if waiting:
            self.wait()

    def tell(self, news: News) -> None:
        """Send news, where there is an address, on a thread of its own, after what is on its way."""
        if not self._address:
            return
        if not self._sending:
            atexit.register(self.wait)
        before = self._sending[-1] if self._sending else None
        thread = threading.Thread(target=self._send, args=(news, before), name="notification", daemon=True)
        self._sending.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait some seconds for what is on its way."""
        deadline = time.monotonic() + PATIENCE
        for thread in self._sending:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _of_all(self, ends: list[EndEvent]) -> News:
        counts = Counter(_WORDS[type(end)] for end in ends)
        words = ", ".join(f"{count} {word}" for word, count in counts.items())
        best = [accuracy for view in self._views.values() for accuracy in view.accuracies.values()]
        run_id, view = next(iter(self._views.items()))
        name = name_of_group(self._name(run_id), view.config.get("seed"))
        kind: Kind = "failed" if counts["failed"] else "stopped" if counts["stopped"] else "finished"
        text = f"{len(ends)} runs: {words}" + (f", best {percent(max(best))}" if best else "")
        return News(kind, "", f"{name}: all runs have ended", text)

    def _name(self, run_id: str) -> str:
        return self.store.run(run_id).meta().name or run_id

    def _send(self, news: News, after: threading.Thread | None) -> None:
        if after is not None:
            after.join()
        from http.client import HTTPException  # which takes a while to import, for what few use
        from urllib.request import urlopen

        try:
            with urlopen(request_of(self._address, news), timeout=TIMEOUT):
                pass
        except (OSError, ValueError, HTTPException) as error:
            if not self._warned:
                self._warned = True
                self._warn(f"notify_url: {_host(self._address)} was not told: {_reason(error)}")


def request_of(address: str, news: News) -> Request:
    """The request that tells an address of news, in the form that it understands (`notification_form`)."""
    from urllib.request import Request

    form, url = notification_form(address)
    headers = {"User-Agent": "mnist-tui"}
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        url = parts._replace(netloc=_netloc(parts)).geturl()
    if form == "ntfy":
        headers |= {"Tags": _TAGS[news.kind], "Priority": "high" if news.kind == "failed" else "default"}
        headers |= {"Title": _header(news.title), "Content-Type": "text/plain; charset=utf-8"}
        return Request(url, news.text.encode(), headers, method="POST")
    headers["Content-Type"] = "application/json"
    body: dict[str, object]
    match form:
        case "slack":
            body = {"text": f"*{_escaped(news.title)}*\n{_escaped(news.text)}"}
        case "discord":
            body = {"content": f"**{news.title}**\n{news.text}"}
        case _:
            body = asdict(news)
    return Request(url, json.dumps(body).encode(), headers, method="POST")


def _header(text: str) -> str:
    """A header can hold no more than ASCII; the rest is written as RFC 2047 has it."""
    if text.isascii():
        return one_line(text, 200)
    return f"=?UTF-8?B?{base64.b64encode(one_line(text, 200).encode()).decode()}?="


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _netloc(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _host(address: str) -> str:
    """The part of an address that is no secret."""
    return _netloc(urlsplit(notification_form(address)[1]))


def _reason(error: Exception) -> str:
    if (status := getattr(error, "code", None)) is not None:
        return f"HTTP {status}"
    return one_line(str(getattr(error, "reason", None) or error), 100)


def percent(accuracy: float) -> str:
    return f"{100 * accuracy:.2f}%"
