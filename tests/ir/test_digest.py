"""Digests: equal for equal networks alone."""

from __future__ import annotations

import subprocess
import sys

from archspace.ir import Builder, Graph, ops
from archspace.ir.digest import graph_digest
from archspace.ir.serde import from_dict, to_dict
from archspace.zoo import MEMBERS, build


def two_branches(first: str, second: str, *, swapped: bool = False) -> Graph:
    b = Builder("net")
    x = b.input((1, 4, 8, 8))
    ops_of = {first: ops.ReLU(), second: ops.Sigmoid()}
    made = {name: b.add(name, ops_of[name], x) for name in ((second, first) if swapped else (first, second))}
    return b.build(b.add("join", ops.Add(), made[first], made[second]))


def test_names_and_the_order_of_independent_nodes_do_not_matter() -> None:
    graph = two_branches("a", "b")
    assert graph_digest(graph) == graph_digest(two_branches("x", "y"))
    assert graph_digest(graph) == graph_digest(two_branches("a", "b", swapped=True))


def test_two_equal_layers_are_not_one_that_is_read_twice() -> None:
    def net(layers: int) -> Graph:
        b = Builder("net")
        x = b.input((1, 4, 8, 8))
        read = [b.add(f"conv{i}", ops.Conv2d(4, 4, 3, padding=1), x) for i in range(layers)]
        return b.build(b.add("join", ops.Add(), read[0], read[-1]))

    assert graph_digest(net(1)) != graph_digest(net(2))


def test_no_two_members_of_the_zoo_that_differ_have_one_digest() -> None:
    by_digest: dict[str, list[Graph]] = {}
    for member in list(MEMBERS)[::4]:
        graph = build(member)
        by_digest.setdefault(graph_digest(graph), []).append(graph)
    for same in by_digest.values():
        shapes = {tuple((node.op, node.shape, node.inputs, node.block) for node in graph) for graph in same}
        assert len(shapes) == 1


def test_a_digest_survives_json_and_is_the_same_in_another_process() -> None:
    graph = build("shufflenet_v2", width=0.5)
    code = (
        "from archspace import build; from archspace.ir.digest import graph_digest; print(graph_digest(build('shufflenet_v2', width=0.5)))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert graph_digest(graph) == graph_digest(from_dict(to_dict(graph))) == other
