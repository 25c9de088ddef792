"""Modules in modules: rows of them, with equal ones as a comprehension, and those of open scopes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archspace.pytorch.code.layout import INDENT, LINE, Bracket, Code, call, flat
from archspace.pytorch.code.tree import is_attribute

DIGITS = "0123456789"
LONGEST_ITEM = LINE - 3 * len(INDENT)
REPEATED = 3  # equal blocks in a row that are written as a comprehension
NUMBER = re.compile(r"(?<![\w.-])(\d+)(?![\w.])")
STACK = '''

def stack(**modules: nn.Module) -> nn.Sequential:
    """Modules in a row under their names."""
    return nn.Sequential(OrderedDict(modules))'''.splitlines()


def module_dict(inside: Mapping[str, Any]) -> Code:
    """An open scope: its modules by name, those of scopes in it in one of their own."""
    items: list[Code] = []
    for name, one in inside.items():
        code = module_dict(one) if isinstance(one, dict) else one
        items.append(prefixed(f'"{name}": ', code))
    return call("nn.ModuleDict", [Bracket("{", tuple(items), "}")] if items else [])


def row(members: Sequence[tuple[str, Code]]) -> Code:
    """nn.Sequential under the members' names; equal ones in a row, or ones whose numbers grow evenly, as a comprehension."""
    names = [name for name, _ in members]
    numbered = names == [str(i) for i in range(len(names))]
    items: list[Code] = []
    k = 0
    while k < len(members):
        run = _run(members[k:])
        word, first = split_number(names[k])
        bounds = f"{first}, {first + len(run)}" if first else f"{len(run)}"
        each = _each([code for _, code in run], first or 0)
        item = f"*({each} for {'i' if '* i' in each else '_'} in range({bounds}))" if numbered else ""
        item = item or f'**{{f"{word}{{i}}": {each} for i in range({bounds})}}'
        if not each or len(run) < REPEATED or len(item) > LONGEST_ITEM:
            run = run[:1]
            item = ""
        k += len(run)
        if item:
            items.append(item)
        elif numbered:
            items.append(run[0][1])
        elif all(map(is_attribute, names)):
            items.append(prefixed(f"{run[0][0]}=", run[0][1]))
        else:
            items.append(Bracket("**{", (prefixed(f'"{run[0][0]}": ', run[0][1]),), "}"))
    return call("nn.Sequential" if numbered else "stack", items)


def split_number(name: str) -> tuple[str, int | None]:
    """'unit12' -> ('unit', 12); a name without a number, or with one that is written in another way, has None."""
    word = name.rstrip(DIGITS)
    number = name[len(word) :]
    return (word, int(number)) if number and number == str(int(number)) else (name, None)


def _run(members: Sequence[tuple[str, Code]]) -> Sequence[tuple[str, Code]]:
    """The most members from the first on whose names count up and whose code `_each` can write as one."""
    word, first = split_number(members[0][0])
    length = 1
    while (
        first is not None
        and length < len(members)
        and members[length][0] == f"{word}{first + length}"
        and _each([code for _, code in members[: length + 1]], first)
    ):
        length += 1
    return members[:length]


def _each(codes: Sequence[Code], first: int) -> str:
    """The code of all members as one text in `i`, which counts from `first`: equal, or with numbers that grow by equal steps; else ''."""
    parts = [re.split(NUMBER, flat(code)) for code in codes]
    if any(part[::2] != parts[0][::2] for part in parts) or ('"' in "".join(parts[0][::2]) and any(part != parts[0] for part in parts)):
        return ""
    text = parts[0][0]
    for k in range(1, len(parts[0]), 2):
        numbers = [int(part[k]) for part in parts]
        step = numbers[1] - numbers[0] if len(numbers) > 1 else 0
        if any(b - a != step for a, b in itertools.pairwise(numbers)) or step < 0 or (step and step * first > numbers[0]):
            return ""
        start = numbers[0] - step * first
        text += (f"{start} + {step} * i" if start else f"{step} * i") if step else str(start)
        text += parts[0][k + 1]
    return text


def prefixed(before: str, code: Code) -> Code:
    """Code with a text before it."""
    return f"{before}{code}" if isinstance(code, str) else replace(code, head=f"{before}{code.head}")
