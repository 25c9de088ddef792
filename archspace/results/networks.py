"""A network as the page shows it: its blocks in a table, and what the linter finds in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from archspace.analysis import total_counts
from archspace.analysis.rows import group_rows
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import BatchNorm2d, Conv2d, Dropout, Input, Linear, Op, Parameter
from archspace.ir.ops.base import pair
from archspace.ir.ops.elementwise import Elementwise
from archspace.ir.ops.pooling import WindowPool
from archspace.latency import Profile, breakdown, predict
from archspace.report.study_page_data import BlockRow, NetworkTable, RuleRow
from archspace.rules import lint
from archspace.rules.linter import Lint, Waste
from archspace.rules.table import RULES
from archspace.units import format_count, format_share, format_size

MOST_MESSAGES = 5
UNNAMED = (BatchNorm2d, Dropout, Elementwise, Input, Parameter)  # what follows most convolutions says little of a block
# Ops whose plain name would be long.
WORDS = {
    "ChannelShuffle": "shuffle",
    "ChannelSlice": "slice",
    "AdaptiveAvgPool2d": "global pool",
    "MaxPool2d": "max pool",
    "AvgPool2d": "avg pool",
}


def block_rows(graph: Graph, device: Profile | None) -> list[BlockRow]:
    """One row per block, neighbours that are equal in one, and their sum; a fused kernel's time counts where the kernel begins."""
    nodes: dict[str, list[Node]] = {}
    for node in graph:
        nodes.setdefault(node.block, []).append(node)
    latency = predict(graph, device) if device else None
    times = {part.name: part.ms for part in breakdown(latency, "block")} if latency else {}
    rows = [
        _row(
            row.name,
            row.counts,
            f"{times.get(row.name, 0.0):.3g}" if latency else "",
            ops_text(node.op for node in nodes[row.name]),
            "x".join(map(str, row.output_shape[1:])),
        )
        for row in group_rows(graph, "block")
    ]
    alike = [list(same) for _, same in groupby(rows, key=lambda row: replace(row, name=""))]
    total = _row("total", total_counts(graph), f"{latency.ms:.4g}" if latency else "")
    return [*(replace(same[0], name=_names(same)) for same in alike), total]


def _row(name: str, counts: Counts, ms: str, ops: str = "", output: str = "") -> BlockRow:
    return BlockRow(name, ops, output, format_count(counts.madds), format_count(counts.params), format_count(counts.mem_elems), ms)


def _names(rows: Sequence[BlockRow]) -> str:
    """'stage2.unit1', or 'stage2.unit1 to unit3, each' for neighbours that are alike."""
    first, last = rows[0].name, rows[-1].name
    return first if len(rows) == 1 else f"{first} to {last.removeprefix(first.rpartition('.')[0] + '.')}, each"


def network_table(graph: Graph, device: Profile | None, *, with_findings: bool) -> NetworkTable:
    """A network's blocks, and with `with_findings` what the linter finds by rule and in words."""
    blocks = block_rows(graph, device)
    if not with_findings:
        return NetworkTable(blocks)
    found = lint(graph, device=device)
    rules = [_rule_row(code, found) for code in found.codes]
    messages = [f"{one.code} at {one.node}: {one.message}" for one in found.findings[:MOST_MESSAGES]]
    return NetworkTable(blocks, rules, _wasted(found), messages)


def ops_text(ops: Iterable[Op]) -> str:
    """Ops in words, like neighbours counted; normalisation and activations are not listed.

    >>> ops_text([Conv2d(24, 58, 1), BatchNorm2d(58), Conv2d(58, 58, 3, stride=2, groups=58)])
    'conv 1x1 24→58, dw 3x3/2 58'
    """
    words = [op_text(op) for op in ops if not isinstance(op, UNNAMED)]
    counted = [(word, len(list(same))) for word, same in groupby(words)]
    return ", ".join(f"{n} x {word}" if n > 1 else word for word, n in counted)


def op_text(op: Op) -> str:
    """One op in a few words: 'conv 3x3/2 3→24', 'dw 3x3 58', 'conv 1x1 240→240 in 3 groups', 'shuffle'."""
    if isinstance(op, Conv2d):
        window = _window(op.kernel_size, op.stride)
        if op.is_depthwise and op.out_channels == op.in_channels:
            return f"dw {window} {op.in_channels}"
        return f"conv {window} {op.in_channels}→{op.out_channels}" + (f" in {op.groups} groups" if op.groups > 1 else "")
    if isinstance(op, Linear):
        return f"linear {op.in_features}→{op.out_features}"
    kind = type(op).__name__
    word = WORDS.get(kind) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.removesuffix("2d")).lower()
    return f"{word} {_window(op.kernel_size, op.stride)}" if isinstance(op, WindowPool) else word


def _window(kernel: int | tuple[int, int], stride: int | tuple[int, int]) -> str:
    (kh, kw), steps = pair(kernel), pair(stride)
    return f"{kh}x{kw}" + (f"/{format_size(*steps)}" if steps != (1, 1) else "")


def _rule_row(code: str, found: Lint) -> RuleRow:
    waste = found.waste[code]
    return RuleRow(code, RULES[code].name, waste.findings, format_count(waste.mem_elems), _ms(waste))


def _wasted(found: Lint) -> str:
    """'1.2M of 9.45M elements (12.7 %), 0.8 ms'."""
    total = found.waste["total"]
    share = format_share(total.mem_elems / found.mem_elems if found.mem_elems else 0.0)
    text = f"{format_count(total.mem_elems)} of {format_count(found.mem_elems)} elements ({share}), by {total.findings} findings"
    return text if total.ms is None else f"{text}: {_ms(total)} ms on {found.device}"


def _ms(waste: Waste) -> str:
    return "" if waste.ms is None else f"{waste.ms:.3g}"
