"""Download one file: with progress, stopped when asked to, and never leaving half a file behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue

from core.advice import Action, Advice, Tip
from core.data.stored import md5_of
from core.errors import DataError, ShouldStop, Stopped
from core.storage.files import replacing

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes so far and, where known, the bytes in all."""

SILENCE_LIMIT = 6.0
"""Seconds without a byte, name look-up included, after which a mirror is given up."""


def download(
    urls: Sequence[str],
    destination: Path,
    md5: str,
    should_stop: ShouldStop,
    progress: Progress = lambda *_: None,
    otherwise: str = "",
) -> None:
    """Fetch the first of `urls` that answers into `destination`, if it has this MD5 sum.

    Folders that are not there are made, and where nothing comes, such as for a mistyped path, are none afterwards.

    Args:
        otherwise: what else a user can do to have it.

    Raises:
        DataError: when no mirror delivers, naming each one's failure, or when the folder cannot be written.
        Stopped: when `should_stop` gives a reason.
    """
    folder = destination.parent
    made: list[Path] = []
    try:
        made += [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(destination) as part:
            failures = []
            for url in urls:
                with part.open("wb") as file:
                    failure = _fetch(url, file.write, should_stop, progress)
                if not failure and (found := md5_of(part)) != md5:
                    failure = f"another file: its MD5 is {found}, not {md5}"
                if not failure:
                    break
                failures.append(f"{url}: {failure}")
            else:
                raise DataError(
                    f"{destination.name} cannot be downloaded: {'; '.join(failures)}",
                    hint=otherwise or f"check the network, or put the file at {destination}",
                )
    except OSError as error:
        hint = Advice("free some space there, or ", Tip(Action.START_WITH, "data_dir", "a writable folder"))
        raise DataError(f"{destination}: cannot be written: {error.strerror}", hint=hint) from error
    finally:
        with suppress(OSError):  # which says that there is something in it
            for one in made:
                one.rmdir()


def _fetch(url: str, write: Callable[[bytes], object], should_stop: ShouldStop, progress: Progress) -> str:
    """Read an address to its end; returns the reason why that failed, empty when it did not.

    A thread of its own reads, because a name look-up cannot be interrupted or given a time limit.
    """
    blocks: Queue[bytes | int | Exception | None] = Queue()
    abandoned = threading.Event()

    def read() -> None:
        from http.client import HTTPException  # which takes a while to import, for what is done once
        from urllib.request import urlopen

        try:
            with urlopen(url, timeout=SILENCE_LIMIT) as response:
                blocks.put(int(response.headers.get("Content-Length") or 0))
                while not abandoned.is_set() and (block := response.read(1 << 16)):
                    blocks.put(block)
            blocks.put(None)
        except (OSError, HTTPException, ValueError) as error:
            blocks.put(error)

    threading.Thread(target=read, name="download", daemon=True).start()
    try:
        return _receive(blocks, url.rpartition("/")[2], write, should_stop, progress)
    finally:
        abandoned.set()


def _receive(
    blocks: Queue[bytes | int | Exception | None],
    name: str,
    write: Callable[[bytes], object],
    should_stop: ShouldStop,
    progress: Progress,
) -> str:
    """Write what the reading thread sends: the length, blocks of bytes, and at the end None or the error."""
    total: int | None = None
    done = 0
    heard = time.monotonic()
    while True:
        Stopped.check(should_stop)
        try:
            item = blocks.get(timeout=0.1)
        except Empty:
            if time.monotonic() - heard > SILENCE_LIMIT:
                return f"no answer for {SILENCE_LIMIT:g} s"
            continue
        heard = time.monotonic()
        match item:
            case None:
                return "" if total in (None, done) else f"{done:,} of {total:,} bytes came"
            case Exception():
                return str(getattr(item, "reason", item)) or type(item).__name__
            case int():
                total = item or None
            case bytes():
                write(item)
                done += len(item)
                progress(name, done, total)
