"""A PostgreSQL server of the tests' own, on loopback, in a folder of its own. It never runs as root, which PostgreSQL refuses."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

USER, PASSWORD = "archspace", "s3cret pa/ss:w@rd"
QUOTED = "s3cret%20pa%2Fss%3Aw%40rd"  # the same in a URL
ACCOUNT = "postgres"  # who runs the server where the tests are root's
DEADLINE_S = 120.0
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB", "max_connections": "60"}


def program(name: str) -> str:
    """Where a program of PostgreSQL's is: on the path, or where Debian puts it."""
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True), shutil.which(name)]
    for path in found:
        if path:
            return str(path)
    raise AssertionError(f"these tests need a PostgreSQL server, but there is no {name}. Install it: apt-get install postgresql")


class Server:
    """The server: started, stopped, restarted on the same port."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self.port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", password: str = QUOTED) -> str:
        """As Optuna takes it."""
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def make_database(self, name: str) -> str:
        """A new, empty database; its URL."""
        with self._connected(autocommit=True) as connection:
            connection.execute(f'create database "{name}"'.encode())
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Without asking whoever is connected."""
        with self._connected(autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)'.encode())

    def initialise(self) -> None:
        """Make the server's files."""
        secret = self._folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        _give_away(secret)
        command = [program("initdb"), "-D", str(self._data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        subprocess.run([*command, "--locale=C", "--encoding=UTF8"], check=True, capture_output=True, timeout=DEADLINE_S, **_as_account())

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {**SETTINGS, "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self._folder)}
        words = [
            program("postgres"),
            "-D",
            str(self._data),
            *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
        ]
        end_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []  # should the tests be killed themselves
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen([*end_with_us, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_as_account())
        deadline = time.monotonic() + DEADLINE_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, whoever is connected; in any case."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        try:
            self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(DEADLINE_S)
        self._process = None

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _connected(self, **options: Any) -> Any:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="postgres", connect_timeout=10, **options
        )

    def _answers(self) -> bool:
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True


def _as_account() -> dict[str, Any]:
    """Who the server's programs run as."""
    return {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.getuid() == 0 else {}


def _give_away(path: Path) -> None:
    if os.getuid() == 0:
        shutil.chown(path, ACCOUNT, ACCOUNT)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server() -> Iterator[Server]:
    """A server; stopped, and its files dropped, in any case."""
    folder = Path(tempfile.mkdtemp(prefix="archspace-pg-"))  # a short path, that another account may enter: a socket lies in it
    server = Server(folder, free_port())
    try:
        _give_away(folder)
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
