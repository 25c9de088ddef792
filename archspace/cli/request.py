"""How a MODEL is to be read: --input, --batch, and for Python models --arg, --trace and --strict."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import click

from archspace.errors import LawError

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SIZE = "3x224x224"
DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "bool")
EXAMPLES = "Examples: 224, 480x640, 3x224x224, 128:int64"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of a MODEL beside its name. `sizes` are the inputs', one after the other; `arguments` are the constructor's."""

    sizes: tuple[str, ...] = ()
    batch: int | None = None
    arguments: tuple[str, ...] = ()
    trace: bool = False
    strict: bool = False

    @property
    def size(self) -> str | None:
        """The size of the one input. Raises LawError for several."""
        if len(self.sizes) > 1:
            raise LawError(f"a network that is not in Python takes one --input, but got {len(self.sizes)}: {', '.join(self.sizes)}")
        return self.sizes[0] if self.sizes else None

    def refuse_for(self, name: str, what: str) -> None:
        """Raise LawError for what only networks in Python take."""
        given = [word for word, value in (("--arg", self.arguments), ("--trace", self.trace)) if value]
        if given:
            raise LawError(f"{name}: {what} takes no {given[0]}, which is for networks in Python (net.py:Net, timm:NAME, torchvision:NAME)")


def request_options(command: F) -> F:
    """--input, --batch, --arg, --trace and --strict, handed on as one `request`."""
    return _with_options(command, default_batch="1")


def device_request_options(command: F) -> F:
    """The same where a batch that is not given is the device's own."""
    return _with_options(command, default_batch="the device's")


def _with_options(command: F, default_batch: str) -> F:
    @wraps(command)
    def wrapped(
        *args: Any, sizes: tuple[str, ...], batch: int | None, arguments: tuple[str, ...], trace: bool, strict: bool, **kwargs: Any
    ) -> Any:
        return command(*args, request=Request(sizes, batch, arguments, trace, strict), **kwargs)

    options = (
        click.option(
            "--input",
            "sizes",
            metavar="SIZE",
            multiple=True,
            help="Input in pixels: 224 or 480x640; for networks in Python any shape without its batch, 3x224x224 or 128:int64, "
            "once for each input.  [default: 224]",
        ),
        click.option("--batch", type=click.IntRange(min=1), help=f"Images per batch.  [default: {default_batch}]"),
        click.option("--arg", "arguments", metavar="KEY=VALUE", multiple=True, help="Networks in Python: an argument of the constructor."),
        click.option("--trace", is_flag=True, help="Networks in Python: run forward on made inputs, follow the branches that it takes."),
        click.option("--strict", is_flag=True, help="Refuse networks with ops of unknown kind."),
    )
    made: Any = wrapped
    for option in reversed(options):
        made = option(made)
    return cast(F, made)


def input_shape(size: str) -> tuple[tuple[int, ...], str]:
    """An input without its batch, and its type: '3x224x224' as it is, '224' and '480x640' with three channels, '128:int64' as it is.

    Raises LawError.

    >>> input_shape("480x640"), input_shape("128:int64")
    (((3, 480, 640), 'float32'), ((128,), 'int64'))
    """
    text, _, dtype = size.lower().partition(":")
    parts = text.split("x")
    if not all(part.isdecimal() and int(part) for part in parts) or (dtype and dtype not in DTYPES):
        raise LawError(f"--input is a size in pixels, or a shape without its batch, perhaps with a type, but got {size!r}. {EXAMPLES}")
    numbers = tuple([int(part) for part in parts])
    if dtype or len(numbers) > 2:
        return numbers, dtype or "float32"
    return ((3, *numbers * 2) if len(numbers) == 1 else (3, *numbers)), "float32"


def constructor_arguments(words: tuple[str, ...]) -> dict[str, Any]:
    """'width=0.5' as {'width': 0.5}: Python literals as what they are, yes, no, true and false as bools, other words as words.

    >>> constructor_arguments(("width=0.5", "sizes=[1, 2]", "act=relu", "se=yes"))
    {'width': 0.5, 'sizes': [1, 2], 'act': 'relu', 'se': True}
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", key):
            raise LawError(f"--arg is KEY=VALUE, an argument of the constructor, but got {word!r}. Example: --arg width=0.5")
        if key in found:
            raise LawError(f"the argument {key} is given twice. Drop one.")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    known = {"yes": True, "true": True, "no": False, "false": False, "none": None}
    if text.lower() in known:
        return known[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
