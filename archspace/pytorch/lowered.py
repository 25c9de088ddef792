"""What an op can become: an argument of `forward`, a tensor of the module's own, a call, or a submodule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An op that becomes an argument of `forward`."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An op that becomes a parameter of the module, or a buffer, under its own name."""

    shape: tuple[int, ...]
    learned: bool


@dataclass(frozen=True, slots=True)
class Call:
    """An op that becomes a call: function(*before, *inputs, *args, **kwargs), or with [inputs] as one argument when `packed`."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    packed: bool = False
    before: tuple[Any, ...] = ()


Lowered = nn.Module | Call | Placeholder | Attribute
