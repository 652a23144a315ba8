"""Loads data of one's own as tensors, decoded once for files that stay the same."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from core.data.decoded import Decoded, decoded
from core.data.own.form import find_form
from core.data.own.parts import Form
from core.data.own.settle import settle
from core.errors import DataError, ShouldStop, Stopped, reason_of
from core.storage.files import open_regular
from core.storage.tensors import weights_sha256

DIGITS_OF_SUM = 12


def load_own(path: Path, cache: Path, should_stop: ShouldStop) -> tuple[Decoded, str]:
    """The data at a path, and the first digits of the sum of all of it that decides a result: images, labels and the
    names of the classes, however they are packed.

    Raises:
        DataError: naming the file and the place in it that is wrong.
        Stopped: when asked to.
    """
    form = find_form(path)

    def read() -> Decoded:
        parts = form.read()
        Stopped.check(should_stop)
        settled = settle(path, parts)
        return Decoded.of(settled.arrays, settled.classes, settled.note, set_aside=settled.set_aside)

    found = decoded(cache, "own", _sum_of_files(path, form, should_stop), read)
    # What lies beside the files is not in their sum, so that a note about it cannot be kept with what they hold.
    found = replace(found, note="; ".join(filter(None, (form.note, found.note))))
    content = f"{weights_sha256(found.tensors)} {json.dumps(found.classes)}"
    return found, sha256(content.encode()).hexdigest()[:DIGITS_OF_SUM]


def _sum_of_files(path: Path, form: Form, should_stop: ShouldStop) -> str:
    """A sum of the bytes of all files and of their places."""
    digest = sha256(f"{type(form).__name__}\n".encode())
    for file in form.files:
        own = sha256()
        try:
            with open_regular(file, follow_link=True) as opened:
                while block := opened.read(1 << 20):
                    own.update(block)
                    Stopped.check(should_stop)
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {reason_of(error)}", hint="check the file") from error
        name = str(file.relative_to(path)) if file != path else file.name
        digest.update(f"{name} {own.hexdigest()}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
