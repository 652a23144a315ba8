"""Downloads from a real server on this machine: what arrives, what is refused, and that nothing is left behind."""

import socket
import threading
from collections.abc import Iterator
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from waiting import wait_until

import core.data.download
from core.advice import Action, Tip
from core.data.download import download
from core.errors import DataError, Stopped

CONTENT = bytes(range(256)) * 12_000  # 3 MB: more than the queue between reader and writer holds
MD5 = md5(CONTENT).hexdigest()


def never() -> str:
    return ""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        released: threading.Event = self.server.released  # type: ignore[attr-defined]
        match self.path.rpartition("/")[0]:
            case "/good":
                self.answer(CONTENT, len(CONTENT))
            case "/unsized":
                self.answer(CONTENT, None)
            case "/other":
                self.answer(b"<html>please sign in</html>", None)
            case "/short":
                self.answer(CONTENT[:100_000], len(CONTENT))
            case "/silent":
                released.wait(30)
            case "/stuck":
                self.answer(CONTENT[:100_000], len(CONTENT))
                self.wfile.flush()
                released.wait(30)
            case "/slow":
                self.answer(b"", len(CONTENT))
                for start in range(0, len(CONTENT), len(CONTENT) // 10):
                    released.wait(0.15)
                    self.wfile.write(CONTENT[start : start + len(CONTENT) // 10])
            case "/nonsense":
                self.wfile.write(b"this is no HTTP\r\n\r\n")
            case _:
                self.send_error(404)

    def answer(self, content: bytes, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[str]:
    """The address of a server that is up during the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.released = threading.Event()  # type: ignore[attr-defined]
    http.handle_error = lambda *_: None  # a client that hangs up is part of these tests
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.released.set()  # type: ignore[attr-defined]
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def refused() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def reader_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "download"}


@pytest.mark.parametrize("route", ["good", "unsized"])
def test_a_file_arrives_whole_in_folders_made_for_it_with_its_progress_told(server, tmp_path, route):
    told: list[tuple[str, int, int | None]] = []
    destination = tmp_path / "a" / "b" / "file.gz"
    download([f"{server}/{route}/file.gz"], destination, MD5, never, lambda *args: told.append(args))
    assert destination.read_bytes() == CONTENT
    assert left_in(tmp_path) == [destination]
    total = len(CONTENT) if route == "good" else None
    assert told[-1] == ("file.gz", len(CONTENT), total)
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})
    assert {(name, all_bytes) for name, _, all_bytes in told} == {("file.gz", total)}


@pytest.mark.parametrize("first", ["missing", "short", "nonsense", "refused"])
def test_the_next_mirror_is_asked_when_one_fails(server, refused, tmp_path, first):
    url = f"{refused}/file" if first == "refused" else f"{server}/{first}/file"
    download([url, f"{server}/good/file"], tmp_path / "file", MD5, never)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert left_in(tmp_path) == [tmp_path / "file"]


def test_a_mirror_that_delivers_another_file_does_not_keep_the_next_from_being_asked(server, tmp_path):
    download([f"{server}/other/file", f"{server}/good/file"], tmp_path / "file", MD5, never)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_when_no_mirror_delivers_each_failure_is_named_and_the_old_file_stays(server, refused, tmp_path, presentable):
    destination = tmp_path / "file"
    destination.write_bytes(b"old")
    urls = [f"{server}/missing/file", f"{server}/short/file", f"{refused}/file", "gopher:/nowhere"]
    with pytest.raises(DataError) as caught:
        download(urls, destination, MD5, never)
    presentable(
        caught.value.message, "file cannot be downloaded", *urls, "Not Found", "100,000 of 3,072,000", "refused"
    )
    assert str(destination) in caught.value.hint
    assert destination.read_bytes() == b"old"
    assert left_in(tmp_path) == [destination]


def test_a_file_with_another_md5_is_refused_by_the_name_it_was_to_have(server, tmp_path, presentable):
    destination = tmp_path / "file"
    with pytest.raises(DataError) as caught:
        download([f"{server}/other/file"], destination, MD5, never)
    presentable(caught.value.message, "file", MD5)
    assert f"{tmp_path}/." not in caught.value.message, "names a temporary file that is no longer there"
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("route", ["silent", "stuck"])
def test_a_server_that_falls_silent_is_given_up(server, tmp_path, monkeypatch, route):
    monkeypatch.setattr(core.data.download, "SILENCE_LIMIT", 0.4)
    with pytest.raises(DataError, match=r"no answer for 0\.4 s|timed out"):
        download([f"{server}/{route}/file"], tmp_path / "file", MD5, never)
    assert left_in(tmp_path) == []
    download([f"{server}/{route}/file", f"{server}/good/file"], tmp_path / "file", MD5, never)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_is_slow_but_never_silent_is_waited_for(server, tmp_path, monkeypatch):
    monkeypatch.setattr(core.data.download, "SILENCE_LIMIT", 1.0)
    download([f"{server}/slow/file"], tmp_path / "file", MD5, never)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("route", ["good", "silent", "stuck"])
def test_a_download_can_be_stopped_in_the_middle(server, tmp_path, route):
    asked = 0

    def stop_soon() -> str:
        nonlocal asked
        asked += 1
        return "enough" if asked > 3 else ""

    with pytest.raises(Stopped, match="enough"):
        download([f"{server}/{route}/file", f"{server}/good/file"], tmp_path / "file", MD5, stop_soon)
    assert left_in(tmp_path) == []


def test_a_stopped_download_leaves_no_thread_and_no_connection_behind(server, tmp_path):
    """However much of the file has not been read yet."""
    before = reader_threads()
    told: list[object] = []
    urls = [f"{server}/good/file"]
    with pytest.raises(Stopped):
        download(urls, tmp_path / "file", MD5, lambda: "enough" if told else "", lambda *args: told.append(args))
    wait_until(lambda: not reader_threads() - before)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path, presentable):
    (tmp_path / "file").write_bytes(b"in the way")
    destination = tmp_path / "file" / "raw" / "x.gz"
    with pytest.raises(DataError) as caught:
        download([f"{server}/good/x.gz"], destination, MD5, never)
    presentable(caught.value.message, str(destination), "cannot be written")
    assert Tip(Action.START_WITH, "data_dir", "a writable folder") in caught.value.advice.parts
    assert left_in(tmp_path) == [tmp_path / "file"]


@pytest.mark.parametrize("answer", ["missing", "other", "short"])
def test_folders_that_nothing_came_for_are_not_left_behind(server, tmp_path, answer):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError):
        download([f"{server}/{answer}/file.gz"], tmp_path / "data" / "MNIST" / "raw" / "file.gz", MD5, never)
    assert list(tmp_path.rglob("*")) == [tmp_path / "data"]
    download([f"{server}/good/file.gz"], tmp_path / "data" / "MNIST" / "raw" / "file.gz", MD5, never)
    assert [path.name for path in tmp_path.rglob("*.gz")] == ["file.gz"]
