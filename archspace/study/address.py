"""A storage's URL, and what is printed of it: never its password."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from archspace.errors import StudyError


def parsed(url: str) -> URL:
    """The parts of a storage's URL. Raises StudyError."""
    try:
        parts = make_url(url)
        parts.get_backend_name()
    except (SQLAlchemyError, ValueError):
        raise StudyError(f"storage {hidden(url)}: must be a URL like sqlite:///studies.db, but is not") from None
    if "@" in (parts.host or ""):
        raise StudyError(f"storage {hidden(url)}: an @ in a password must be written as %40")
    return parts


def storage_name(url: str | None) -> str:
    """How a storage is called in messages and in the study's folder: without its password. Raises StudyError for no URL."""
    if url is None:
        return "journal"
    parts = parsed(url)
    return _in_query(url if parts.password is None else parts.render_as_string(hide_password=True))


def require_database(url: str) -> None:
    """Raise StudyError where reading would make a new SQLite file instead of finding one."""
    parts = parsed(url)
    if parts.get_backend_name() == "sqlite" and parts.database not in (None, "", ":memory:") and not Path(str(parts.database)).exists():
        raise StudyError(f"storage {storage_name(url)}: there is no such file. `archspace search --storage` makes one.")


def hidden(text: str) -> str:
    """Text that was meant as a URL, with all that may be its password hidden: up to the last @."""
    return _in_query(re.sub(r":(?!//).*@", ":***@", text, flags=re.DOTALL))


def without_password(text: str, url: str) -> str:
    """What a database's driver says, on one line and without the password of `url`."""
    parts = parsed(url)
    secrets = [str(parts.password or ""), *(value for key, value in parts.query.items() if "password" in key and isinstance(value, str))]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    text = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _in_query(text: str) -> str:
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1***", text)
