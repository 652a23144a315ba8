"""A real SSH server on this machine's loopback, and a path to it that can fall silent."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def why_not() -> str:
    """Why there is no such server here; empty where there is one."""
    if SSHD is None:
        return "there is no sshd"
    if any(shutil.which(program) is None for program in ("ssh", "ssh-keygen")):
        return "there is no ssh client"
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        with suppress(OSError):
            Path("/run/sshd").mkdir(mode=0o755)
        return "" if Path("/run/sshd").is_dir() else "sshd needs /run/sshd"
    return ""


class SshServer:
    """Lets this user in by a key. A client that does not answer is given up after three seconds."""

    def __init__(self, folder: Path) -> None:
        self._key = folder / "key"
        for name in ("host", "key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True, timeout=60
            )
        shutil.copy(folder / "key.pub", folder / "authorized")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = {
            "ListenAddress": "127.0.0.1",
            "Port": self.port,
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "authorized",
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PermitRootLogin": "yes",
            "PasswordAuthentication": "no",
            "ClientAliveInterval": 1,
            "ClientAliveCountMax": 3,
        }
        config = folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self._log = (folder / "sshd.log").open("wb")
        assert SSHD is not None
        self._process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        self._wait_for_port()

    def _wait_for_port(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return
            assert time.monotonic() < deadline, "the server never listened"
            assert self._process.poll() is None, "the server ended"
            time.sleep(0.05)

    def client(
        self, command: Sequence[str], variables: Mapping[str, str], *, terminal: bool, port: int | None = None
    ) -> list[str]:
        """The command line of a client that runs a command there, with these variables."""
        words = shlex.join(["env", *(f"{name}={value}" for name, value in variables.items()), *command])
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
        }
        return [
            *("ssh", "-F", "none", "-tt" if terminal else "-T", "-i", str(self._key), "-p", str(port or self.port)),
            *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
            *(f"{getpass.getuser()}@127.0.0.1", f"exec {words}"),
        ]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


class SilentPath:
    """A path to a port of this machine that carries bytes both ways until it is `cut`; then it carries none, and closes
    nothing: as a network that is gone, or a laptop whose lid is shut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_cut = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._is_cut.set()

    def close(self) -> None:
        self._is_cut.set()
        for one in (self._listener, *self._sockets):
            with suppress(OSError):
                one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if self._is_cut.is_set():
                    return  # what was on its way is lost, and nobody is told
                sink.sendall(data)
