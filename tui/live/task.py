"""Work on a thread of its own: any that a screen asks for, watches and gives up, and what all of it has in common.

It calls nothing of the interface: the screen looks at it when it is painted next. It is a daemon thread, because one
that Python joins at exit could hold up a closed terminal for ever.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Generic, TypeVar

from core.advice import Tip
from core.errors import LabError, ShouldStop, Stopped
from tui.live.forms.advice import as_sentence, tip_in_words

Result = TypeVar("Result")
Report = Callable[[str, float], None]


DEFECT = "This is a defect of the program; interface.log in the home has the details."


def in_a_sentence(error: LabError, words_of: Callable[[Tip], str] = tip_in_words) -> str:
    """The failure and what to do about it, in the interface's words or in a form's own."""
    return f"{error.message}. {as_sentence(error.advice.worded(words_of))}".rstrip()


class Background:
    """Where work on a thread stands. Only the thread writes the attributes; anyone may read them.

    `stage` says what is being done; when `done` is set there may be a `failure` or the traceback of a `defect`.
    """

    def __init__(self) -> None:
        self.stage = "importing torch"
        self.failure: LabError | None = None
        self.defect = ""
        self.done = threading.Event()

    def begin(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=self._run, args=(work,), name=name, daemon=True).start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Stopped:
            pass
        except LabError as error:
            self.failure = error
        except BaseException:  # noqa: BLE001  # a defect, which a thread has nobody to raise to: shown, and logged
            self.defect = traceback.format_exc()
            traceback.print_exc()
        finally:
            self.done.set()


class BackgroundTask(Background, Generic[Result]):
    """Runs `work(should_stop, report)` at once. `share` says how much of it is done; in the end there is a `result`
    unless it failed or was cancelled."""

    def __init__(self, name: str, work: Callable[[ShouldStop, Report], Result]) -> None:
        super().__init__()
        self.share = 0.0
        self.result: Result | None = None
        self.cancelled = False
        self._work = work
        self.begin(name, self._take_result)

    def cancel(self) -> None:
        """Ask the thread to give up; it looks between two steps of its work."""
        self.cancelled = True

    def problem(self) -> str:
        """The reason why there is no result, in a sentence or two; empty when nothing went wrong."""
        if self.failure is not None:
            return in_a_sentence(self.failure)
        return DEFECT if self.defect else ""

    def _report(self, stage: str, share: float) -> None:
        self.stage, self.share = stage, share

    def _take_result(self) -> None:
        self.result = self._work(lambda: "no longer wanted" if self.cancelled else "", self._report)
