"""The space around one network: `NEIGHBOURHOODS` says which options of a family vary, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from math import floor
from typing import Any, cast

from archspace.errors import LawError
from archspace.space.domains import Choice, Domain, Range, Value
from archspace.space.space import Parameter, Space
from archspace.zoo import ZOO, shufflenet_v2
from archspace.zoo.config import config_options, make_config
from archspace.zoo.shufflenet_v2 import ShuffleNetV2Config

DIGITS = 6
Vary = Callable[[Any], Domain]  # an option's own value -> what it may be instead, the value among it


def _widths(own: float) -> Domain:
    """From seven tenths to one and a half times as wide, in twentieths."""
    return _steps(own, round(own / 20, DIGITS), 6, 10)


def _counts(own: int) -> Domain:
    """From half as many to half as many again."""
    away = max(1, own // 2)
    return Range(max(1, own - away), own + away)


def _shares(own: float) -> Domain:
    """Up to a fifth less or more, in twentieths; a tenth is left on both sides."""
    step = 0.05
    below, above = (max(0, min(4, floor(room / step + 1e-9))) for room in (own - 0.1, 0.9 - own))
    return _steps(own, step, below, above)


def _channels(own: int) -> Domain:
    """Up to a third less or more, in even twelfths."""
    step = max(2, round(own / 24) * 2)
    below = min(4, (own - 2) // step)
    return Range(own - below * step, own + 4 * step, step)


def _factors(own: int) -> Domain:
    """Up to two less or more; what is not expanded stays so."""
    return Choice((own,) if own == 1 else tuple(range(max(1, own - 2), own + 3)))


def _doubled(own: int) -> Domain:
    """Half, as it is, or double."""
    return _among(max(1, own // 2), 2 * own)(own)


def _among(*values: Value) -> Vary:
    """Its own value or one of these."""
    return lambda own: Choice((own, *[value for value in values if value != own]))


def _steps(own: float, step: float, below: int, above: int) -> Range:
    return Range(round(own - below * step, DIGITS), round(own + above * step, DIGITS), step)


# family -> option -> how it varies. One value for all stages varies as one, but for those in EACH_STAGE.
NEIGHBOURHOODS: dict[str, Mapping[str, Vary]] = {
    "shufflenet_v1": {
        "groups": _among(1, 2, 3, 4, 8),
        "width": _widths,
        "repeats": _counts,
        "bottleneck": _doubled,
        "kernel_size": _among(3, 5),
        "se_reduction": _among(None, 16),
    },
    "xception_like": {"width": _widths, "repeats": _counts, "bottleneck": _doubled, "kernel_size": _among(3, 5)},
    "shufflenet_v2": {
        "stage_channels": _channels,
        "split_ratio": _shares,
        "repeats": _counts,
        "kernel_size": _among(3, 5),
        "residual": _among(False, True),
        "se_reduction": _among(None, 4),
    },
    "mobilenet_v1": {"width": _widths, "repeats": _counts, "kernel_size": _among(3, 5), "se_reduction": _among(None, 16)},
    "mobilenet_v2": {
        "width": _widths,
        "expansion": _factors,
        "repeats": _counts,
        "kernel_size": _among(3, 5),
        "se_reduction": _among(None, 4),
    },
    "fenet": {
        "width": _widths,
        "shift_sparsity": _shares,
        "expansion": _factors,
        "repeats": _counts,
        "se_reduction": _among(None, 8),
    },
    "xception_light": {"width": _widths, "repeats": _counts, "kernel_size": _among(3, 5)},
    "igcv3_d": {"width": _widths, "expansion": _factors, "repeats": _counts},
    "shiftnet": {"width": _widths, "expansion": _factors, "repeats": _counts},
}

# Options that take a value for each stage even where the network has one for all, if the family can.
EACH_STAGE = ("split_ratio", "expansion", "kernel_size")
# Options with a value per layer, whose number follows from the repeats: where there are several of them, the repeats stay.
PER_LAYER = ("split_ratio", "shift_sparsity")


def neighbourhood(family: str, options: Mapping[str, Any], name: str) -> tuple[Space, dict[str, Any]]:
    """The space around a family's network, and the network's own options as the space spells them: every other is near them.

    Raises LawError for a family without a row in NEIGHBOURHOODS and for options that cannot be built.
    """
    if family not in NEIGHBOURHOODS:
        known = ", ".join(NEIGHBOURHOODS)
        raise LawError(f"{family}: what to vary around a network is known of {known}, but not of this family. Search a space of your own.")
    config = make_config(family, ZOO[family].config, options)
    own = _spelled_out(family, config_options(_by_channels(config) if isinstance(config, ShuffleNetV2Config) else config))
    defaults = config_options(ZOO[family].config())
    fixed = _is_per_layer(own)
    parameters = [
        _parameter(option, own[option], vary) for option, vary in NEIGHBOURHOODS[family].items() if not (fixed and option == "repeats")
    ]
    varied = {parameter.name for parameter in parameters}
    constants = {key: value for key, value in own.items() if key not in varied and value != defaults[key]}
    space = Space(name, family, tuple(parameters), constants, {}, f"around {family}")
    return space, {**constants, **{p.name: tuple(own[p.name]) if p.per_stage else own[p.name] for p in parameters}}


def _parameter(option: str, own: Any, vary: Vary) -> Parameter:
    if isinstance(own, list):
        return Parameter(option, tuple(vary(value) for value in own), True)
    return Parameter(option, (vary(own),))


def _spelled_out(family: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options with a value for each stage where each stage is to vary."""
    stages = len(cast(list[int], options["repeats"])) if isinstance(options.get("repeats"), list) else 0
    types = {field.name: str(field.type) for field in fields(ZOO[family].config)}
    for option in EACH_STAGE:
        if stages and "tuple" in types.get(option, "") and option in NEIGHBOURHOODS[family] and not isinstance(options[option], list):
            first = 1 if (family, option) in (("mobilenet_v2", "expansion"), ("igcv3_d", "expansion")) else options[option]
            options[option] = [first, *[options[option]] * (stages - 1)]  # a first stage keeps its expansion of 1
    return options


def _by_channels(config: ShuffleNetV2Config) -> ShuffleNetV2Config:
    """The same ShuffleNet v2 with its channels given, so that each stage's can vary."""
    options = config_options(config)
    options |= {
        "width": 1.0,
        "stage_channels": list(shufflenet_v2.stage_channels(config)),
        "conv5_channels": shufflenet_v2.conv5_channels(config),
    }
    return make_config("shufflenet_v2", ShuffleNetV2Config, options)


def _is_per_layer(options: Mapping[str, Any]) -> bool:
    repeats = options.get("repeats")
    stages = len(repeats) if isinstance(repeats, list) else 0
    return any(isinstance(options.get(option), list) and len(options[option]) != stages for option in PER_LAYER)
