"""Recipes: how weights are made of the module's parameters. Two calls share their weights when these have the same recipe."""

from __future__ import annotations

from archspace.pytorch.importer.aten import FACTORIES
from archspace.pytorch.importer.program import Program, refs_in


class Recipes:
    """The recipes of a program's weights, each made once."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._makers = {number: (i, k) for i, step in enumerate(program.steps) for k, number in enumerate(step.outputs)}
        self._found: dict[int, object] = {}

    def of(self, number: int) -> object:
        """The recipe of a tensor: the names that it has, or the call that makes it with the recipes of what that reads."""
        if number not in self._found:
            self._found[number] = self._made(number)
        return self._found[number]

    def _made(self, number: int) -> object:
        if number not in self._makers:
            return tuple(self._program.weights.get(number, ())), self._program.buffers.get(number, "")
        i, k = self._makers[number]
        step = self._program.steps[i]
        settings = {key: value for key, value in step.arguments.items() if not refs_in(value)}
        read = [] if step.target in FACTORIES else step.inputs
        return step.target, k, str(settings), tuple([self.of(one) for one in read])
