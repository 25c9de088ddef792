"""What a family of networks is: a config type, how to build it, its published members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.zoo.config import FamilyConfig


@dataclass(frozen=True, slots=True)
class Family:
    """A parameterised network: its config type, how to build it, and its published members (name -> options)."""

    config: type[FamilyConfig]
    build: Callable[[Any, Builder], Graph]
    summary: str
    stride: int  # input pixels per pixel of the last feature map
    members: Mapping[str, Mapping[str, Any]]
    checks_input: bool = True  # the input must reach the stride; no where `build` has a stricter law of its own
