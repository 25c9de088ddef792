"""Every family of the zoo at its smallest: narrow, shallow, on small images, with all of its structure."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from archspace.ir import Graph
from archspace.zoo import ZOO, build

# AlexNet's strides need more than 64 pixels to leave any.
SIDES = {"alexnet": 96}
# One unit of theirs has a hundred ops and more.
DEEP = frozenset({"senet", "densenet", "nasnet_a", "pnasnet_5", "darts"})
NARROW: dict[str, Any] = {"width": 0.25, "num_classes": 7}


def small_network(family: str, **options: Any) -> Graph:
    """The family's default member at a quarter of its width, for seven classes, with two units per stage, or one where they are large."""
    config = ZOO[family].config()
    names = {field.name for field in fields(config)}
    chosen = {name: value for name, value in NARROW.items() if name in names}
    if isinstance(getattr(config, "repeats", None), tuple):
        chosen["repeats"] = tuple(min(repeat, 1 if family in DEEP else 2) for repeat in config.repeats)
    side = SIDES.get(family, 64)
    return build(family, **{"input": (side, side), **chosen, **options})
