"""A database that cannot be had: one line, soon, with what was tried, and never the password."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from postgres import PASSWORD, QUOTED, USER, Server, free_port
from shared_study import NAME

import archspace.study.database as database_module
from archspace.cli import main
from archspace.errors import ArchspaceError, UnknownNameError
from archspace.study import work
from archspace.study.address import hidden, storage_name, without_password
from archspace.study.database import close_study, open_database

SECRETS = (PASSWORD, QUOTED, "s3cret", "pa/ss", "w@rd", "w%40rd")
V1 = Path(__file__).parents[2] / "spaces" / "shufflenet_v1.toml"


def said(url: str, capsys: pytest.CaptureFixture[str], folder: Path) -> list[str]:
    """What `archspace search` and `archspace worker` say of a storage, checked to be one line each and without any secret."""
    lines = []
    for words in (
        ["search", str(V1), "--trials", "2", "-o", str(folder / "study"), "--storage", url],
        ["worker", "--study", NAME, "--storage", url],
    ):
        assert main(words) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
        assert not [secret for secret in SECRETS if secret in shown.err]
        lines.append(shown.err)
    assert not (folder / "study").exists()
    return lines


def test_a_port_where_nobody_listens(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    port = free_port()
    for line in said(f"postgresql+psycopg://{USER}:{QUOTED}@127.0.0.1:{port}/studies", capsys, tmp_path):
        assert line.startswith(f"archspace: storage postgresql+psycopg://{USER}:***@127.0.0.1:{port}/studies: cannot be opened: ")
        assert "Connection refused" in line
        assert line.endswith("Is the server up, and the address right?\n")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield int(listener.getsockname()[1])


def test_a_server_that_never_answers_is_given_up(
    silent_port: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_module.CONNECTING, "connect_timeout", 2)  # the least that libpq takes
    for line in said(f"postgresql+psycopg://{USER}:{QUOTED}@127.0.0.1:{silent_port}/studies", capsys, tmp_path):
        assert "timeout" in line


def test_a_host_without_an_address(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for line in said(f"postgresql+psycopg://{USER}:{QUOTED}@nowhere.invalid/studies", capsys, tmp_path):
        assert "nowhere.invalid" in line


def test_a_wrong_password(server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for line in said(server.url(password="s3cret-but-wrong"), capsys, tmp_path):
        assert f'password authentication failed for user "{USER}"' in line


def test_a_database_that_is_not_there(server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for line in said(server.url("nothing"), capsys, tmp_path):
        assert 'database "nothing" does not exist' in line


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@db:port/studies", "postgresql://me:***@db:port/studies"),
        ("postgresql//me:s3cret@db/studies", "postgresql//me:***@db/studies"),
        ("postgresql:/me:s3cret@db/studies", "postgresql:***@db/studies"),
        ("postgresql+psycopg://me:s3cret pa/ss:w@rd@db/studies", "postgresql+psycopg://me:***@db/studies"),
        ("me:s3cret@db", "me:***@db"),
        ("postgresql+nodriver://me:s3cret@db/studies", "postgresql+nodriver://me:***@db/studies"),
        ("nodatabase://me:s3cret@db/studies", "nodatabase://me:***@db/studies"),
    ],
)
def test_a_url_that_is_none_is_shown_without_what_may_be_its_password(
    url: str, shown: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for line in said(url, capsys, tmp_path):
        assert line.startswith(f"archspace: storage {shown}: ")


def test_a_password_in_the_query_is_hidden_too() -> None:
    assert storage_name("postgresql://db/studies?user=me&password=s3cret&sslmode=require") in (
        "postgresql://db/studies?user=me&password=***&sslmode=require",
        "postgresql://db/studies?password=***&sslmode=require&user=me",
    )


def test_what_needs_no_hiding_is_left_as_it_is() -> None:
    for url in ("sqlite:////home/me@work/a:b.db", "postgresql://db/studies", "postgresql://me@db:5432/studies"):
        assert storage_name(url) == url
    assert hidden("studies.db") == "studies.db"
    assert storage_name(None) == "journal"


def test_what_a_driver_says_loses_its_password_and_its_further_lines() -> None:
    url = f"postgresql+psycopg://me:{QUOTED}@db/studies"
    text = f"\n  FATAL: no {PASSWORD} for me, tried postgresql://me:other@db\nBackground on this error"
    assert without_password(text, url) == "FATAL: no *** for me, tried postgresql://me:***@db"


def test_a_study_that_is_not_there_is_named_with_the_near_ones(database: str, tmp_path: Path) -> None:
    assert main(["search", str(V1), "--trials", "2", "-o", str(tmp_path / "study"), "--storage", database, "--study", "mobile"]) == 0
    with pytest.raises(UnknownNameError, match=r"unknown study in postgresql\+psycopg://.*:\*\*\*@.* 'mobil'. Did you mean 'mobile'\?"):
        work(database, "mobil")


def test_a_study_that_something_else_wrote_is_refused(database: str) -> None:
    close_study(optuna.create_study(storage=open_database(database), study_name="theirs"))
    with pytest.raises(ArchspaceError, match="was not begun by `archspace search`, or is just being begun"):
        work(database, "theirs")
