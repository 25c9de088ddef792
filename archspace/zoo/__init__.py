"""The zoo: families of networks, their published members, and how to build one by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archspace.errors import LawError, UnknownNameError
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.units import format_size
from archspace.zoo import fenet, mobilenet, resnet, shufflenet_v1, shufflenet_v2
from archspace.zoo.config import NetworkConfig, config_options, make_config

__all__ = ["MEMBERS", "ZOO", "Family", "build", "build_config", "resolve"]


@dataclass(frozen=True, slots=True)
class Family:
    """A parameterised network: its config type, how to build it, and its published members (name -> options)."""

    config: type[NetworkConfig]
    build: Callable[[Any, Builder], Graph]
    summary: str
    stride: int  # input pixels per pixel of the last feature map
    members: Mapping[str, Mapping[str, Any]]


ZOO: dict[str, Family] = {
    "shufflenet_v1": Family(
        shufflenet_v1.ShuffleNetV1Config,
        shufflenet_v1.build,
        "ShuffleNet v1 (CVPR 2018): pointwise group convolution and channel shuffle",
        32,
        {
            **{f"shufflenet_v1_{w:g}x_g{g}": {"groups": g, "width": w} for w in (0.25, 0.5, 1.0) for g in (1, 2, 3, 4, 8)},
            **{f"shufflenet_v1_{w:g}x_g3": {"groups": 3, "width": w} for w in (1.5, 2.0)},
            **{f"shufflenet_v1_{w:g}x_arch2_g{g}": {"groups": g, "width": w, "arch2": True} for w in (0.25, 0.5) for g in (1, 2, 3, 4, 8)},
            "shufflenet_v1_0.5x_shallow_g3": {"groups": 3, "width": 0.5, "shallow": True},
        },
    ),
    "shufflenet_v2": Family(
        shufflenet_v2.ShuffleNetV2Config,
        shufflenet_v2.build,
        "ShuffleNet v2 (ECCV 2018): channel split, equal widths, one shuffle",
        32,
        {f"shufflenet_v2_{w:g}x": {"width": w} for w in (0.5, 1.0, 1.5, 2.0)},
    ),
    "mobilenet_v1": Family(
        mobilenet.MobileNetV1Config,
        mobilenet.build_v1,
        "MobileNet v1 (2017): depthwise separable convolutions",
        32,
        {f"mobilenet_v1_{w:g}x": {"width": w} for w in (0.25, 0.5, 0.75, 1.0)},
    ),
    "mobilenet_v2": Family(
        mobilenet.MobileNetV2Config,
        mobilenet.build_v2,
        "MobileNet v2 (CVPR 2018): inverted residuals with linear bottlenecks",
        32,
        {
            **{f"mobilenet_v2_{w:g}x": {"width": w} for w in (0.15, 0.6, 1.0, 1.4)},
            "mobilenet_v2_0.75x_192": {"width": 0.75, "input": (192, 192)},
            "mobilenet_v2_0.4x_160": {"width": 0.4, "input": (160, 160)},
        },
    ),
    "resnet": Family(
        resnet.ResNetConfig,
        resnet.build,
        "ResNet (CVPR 2016): residual units",
        32,
        {"resnet18": {"depth": 18}, "resnet50": {"depth": 50}, "resnet50_v1": {"depth": 50, "stride_on_3x3": False}},
    ),
    "fenet": Family(
        fenet.FENetConfig,
        fenet.build,
        "FE-Net (CVPR 2019): sparse shifts in progressively wider inverted bottlenecks",
        32,
        {
            "fenet_1x": {"width": 1.0, "shift_sparsity": 0.6},
            "fenet_1.375x": {"width": 1.375, "shift_sparsity": 0.695},
            "fenet_1x_dw": {"width": 1.0, "spatial": "depthwise"},
            "fenet_1.375x_dw": {"width": 1.375, "spatial": "depthwise"},
        },
    ),
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
