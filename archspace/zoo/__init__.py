"""The zoo: families of networks, their published members, and how to build one by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspace.errors import LawError, UnknownNameError
from archspace.ir.builder import Builder
from archspace.ir.features import backbone
from archspace.ir.graph import Graph
from archspace.units import format_size
from archspace.zoo import (
    cells,
    classic,
    densenet,
    fenet,
    guidelines,
    igcv,
    mixed,
    mobilenet,
    pvanet,
    resnet,
    resnet_like,
    shiftnet,
    shufflenet_v1,
    shufflenet_v2,
    skeleton,
    xception_light,
)
from archspace.zoo.blocks import ReductionError
from archspace.zoo.config import FamilyConfig, config_options, make_config
from archspace.zoo.family import Family
from archspace.zoo.variants import with_activation

__all__ = ["MEMBERS", "ZOO", "Family", "build", "build_config", "chosen_options", "resolve"]


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
    **skeleton.FAMILIES,
    **guidelines.FAMILIES,
    **mixed.FAMILIES,
}

SPACERS = str.maketrans("", "", " -_")  # what spellings of a name differ in

# member name -> (family name, options)
MEMBERS: dict[str, tuple[str, Mapping[str, Any]]] = {
    member: (name, options) for name, family in ZOO.items() for member, options in family.members.items()
}


def resolve(name: str) -> tuple[str, dict[str, Any]]:
    """The family and the options behind a family's or a member's name, also as the papers write it: 'NASNet-A', 'IGCV3', 'VGG-16'.

    Raises UnknownNameError with near names.
    """
    if name not in ZOO and name not in MEMBERS:
        name = _as_written(name)
    if name in ZOO:
        return name, {}
    family, options = MEMBERS[name]
    return family, dict(options)


def chosen_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a graph's config that differ from its family's defaults; all of them where the family is not known."""
    defaults = config_options(ZOO[config["family"]].config()) if config.get("family") in ZOO else {}
    return {key: value for key, value in config.items() if key != "family" and value != defaults.get(key)}


def _as_written(name: str) -> str:
    """The family or member that a paper's spelling means: case, hyphens and spaces apart, or without a family's last part (IGCV3-D)."""
    wanted = _plain(str(name))
    for known in (*ZOO, *MEMBERS):
        if _plain(known) == wanted:
            return known
    starts = [family for family in ZOO if wanted and _plain(family.rpartition("_")[0]) == wanted]
    if len(starts) == 1:
        return starts[0]
    raise UnknownNameError("network", name, [] if starts else list(ZOO), also=starts or MEMBERS)


def _plain(name: str) -> str:
    return name.lower().translate(SPACERS)


def build(name: str, /, **options: Any) -> Graph:
    """The graph of a family or member, e.g. build("shufflenet_v1", groups=8, width=0.5, input=(224, 224), batch=1).

    Raises UnknownNameError for an unknown network or option, LawError for values that cannot be built.
    """
    family, member_options = resolve(name)
    config = make_config(family, ZOO[family].config, {**member_options, **options})
    return build_config(family, config)


def build_config(name: str, config: FamilyConfig) -> Graph:
    """The graph of a family's config. Raises LawError for values that cannot be built."""
    family = ZOO[name]
    if family.checks_input and min(config.input) < family.stride:
        raise LawError(
            f"{name}: the input must be at least the network's stride of {family.stride} pixels, but got {format_size(*config.input)}. "
            f"Smallest input: {family.stride}."
        )
    try:
        graph = family.build(config, Builder(name, {"family": name, **config_options(config)}))
    except ReductionError as error:
        raise LawError(f"{error} Largest in all units: {_largest_reduction(family, config, error)}.") from None
    graph = graph if config.activation is None else with_activation(graph, config.activation)
    return backbone(graph) if config.features else graph


def _largest_reduction(family: Family, config: FamilyConfig, error: ReductionError) -> int:
    """The largest reduction that all squeeze-and-excitations of a network allow: each that is refused names the next lower."""
    while True:
        try:
            family.build(make_config("", family.config, {**config_options(config), "se_reduction": error.largest}), Builder("largest"))
        except ReductionError as smaller:
            error = smaller
        else:
            return error.largest
