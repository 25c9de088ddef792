"""The report of one graph: totals, rows and conventions, and its JSON form (whose keys are a contract)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archspace.analysis.conventions import CONVENTIONS, flops
from archspace.analysis.coverage import coverage
from archspace.analysis.receptive_field import ReceptiveField, stage_fields
from archspace.analysis.rows import GroupRow, Row, group_rows, op_rows
from archspace.analysis.structure import (
    critical_madds,
    critical_madds_per_block,
    critical_path,
    critical_paths,
    fragments,
    parallel_widths,
)
from archspace.errors import UnknownNameError
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, require_graph
from archspace.ir.ops import Input, Opaque, Parameter, Shape

SCHEMA = 1
DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1, "float64": 8}


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a graph. Shares are parts of `mem_elems`; `intensity` is multiply-adds per byte.

    `critical_path` is the most ops on one path from an input to an output, `critical_madds` the most multiply-adds.
    """

    madds: int
    params: int
    mem_elems: int
    mem_bytes: int
    acts: int
    nodes: int
    fragments_per_block: float
    max_fragments: int
    max_parallel_width: int
    critical_path: int
    critical_madds: int
    elementwise_share: float
    movement_share: float
    intensity: float


@dataclass(frozen=True, slots=True)
class Report:
    """What `analyze` found. `rows` has one row per op."""

    model: str
    config: Mapping[str, Any]
    input_shape: Shape
    dtype: str
    totals: Totals
    rows: tuple[Row, ...]
    graph: Graph

    def flops(self, convention: str) -> int:
        """The total under a named convention (`archspace.analysis.conventions`). Raises UnknownNameError."""
        return flops(self.rows, convention)

    def per(self, grouping: str) -> tuple[GroupRow, ...]:
        """Rows summed per 'op', 'block' or 'stage'. Raises UnknownNameError."""
        return group_rows(self.graph, grouping)

    @property
    def opaque(self) -> tuple[str, ...]:
        """Names of the ops whose work is unknown and counted as memory access alone."""
        return tuple(row.name for row in self.rows if isinstance(row.op, Opaque))

    def to_dict(self, per: str = "op") -> dict[str, Any]:
        """The JSON form, with rows per 'op', 'block' or 'stage'."""
        size = DTYPE_BYTES[self.dtype]
        rows = [_op_row(row, size) for row in self.rows] if per == "op" else [_group_row(row, size) for row in self.per(per)]
        if per == "block":
            structure = self._block_structure()
            rows = [row | {key: values.get(row["name"], 0) for key, values in structure.items()} for row in rows]
        if per == "stage":
            fields = stage_fields(self.graph)
            rows = [row | _field_dict(fields.get(row["name"])) for row in rows]
        found = coverage(self.graph)
        return {
            "schema": SCHEMA,
            "model": self.model,
            "config": dict(self.config),
            "input_shape": list(self.input_shape),
            "dtype": self.dtype,
            "totals": asdict(self.totals),
            "flops": {name: self.flops(name) for name in CONVENTIONS},
            "rows": rows,
            "opaque": list(self.opaque),
            "coverage": {"known": found.known, "total": found.total, "share": found.share},
        }

    def _block_structure(self) -> dict[str, dict[str, int]]:
        return {
            "fragments": fragments(self.graph),
            "parallel_width": parallel_widths(self.graph),
            "critical_path": critical_paths(self.graph),
            "critical_madds": critical_madds_per_block(self.graph, _madds_per_node(self.graph, self.rows)),
        }


def analyze(graph: Graph, dtype: str = "float32") -> Report:
    """Count a graph. Raises LawError for what is no graph, UnknownNameError for a dtype without a known size."""
    require_graph("analyze", graph)
    if dtype not in DTYPE_BYTES:
        raise UnknownNameError("dtype", dtype, DTYPE_BYTES)
    rows = op_rows(graph)
    return Report(graph.name, graph.config, graph.input_shape, dtype, _totals(graph, rows, DTYPE_BYTES[dtype]), rows, graph)


def total_counts(graph: Graph) -> Counts:
    """The raw counts of a whole graph, without rows or structure: what a search needs of a candidate."""
    return Counts.total([graph.counts(node) for node in graph.nodes])


def _totals(graph: Graph, rows: tuple[Row, ...], element_bytes: int) -> Totals:
    counts = Counts.total([row.counts for row in rows])
    mem = counts.mem_elems
    per_block = fragments(graph).values()
    return Totals(
        madds=counts.madds,
        params=counts.params,
        mem_elems=mem,
        mem_bytes=mem * element_bytes,
        acts=counts.acts,
        nodes=sum([not isinstance(row.op, Parameter) for row in rows]),
        fragments_per_block=sum(per_block) / len(per_block) if per_block else 0.0,
        max_fragments=max(per_block, default=0),
        max_parallel_width=max(parallel_widths(graph).values(), default=0),
        critical_path=critical_path(graph),
        critical_madds=critical_madds(graph, _madds_per_node(graph, rows)),
        elementwise_share=counts.elementwise_elems / mem if mem else 0.0,
        movement_share=counts.movement_elems / mem if mem else 0.0,
        intensity=counts.madds / (mem * element_bytes) if mem else 0.0,
    )


def _madds_per_node(graph: Graph, rows: tuple[Row, ...]) -> list[int]:
    """The multiply-adds of each node: those of its row, and none for inputs."""
    counted = iter(rows)
    return [0 if isinstance(node.op, Input) else next(counted).counts.madds for node in graph]


def _field_dict(field: ReceptiveField | None) -> dict[str, Any]:
    """A stage's view of the image, pairs as [vertical, horizontal]; all null where no op of the stage keeps positions."""
    if field is None:
        return dict.fromkeys(("receptive_field", "stride", "aligned", "sees_all"))
    return {"receptive_field": list(field.size), "stride": list(field.stride), "aligned": field.aligned, "sees_all": field.sees_all}


def _counts_dict(counts: Counts, element_bytes: int) -> dict[str, Any]:
    return {
        "madds": counts.madds,
        "params": counts.params,
        "mem_elems": counts.mem_elems,
        "mem_bytes": counts.mem_elems * element_bytes,
        "acts": counts.acts,
        "elementwise_elems": counts.elementwise_elems,
        "movement_elems": counts.movement_elems,
    }


def _op_row(row: Row, element_bytes: int) -> dict[str, Any]:
    head = {"name": row.name, "op": type(row.op).__name__, "block": row.block, "output_shape": list(row.output_shape)}
    return {**head, **_counts_dict(row.counts, element_bytes)}


def _group_row(row: GroupRow, element_bytes: int) -> dict[str, Any]:
    head = {"name": row.name, "nodes": row.nodes, "output_shape": list(row.output_shape)}
    return {**head, **_counts_dict(row.counts, element_bytes)}
