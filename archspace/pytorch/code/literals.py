"""Literals: values as code."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from archspace.pytorch.code.layout import Bracket, Code

LONGEST_TUPLE = 24  # whole numbers that are written as a tuple; more are the text of a call of NUMBERS
LONGEST_TEXT = 96
NUMBERS = '''

def numbers(text: str) -> tuple[int, ...]:
    """The whole numbers that a text lists."""
    return tuple(map(int, text.split()))'''.splitlines()


def literal(value: Any) -> str:
    """A value as code.

    >>> literal((1, "zeros"))
    '(1, "zeros")'
    """
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float) and not isfinite(value):
        return f'float("{value}")'
    if isinstance(value, tuple) and len(value) > LONGEST_TUPLE and all(type(one) is int for one in value):
        return f'numbers("{" ".join(map(str, value))}")'
    if isinstance(value, tuple | list):
        inside = ", ".join(map(literal, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return repr(value)


def broken(text: str) -> Code:
    """A literal as code whose long lists of numbers can be broken into lines."""
    start = 'numbers("'
    if not text.startswith(start) or len(text) <= LONGEST_TEXT + LONGEST_TEXT // 2:
        return text
    lines, line = [], ""
    for word in text.removeprefix(start).removesuffix('")').split():
        if len(line) + len(word) >= LONGEST_TEXT:
            lines.append(line)
            line = ""
        line += f"{word} "
    lines.append(line.rstrip())
    return Bracket("numbers(", tuple([f'"{one}"' for one in lines]), ")", separator="")
