"""Reading and writing text files with one-line errors; nothing is overwritten unasked."""

from __future__ import annotations

import json
from pathlib import Path
from stat import S_ISDIR
from typing import Any, Literal

from archspace.errors import FileError

LONGEST_NAME = 255  # bytes: NAME_MAX of Linux, macOS and Windows file systems


def read_text(path: str | Path) -> str:
    """The file's text. Raises FileError when it is missing, a folder, unreadable or not UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: a text file must be UTF-8, but byte {error.start} is not. Save it as UTF-8.") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None


def read_json(path: str | Path) -> Any:
    """The file's JSON value. Raises FileError."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: must be JSON, but is not: {error}") from None


def what_is_at(path: str | Path) -> Literal["file", "folder", "nothing"]:
    """What lies at a path; a path that no file can have (too long, a zero byte) holds nothing."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return "nothing"
    return "folder" if S_ISDIR(mode) else "file"


def check_writable(path: str | Path, *, force: bool = False) -> Path:
    """The path, if a file may be written there: its folder exists and it is free, or `force` is given. Raises FileError."""
    target = Path(path)
    found = what_is_at(target)
    if len(target.name.encode()) > LONGEST_NAME:
        raise FileError(f"{target.name[:20]}...: File name too long: {len(target.name.encode())} bytes, at most {LONGEST_NAME}")
    if found == "folder":
        raise FileError(f"{path}: an output file was asked for, but this is a folder. Name a file in it.")
    if found == "file" and not force:
        raise FileError(f"{path}: exists already, and nothing is overwritten unasked. Name another file or give --force.")
    if what_is_at(target.parent) != "folder":
        raise FileError(f"{path}: its folder {target.parent} must exist, but does not. Make it first.")
    return target


def write_text(path: str | Path, text: str, *, force: bool = False) -> None:
    """Write a text file whole. Raises FileError when the file exists (without `force`) or cannot be written."""
    target = check_writable(path, force=force)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None


def make_folder(path: str | Path) -> Path:
    """The folder, made with its parents where needed. Raises FileError."""
    target = Path(path)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be made: {error.strerror}") from None
    return target
