"""Scopes: dotted names and blocks for the calls of a program, from the module tree."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import fx, nn

SEQUENTIAL = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
LONGEST_BLOCK = 4  # convolutions and linear layers in a row that still read as one block

Path = tuple[tuple[str, str], ...]  # the module calls around a node, outermost first: (key of the call, the module's dotted name)


def path_of(node: fx.Node) -> Path:
    """The module calls around a node, without the root's."""
    return tuple((key, name) for key, (name, _) in (node.meta.get("nn_module_stack") or {}).items() if name)


def traced_words(module: nn.Module) -> list[str]:
    """What a traced root calls its functional calls, in order, under the modules that the words begin with.

    'stage2_unit1_keep' is 'stage2.unit1.keep' where there is a module stage2.unit1.
    """
    if not isinstance(module, fx.GraphModule):
        return []
    scopes = {name.replace(".", "_"): name for name, _ in module.named_modules() if name}
    words = [node.name for node in module.graph.nodes if node.op in ("call_function", "call_method")]
    return [_under_module(word, scopes) for word in words]


def _under_module(word: str, scopes: Mapping[str, str]) -> str:
    parts = word.split("_")
    for i in range(len(parts) - 1, 0, -1):
        scope = scopes.get("_".join(parts[:i]))
        if scope is not None:
            return f"{scope}.{'_'.join(parts[i:])}"
    return word


class Scopes:
    """Hands out unique names: a module's for its first call, `name_1` for its second, and names inside a scope for functional calls."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._modules = modules
        self._calls: dict[str, str] = {}
        self._taken: set[str] = set()
        self._stacks: dict[str, bool] = {}

    def scope(self, path: Path) -> str:
        """The name of the innermost module call; '' for the root."""
        name = parent = ""
        for key, module in path:
            if key not in self._calls:
                own = module.removeprefix(f"{parent}.") if parent and module.startswith(f"{parent}.") else module.rpartition(".")[2]
                own = own if parent else module
                self._calls[key] = self.unique(f"{name}.{own}" if name else own, is_module=True)
            name, parent = self._calls[key], module
        return name

    def unique(self, name: str, *, is_module: bool = False) -> str:
        """`name`, or the first of `name_1`, `name_2`, ... that is free. Modules' names are kept for modules."""
        tried, count = name, 0
        while tried in self._taken or (tried in self._modules and not (is_module and count == 0)):
            count += 1
            tried = f"{name}_{count}"
        self._taken.add(tried)
        return tried

    def is_leaf(self, path: Path) -> bool:
        """Whether the innermost call is of a module without children."""
        return bool(path) and path[-1][1] in self._modules and not self._modules[path[-1][1]]._modules

    def block(self, path: Path, name: str) -> str:
        """The building block of a node: the outermost module around it that is no stack of others; the node itself where there is none."""
        scope = self.scope(path) if path else name.rpartition(".")[0]
        if not scope:
            return name
        parts, module_parts = scope.split("."), (path[-1][1] if path else scope).split(".")
        for i in range(1, min(len(parts), len(module_parts)) + 1):
            if not self._is_stack(".".join(module_parts[:i])):
                return ".".join(parts[:i])
        return name

    def _is_stack(self, name: str) -> bool:
        if name not in self._stacks:
            module = self._modules.get(name)
            self._stacks[name] = module is not None and contains_stack(module)
        return self._stacks[name]


def contains_stack(module: nn.Module) -> bool:
    """Whether blocks follow each other somewhere in a module, so that it is more than one block itself."""
    return any(_is_sequence_of_blocks(layer) for layer in module.modules())


def _is_sequence_of_blocks(module: nn.Module) -> bool:
    """A sequence of modules with several weighted layers each, of one alone, or of more than LONGEST_BLOCK with one layer."""
    if not isinstance(module, SEQUENTIAL) and type(module) is not nn.Module:
        return False
    weights = {name: _weighted_layers(child) for name, child in module.named_children()}
    large = [name for name, layers in weights.items() if layers > 1]
    if isinstance(module, SEQUENTIAL):
        return len(large) > 1 or len(large) == len(weights) == 1 or sum(layers == 1 for layers in weights.values()) > LONGEST_BLOCK
    return any(re.fullmatch(r"(unit|cell)\d+", name) for name in weights)  # what archspace builds


def _weighted_layers(module: nn.Module) -> int:
    """Convolutions, linear layers and others with a weight of two axes or more."""
    return sum(any(p is not None and p.dim() > 1 for p in layer._parameters.values()) for layer in module.modules())
