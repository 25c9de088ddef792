"""Layout: code that a formatter leaves as it is, lines of at most LINE characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LINE = 140
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Bracket:
    """`head` items `tail`, on one line where they fit, else one item a line with a trailing comma: Bracket("nn.ReLU(", (), ")")."""

    head: str
    items: tuple[Code, ...]
    tail: str
    separator: str = ","  # "" between the lines of one long text


Code = str | Bracket


def flat(code: Code) -> str:
    """The code on one line.

    >>> flat(Bracket("(", ("a",), ")"))
    '(a,)'
    """
    if isinstance(code, str):
        return code
    inside = f"{code.separator} ".join(map(flat, code.items))
    comma = "," if code.head == "(" and len(code.items) == 1 else ""
    return f"{code.head}{inside}{comma}{code.tail}"


def laid_out(code: Code, depth: int, before: str = "", after: str = "") -> list[str]:
    """The code between `before` and `after` as lines, indented by `depth`."""
    line = f"{INDENT * depth}{before}{flat(code)}{after}"
    if isinstance(code, str) or len(line) <= LINE or not code.items:
        return [line]
    inside = [part for item in code.items for part in laid_out(item, depth + 1, after=code.separator)]
    return [f"{INDENT * depth}{before}{code.head}", *inside, f"{INDENT * depth}{code.tail}{after}"]


def call(name: str, arguments: Sequence[Code]) -> Bracket:
    """name(arguments)."""
    return Bracket(f"{name}(", tuple(arguments), ")")
