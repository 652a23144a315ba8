"""A real HTTP server on this machine that keeps what is posted to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Letter:
    path: str
    headers: dict[str, str]
    text: str


@dataclass
class PostOffice:
    """`status` is what it answers with; it answers only once `open` is set."""

    address: str
    status: int = 200
    letters: list[Letter] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)


@contextmanager
def post_office() -> Iterator[PostOffice]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            office.letters.append(Letter(self.path, {k.lower(): v for k, v in self.headers.items()}, text))
            office.open.wait(30)
            self.send_response(office.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    office = PostOffice(f"http://127.0.0.1:{server.server_port}")
    office.open.set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield office
    finally:
        office.open.set()
        server.shutdown()
        server.server_close()
