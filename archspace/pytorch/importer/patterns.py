"""Patterns: what several calls of a program spell together: a channel shuffle, a layer of archspace's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx, nn

from archspace.ir.ops import ChannelGather, ChannelShuffle, FixedShift, GroupedShift, Op, SparseShift
from archspace.pytorch import layers

RESHAPES = ("aten.view.default", "aten.reshape.default", "aten.flatten.using_ints", "aten._unsafe_view.default", "aten.unflatten.int")
COPIES = ("aten.contiguous.default", "aten.clone.default")

# Layers whose calls are one op: how to make it of the layer.
LAYERS: dict[type[nn.Module], Callable[[Any], Op]] = {
    layers.ChannelGather: lambda layer: ChannelGather(layer.channels),
    layers.FixedShift: lambda layer: FixedShift(layer.alpha, layer.beta, layer.inplace),
    layers.GroupedShift: lambda layer: GroupedShift(layer.channels, layer.kernel_size),
    layers.SparseShift: lambda layer: SparseShift(layer.channels, layer.moved_channels, layer.learned),
}


def find_shuffles(program: fx.Graph) -> tuple[dict[fx.Node, tuple[fx.Node, ChannelShuffle]], set[fx.Node]]:
    """Every channel shuffle: its last call with its input and op, and the calls before the last, which nobody else reads.

    It is a view (n, c, h, w) -> (n, g, c / g, h, w), a transposition of axes 1 and 2, and a view back.
    """
    found: dict[fx.Node, tuple[fx.Node, ChannelShuffle]] = {}
    inside: set[fx.Node] = set()
    for last in program.nodes:
        chain = _shuffle_chain(last) if str(last.target) in RESHAPES else None
        if chain is not None:
            first = chain[-1]
            found[last] = (first.all_input_nodes[0], ChannelShuffle(shape_of(first)[1]))
            inside.update(chain)
    return found, inside


def _shuffle_chain(last: fx.Node) -> list[fx.Node] | None:
    """The calls before the last of a shuffle, from the back: (copies,) transposition, view."""
    chain: list[fx.Node] = []
    node = last.args[0]
    while isinstance(node, fx.Node) and str(node.target) in COPIES:
        chain.append(node)
        node = node.args[0]
    if not isinstance(node, fx.Node) or not _swaps_groups(node):
        return None
    view = node.args[0]
    if not isinstance(view, fx.Node) or str(view.target) not in RESHAPES or not isinstance(view.args[0], fx.Node):
        return None
    chain += [node, view]
    source, grouped = shape_of(view.args[0]), shape_of(view)
    shuffles = len(source) == 4 and grouped == (source[0], grouped[1], source[1] // max(grouped[1], 1), *source[2:])
    return chain if shuffles and shape_of(last) == source and all(len(one.users) == 1 for one in chain) else None


def _swaps_groups(node: fx.Node) -> bool:
    """Whether a call swaps axes 1 and 2 of five."""
    if len(shape_of(node)) != 5:
        return False
    if str(node.target) == "aten.transpose.int":
        return sorted(int(axis) % 5 for axis in node.args[1:3] if isinstance(axis, int)) == [1, 2]
    return str(node.target) == "aten.permute.default" and node.args[1] == [0, 2, 1, 3, 4]


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of what a call returns; () for what is no tensor."""
    return tuple(getattr(node.meta.get("val"), "shape", ()))


def layer_call(node: fx.Node, modules: dict[str, nn.Module]) -> tuple[str, nn.Module] | None:
    """The call of a layer of LAYERS that a node is part of, and the layer."""
    for key, (path, _) in (node.meta.get("nn_module_stack") or {}).items():
        if type(modules.get(path)) in LAYERS:
            return key, modules[path]
    return None
