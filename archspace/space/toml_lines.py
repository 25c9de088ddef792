"""Where keys stand in a TOML text: the line of every table, key and list element, which tomllib does not say.

>>> key_lines("a = 1\\n[t.'x y']\\nlist = [\\n  { k = 2 },\\n]\\n")[("t", "x y", "list", 0, "k")]
4
"""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
# Strings, the three-quoted first; up to two more quotes may stand in front of a closing triple.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]*")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line of each key's path, from 1; the first where a path is met again. The text must be TOML that tomllib has read."""
    return _Scanner(text).scan()


class _Scanner:
    """Walks over a text once and notes where paths begin."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._counted, self._line = 0, 1  # the line of the offset `_counted`
        self._lists: dict[KeyPath, int] = {}  # arrays of tables: elements so far

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._skip(_BLANK):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _header(self) -> KeyPath:
        is_list = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if is_list else 1
        path = self._placed(self._key())
        if is_list:
            count = self._lists.get(path, 0)
            self._lists[path] = count + 1
            self._note(path, start)
            path = (*path, count)
        self._note(path, start)
        self._skip(_SPACE)
        self._at += 2 if is_list else 1
        return path

    def _placed(self, key: KeyPath) -> KeyPath:
        """A header's key with the last element of each array of tables on its way."""
        path: KeyPath = ()
        for i, part in enumerate(key):
            path = (*path, part)
            self._note(path, self._at)
            if path in self._lists and i < len(key) - 1:
                path = (*path, self._lists[path] - 1)
        return path

    def _pair(self, table: KeyPath) -> None:
        """key = value."""
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self._skip(_SPACE)
        self._at += 1  # =
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> KeyPath:
        """A key of one or more parts with dots between them."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            found = _STRING.match(self._text, self._at) or _BARE.match(self._text, self._at)
            if found is None:
                return tuple(parts)
            self._at = found.end()
            parts.append(_plain(found[0]))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        if self._text.startswith("[", self._at):
            self._listed(path, "]")
        elif self._text.startswith("{", self._at):
            self._listed(path, "}")
        elif not self._skip_string():
            self._skip(_PLAIN)

    def _listed(self, path: KeyPath, end: str) -> None:
        """An array's elements or an inline table's pairs, up to the closing bracket."""
        self._at += 1
        count = 0
        while self._skip(_BLANK) and self._text[self._at] != end:
            if self._text[self._at] == ",":
                self._at += 1
            elif end == "]":
                self._note((*path, count), self._at)
                self._value((*path, count))
                count += 1
            else:
                self._pair(path)
        self._at += 1

    def _skip(self, what: re.Pattern[str]) -> bool:
        """Whether anything is left behind it."""
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _skip_string(self) -> bool:
        found = _STRING.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found is not None

    def _note(self, path: KeyPath, offset: int) -> None:
        self._line += self._text.count("\n", self._counted, offset)
        self._counted = offset
        self._lines.setdefault(path, self._line)


def _plain(key: str) -> str:
    """A key without its quotes."""
    if key[0] == "'":
        return key[1:-1]
    if key[0] != '"':
        return key
    return re.sub(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", lambda found: _ESCAPES.get(found[1]) or chr(int(found[1][1:], 16)), key[1:-1])
