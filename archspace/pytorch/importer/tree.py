"""The module tree: which modules there are, and which of them are stacks of building blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

SEQUENTIAL = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
SEQUENTIAL_NAMES = frozenset(kind.__name__ for kind in SEQUENTIAL)
LONGEST_BLOCK = 4  # convolutions and linear layers in a row that still read as one block


@dataclass(frozen=True, slots=True)
class Layer:
    """A module of the tree: its children by their own names, and whether it has a weight of two axes or more itself."""

    children: tuple[str, ...]
    is_weighted: bool
    is_sequential: bool = False
    is_plain: bool = False  # a torch.nn.Module that only holds others


Tree = Mapping[str, Layer]


def tree_of(module: nn.Module) -> dict[str, Layer]:
    """The tree of a module, the root under ''."""
    return {
        name: Layer(
            children=tuple([child for child, inner in layer._modules.items() if inner is not None]),
            is_weighted=any(p is not None and p.dim() > 1 for p in layer._parameters.values()),
            is_sequential=isinstance(layer, SEQUENTIAL),
            is_plain=type(layer) is nn.Module,
        )
        for name, layer in module.named_modules(remove_duplicate=False)
    }


def tree_of_names(kinds: Mapping[str, str], weights: Iterable[tuple[str, int]]) -> dict[str, Layer]:
    """The tree of a module that only its names are left of: the kinds of the modules that were called, parameters with their axes.

    A module that was never called holds others: a sequence where their names are numbers, plain where they are not.
    """
    weighted = {name.rpartition(".")[0] for name, axes in weights if axes > 1}
    names = {""} | {prefix for name in (*kinds, *weighted) for prefix in _prefixes(name)}
    children: dict[str, list[str]] = {name: [] for name in names}
    for name in sorted(names - {""}, key=_by_number):
        parent, _, own = name.rpartition(".")
        children[parent].append(own)
    return {
        name: Layer(
            children=tuple(children[name]),
            is_weighted=name in weighted,
            is_sequential=kinds[name] in SEQUENTIAL_NAMES if name in kinds else all(own.isdigit() for own in children[name]),
            is_plain=name not in kinds and not all(own.isdigit() for own in children[name]),
        )
        for name in names
    }


def contains_stack(tree: Tree, name: str) -> bool:
    """Whether blocks follow each other somewhere in a module, so that it is more than one block itself."""
    return _is_sequence_of_blocks(tree, name) or any(contains_stack(tree, child) for child in _children(tree, name))


def _is_sequence_of_blocks(tree: Tree, name: str) -> bool:
    """A sequence of modules with several weighted layers each, of one alone, or of more than LONGEST_BLOCK with one layer."""
    layer = tree[name]
    if not layer.is_sequential and not layer.is_plain:
        return False
    weights = [_weighted_layers(tree, child) for child in _children(tree, name)]
    large = sum(layers > 1 for layers in weights)
    if layer.is_sequential:
        return large > 1 or large == len(weights) == 1 or sum(layers == 1 for layers in weights) > LONGEST_BLOCK
    return any(re.fullmatch(r"(unit|cell)\d+", child) for child in layer.children)  # what archspace builds


def _weighted_layers(tree: Tree, name: str) -> int:
    """Convolutions, linear layers and others with a weight of two axes or more."""
    return tree[name].is_weighted + sum(_weighted_layers(tree, child) for child in _children(tree, name))


def _children(tree: Tree, name: str) -> list[str]:
    return [f"{name}.{child}" if name else child for child in tree[name].children]


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts) + 1)] if name else []


def _by_number(name: str) -> list[tuple[int, str]]:
    """'layer.10' behind 'layer.9'."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]
