"""A network while its patterns are being found: nodes that can be replaced, and who reads each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archspace.ir.ops import Input, Op, Pointwise
from archspace.onnx.assemble import Assembled, Pending

RETURNED = -1  # the user of what the network returns


class Draft:
    """Nodes that are being replaced: `users` says who reads each, RETURNED among them."""

    def __init__(self, assembled: Assembled) -> None:
        self.nodes: list[Pending | None] = list(assembled.pending)
        self.users: list[set[int]] = [set() for _ in self.nodes]
        for i, one in enumerate(assembled.pending):
            for source in one.inputs:
                self.users[source].add(i)
        self.outputs = list(assembled.outputs)
        for i in assembled.outputs:
            self.users[i].add(RETURNED)

    def __getitem__(self, i: int) -> Pending:
        one = self.nodes[i]
        assert one is not None
        return one

    def made_by(self, i: int, kind: type[Op]) -> Pending | None:
        """Node i, if it is of a kind and nobody but one node reads it."""
        one = self[i]
        return one if isinstance(one.op, kind) and len(self.users[i]) == 1 and RETURNED not in self.users[i] else None

    def pointwise(self, i: int, *functions: str) -> Pending | None:
        """Node i, if it is one of these functions and nobody but one node reads it."""
        one = self.made_by(i, Pointwise)
        return one if one is not None and isinstance(one.op, Pointwise) and one.op.function in functions else None

    def put(self, i: int, one: Pending) -> None:
        """Replace node i; what nobody reads any more goes."""
        old = self.nodes[i]
        self.nodes[i] = one
        for source in one.inputs:
            self.users[source].add(i)
        for source in set(old.inputs if old is not None else ()) - set(one.inputs):
            self._leave(source, i)

    def alias(self, i: int, other: int) -> None:
        """Who reads node i reads the other."""
        for user in self.users[i]:
            self.users[other].add(user)
            if user != RETURNED:
                one = self[user]
                self.nodes[user] = replace(one, inputs=tuple([other if source == i else source for source in one.inputs]))
        self.outputs = [other if j == i else j for j in self.outputs]
        self.users[i] = set()
        self._leave(i, i)

    def _leave(self, i: int, user: int) -> None:
        self.users[i].discard(user)
        one = self.nodes[i]
        if not self.users[i] and one is not None and not isinstance(one.op, Input):
            self.nodes[i] = None
            for source in set(one.inputs):
                self._leave(source, i)


# What node i is together with some before it: one op, or (as a number) nothing but another node; None where it is neither.
Pattern = Callable[[Draft, int], Pending | int | None]
