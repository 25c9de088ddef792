"""The graph IR: ops, counts, graphs, how to build one, how to store one."""

from __future__ import annotations

from archspace.ir.builder import Builder, Value
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, Node

__all__ = ["Builder", "Counts", "Graph", "Node", "Value"]
