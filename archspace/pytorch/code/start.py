"""The start values of a generated network: what `archspace.pytorch.init` does, for the layers that it has."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent

CONV = """\
if isinstance(layer, nn.Conv2d):
    kh, kw = layer.kernel_size
    fan_out = kh * kw * layer.out_channels // layer.groups
    nn.init.normal_(layer.weight, 0.0, sqrt(2 / fan_out), generator=generator)
"""
CONVS = """\
if isinstance(layer, {}):
    fan_out = prod(layer.kernel_size) * layer.out_channels // layer.groups
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
RECURRENT = """\
if isinstance(layer, nn.RNNBase):
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -1 / sqrt(layer.hidden_size), 1 / sqrt(layer.hidden_size), generator=generator)
"""
EMBEDDING = """\
if isinstance(layer, nn.Embedding):
    nn.init.normal_(layer.weight, generator=generator)
"""
SHIFT = """\
if isinstance(layer, SparseShift):
    layer.reset_parameters(generator)
"""
TENSORS = """\
if {}:
    for parameter in layer.parameters(recurse=False):
        nn.init.normal_(parameter, 0.0, 0.02, generator=generator)
"""
CONV_LAYERS = ("nn.Conv1d", "nn.Conv2d", "nn.Conv3d", "nn.ConvTranspose1d", "nn.ConvTranspose2d", "nn.ConvTranspose3d")
RECURRENT_LAYERS = ("LSTM", "GRU", "RNN")
# Layers whose parameters torch starts as they are to start.
STARTED = ("BatchNorm", "InstanceNormalisation", "nn.BatchNorm2d", "nn.GroupNorm", "nn.LayerNorm", "nn.PReLU", "nn.RMSNorm")

WHAT: dict[str, str] = {
    CONV: "He-normal convolutions by their fan-out",
    LINEAR: "normal(0, 0.01) linear layers",
    RECURRENT: "uniform recurrent layers",
    EMBEDDING: "normal embeddings",
    TENSORS: "normal(0, 0.02) tensors of its own",
}


def start_lines(layers: Iterable[str], *, has_learned_shifts: bool, has_tensors: bool = False) -> list[str]:
    """The function init_weights for a network with these layers; nothing where none of them starts otherwise than torch starts it."""
    named = set(layers)
    convs = [name for name in CONV_LAYERS if name in named]
    others = [name for name in STARTED if name in named]
    branches: dict[str, str] = {}
    if convs:
        branches[CONV] = (CONV if convs == ["nn.Conv2d"] else CONVS.format(" | ".join(convs))) + ZERO_BIAS
    if "nn.Linear" in named:
        branches[LINEAR] = LINEAR + ZERO_BIAS
    if named.intersection(RECURRENT_LAYERS):
        branches[RECURRENT] = RECURRENT
    if "nn.Embedding" in named:
        branches[EMBEDDING] = EMBEDDING
    if has_learned_shifts:
        branches[SHIFT] = SHIFT
    if has_tensors:
        branches[TENSORS] = TENSORS.format(f"not isinstance(layer, {' | '.join(others)})" if others else "True")
    if not branches:
        return []
    what = [words for branch, words in WHAT.items() if branch in branches] + ["biases of zero"] * any(b in branches for b in (CONV, LINEAR))
    head = f'''\
def init_weights(module: nn.Module, seed: int | None = None) -> None:
    """Start values, from `seed` alone where it is given: {", ".join(what) or "learned displacements in [-1, 1]"}."""
'''
    loop = "    generator = None if seed is None else torch.Generator().manual_seed(seed)\n    for layer in module.modules():\n"
    body = "el".join(branches.values()).replace("elif True:", "else:")
    body = dedent(body.removeprefix("if True:\n")) if body.startswith("if True") else body
    return ["", "", *(head + loop + "".join(f"        {line}\n" for line in body.splitlines())).splitlines()]
