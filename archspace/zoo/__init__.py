"""The zoo: families of networks, their published members, and how to build one by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspace.errors import LawError, UnknownNameError
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.units import format_size
from archspace.zoo import (
    cells,
    classic,
    densenet,
    fenet,
    igcv,
    mobilenet,
    pvanet,
    resnet,
    resnet_like,
    shiftnet,
    shufflenet_v1,
    shufflenet_v2,
    xception_light,
)
from archspace.zoo.config import NetworkConfig, config_options, make_config
from archspace.zoo.family import Family

__all__ = ["MEMBERS", "ZOO", "Family", "build", "build_config", "resolve"]


ZOO: dict[str, Family] = {
    **shufflenet_v1.FAMILIES,
    **shufflenet_v2.FAMILIES,
    **mobilenet.FAMILIES,
    **resnet.FAMILIES,
    **fenet.FAMILIES,
    **xception_light.FAMILIES,
    **densenet.FAMILIES,
    **igcv.FAMILIES,
    **cells.FAMILIES,
    **shiftnet.FAMILIES,
    **resnet_like.FAMILIES,
    **classic.FAMILIES,
    **pvanet.FAMILIES,
}

# member name -> (family name, options)
MEMBERS: dict[str, tuple[str, Mapping[str, Any]]] = {
    member: (name, options) for name, family in ZOO.items() for member, options in family.members.items()
}


def resolve(name: str) -> tuple[str, dict[str, Any]]:
    """The family and the options behind a family's or a member's name. Raises UnknownNameError with near names."""
    if name in ZOO:
        return name, {}
    if name in MEMBERS:
        family, options = MEMBERS[name]
        return family, dict(options)
    raise UnknownNameError("network", name, list(ZOO), also=MEMBERS)


def build(name: str, /, **options: Any) -> Graph:
    """The graph of a family or member, e.g. build("shufflenet_v1", groups=8, width=0.5, input=(224, 224), batch=1).

    Raises UnknownNameError for an unknown network or option, LawError for values that cannot be built.
    """
    family, member_options = resolve(name)
    config = make_config(family, ZOO[family].config, {**member_options, **options})
    return build_config(family, config)


def build_config(name: str, config: NetworkConfig) -> Graph:
    """The graph of a family's config. Raises LawError for values that cannot be built."""
    family = ZOO[name]
    if min(config.input) < family.stride:
        raise LawError(
            f"{name}: the input must be at least the network's stride of {family.stride} pixels, but got {format_size(*config.input)}. "
            f"Smallest input: {family.stride}."
        )
    return family.build(config, Builder(name, {"family": name, **config_options(config)}))
