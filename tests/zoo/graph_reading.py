"""Reading graphs in tests: counts, nodes of a kind, units and shapes of stages. Importable by what `conftest.py` does."""

from __future__ import annotations

from archspace.analysis import total_counts
from archspace.ir import Counts, Graph, Node
from archspace.zoo import build


def counts(name: str, **options: object) -> Counts:
    """The totals of a family or member with these options."""
    return total_counts(build(name, **options))


def nodes_of(graph: Graph, kind: type, ending: str = "") -> list[Node]:
    """The nodes whose op is of that kind and whose name ends so."""
    return [node for node in graph if isinstance(node.op, kind) and node.name.endswith(ending)]


def units_per_stage(graph: Graph) -> dict[str, int]:
    """How many blocks each stage has, the stem and the head left out."""
    blocks = {node.block for node in graph if ".unit" in node.block}
    return {
        stage: sum(block.startswith(f"{stage}.") for block in blocks) for stage in sorted({block.partition(".")[0] for block in blocks})
    }


def stage_outputs(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The shape that each stage hands on."""
    return {node.stage: node.shape for node in graph}
