"""Scopes: dotted names and blocks for the steps of a program, from the module tree."""

from __future__ import annotations

from archspace.pytorch.importer.program import Path
from archspace.pytorch.importer.tree import Tree, contains_stack


class Scopes:
    """Hands out unique names: a module's for its first call, `name_1` for its second, and names inside a scope for functional calls."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._calls: dict[str, str] = {}
        self._taken: set[str] = set()
        self._stacks: dict[str, bool] = {}
        self._joined = {name.replace(".", "_"): name for name in tree if name}

    def under_module(self, word: str) -> str:
        """'stage2_unit1_keep', as a traced module's calls are named, is 'stage2.unit1.keep' where there is a module stage2.unit1."""
        parts = word.split("_")
        for i in range(len(parts) - 1, 0, -1):
            scope = self._joined.get("_".join(parts[:i]))
            if scope is not None:
                return f"{scope}.{'_'.join(parts[i:])}"
        return word

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
        while tried in self._taken or (tried in self._tree and not (is_module and count == 0)):
            count += 1
            tried = f"{name}_{count}"
        self._taken.add(tried)
        return tried

    def is_leaf(self, path: Path) -> bool:
        """Whether the innermost call is of a module without children."""
        return bool(path) and path[-1][1] in self._tree and not self._tree[path[-1][1]].children

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
            self._stacks[name] = name in self._tree and contains_stack(self._tree, name)
        return self._stacks[name]
