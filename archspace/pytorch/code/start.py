"""The start values of a generated network: what `archspace.pytorch.init` does, for the layers that it has."""

from __future__ import annotations

from collections.abc import Iterable

CONV = """\
if isinstance(layer, nn.Conv2d):
    kh, kw = layer.kernel_size
    fan_out = kh * kw * layer.out_channels // layer.groups
    nn.init.normal_(layer.weight, 0.0, sqrt(2 / fan_out), generator=generator)
"""
LINEAR = """\
if isinstance(layer, nn.Linear):
    nn.init.normal_(layer.weight, 0.0, 0.01, generator=generator)
"""
ZERO_BIAS = """\
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
"""
SHIFT = """\
if isinstance(layer, SparseShift):
    layer.reset_parameters(generator)
"""


def start_lines(layers: Iterable[str], *, has_learned_shifts: bool) -> list[str]:
    """The function init_weights for a network with these layers; nothing where none of them starts otherwise than torch starts it."""
    named = set(layers)
    branches = [text + ZERO_BIAS for name, text in (("nn.Conv2d", CONV), ("nn.Linear", LINEAR)) if name in named]
    branches += [SHIFT] * has_learned_shifts
    body = "el".join(branches)
    what = "He-normal convolutions by their fan-out, normal(0, 0.01) linear layers, biases of zero"
    head = f'''\
def init_weights(module: nn.Module, seed: int | None = None) -> None:
    """{what}: from `seed` alone where it is given."""
'''
    if not branches:
        return []
    loop = "    generator = None if seed is None else torch.Generator().manual_seed(seed)\n    for layer in module.modules():\n"
    return ["", "", *(head + loop + "".join(f"        {line}\n" for line in body.splitlines())).splitlines()]
