"""Rows, totals and the report's JSON: sums agree at every level, keys are a contract."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from archspace.analysis import CONVENTIONS, DTYPE_BYTES, analyze, total_counts
from archspace.analysis.rows import GROUPINGS, group_rows, op_rows
from archspace.errors import UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.counts import Counts
from archspace.ir.ops import Add, ChannelShuffle, Conv2d, Input, Opaque, ReLU
from archspace.zoo import MEMBERS, build

TOTAL_KEYS = [
    "madds", "params", "mem_elems", "mem_bytes", "acts", "nodes", "fragments_per_block", "max_fragments", "max_parallel_width",
    "critical_path", "critical_madds", "elementwise_share", "movement_share", "intensity",
]  # fmt: skip
COUNT_KEYS = ["madds", "params", "mem_elems", "mem_bytes", "acts", "elementwise_elems", "movement_elems"]
N = 4 * 8 * 8  # elements of each feature map below


def tiny() -> Graph:
    """A block of a convolution and a shuffle, a block of an activation and an add."""
    b = Builder("tiny", {"family": "none", "input": [8, 8]})
    x = b.input((1, 4, 8, 8))
    with b.block("stage1.unit0"):
        y = b.add("shuffle", ChannelShuffle(2), b.add("conv", Conv2d(4, 4, 1), x))
    with b.block("stage1.unit1"):
        z = b.add("add", Add(), y, b.add("relu", ReLU(), y))
    return b.build(z)


def test_there_is_a_row_per_op_and_none_for_inputs() -> None:
    rows = op_rows(tiny())
    assert [row.name for row in rows] == ["stage1.unit0.conv", "stage1.unit0.shuffle", "stage1.unit1.relu", "stage1.unit1.add"]
    conv = rows[0]
    assert (conv.op, conv.block) == (Conv2d(4, 4, 1), "stage1.unit0")
    assert (conv.input_shapes, conv.output_shape) == (((1, 4, 8, 8),), (1, 4, 8, 8))
    assert conv.counts.madds == 4 * 4 * 64


def test_totals_are_counted_by_hand() -> None:
    totals = analyze(tiny()).totals
    conv, shuffle, relu, add = 2 * N + 16, 2 * N, 2 * N, 3 * N
    mem = conv + shuffle + relu + add
    assert (totals.madds, totals.params, totals.acts, totals.nodes) == (16 * 64, 16, N, 4)
    assert (totals.mem_elems, totals.mem_bytes) == (mem, 4 * mem)
    assert totals.elementwise_share == (relu + add) / mem
    assert totals.movement_share == shuffle / mem
    assert totals.intensity == 16 * 64 / (4 * mem)
    assert (totals.fragments_per_block, totals.max_fragments, totals.max_parallel_width) == (1.0, 1, 1)
    assert totals.critical_path == 4
    assert totals.critical_madds == 16 * 64


@pytest.mark.parametrize("member", MEMBERS)
def test_rows_of_every_grouping_sum_to_the_totals(member: str) -> None:
    graph = build(member)
    expected = total_counts(graph)
    report = analyze(graph)
    assert (report.totals.madds, report.totals.params, report.totals.mem_elems, report.totals.acts) == (
        expected.madds,
        expected.params,
        expected.mem_elems,
        expected.acts,
    )
    assert Counts.total(row.counts for row in report.rows) == expected
    for per in GROUPINGS:
        rows = report.per(per)
        assert Counts.total(row.counts for row in rows) == expected
        assert sum(row.nodes for row in rows) == report.totals.nodes == len(graph) - 1
        assert len({row.name for row in rows}) == len(rows)


@pytest.mark.parametrize("member", ["shufflenet_v2_1x", "fenet_1x"])
def test_the_shares_are_parts_of_the_whole(member: str) -> None:
    totals = analyze(build(member)).totals
    assert 0 <= totals.movement_share < 1
    assert 0 < totals.elementwise_share < 1
    assert totals.elementwise_share + totals.movement_share < 1


def test_blocks_and_stages_come_in_order_with_the_shape_they_end_in() -> None:
    graph = tiny()
    assert [(row.name, row.nodes, row.output_shape) for row in group_rows(graph, "block")] == [
        ("stage1.unit0", 2, (1, 4, 8, 8)),
        ("stage1.unit1", 2, (1, 4, 8, 8)),
    ]
    assert [(row.name, row.nodes) for row in group_rows(graph, "stage")] == [("stage1", 4)]
    names = [row.name for row in group_rows(build("shufflenet_v1"), "stage")]
    assert names == ["stem", "stage2", "stage3", "stage4", "head"]


@pytest.mark.parametrize(("dtype", "size"), [("float64", 8), ("float32", 4), ("float16", 2), ("bfloat16", 2), ("int8", 1)])
def test_bytes_are_elements_times_the_size_of_the_dtype(dtype: str, size: int) -> None:
    assert DTYPE_BYTES[dtype] == size
    report = analyze(tiny(), dtype)
    assert report.totals.mem_bytes == size * report.totals.mem_elems
    assert report.totals.intensity == report.totals.madds / report.totals.mem_bytes
    assert all(row["mem_bytes"] == size * row["mem_elems"] for per in GROUPINGS for row in report.to_dict(per)["rows"])


def test_unknown_words_get_the_nearest_ones() -> None:
    report = analyze(tiny())
    with pytest.raises(UnknownNameError, match="Did you mean 'float32'"):
        analyze(tiny(), "float23")
    with pytest.raises(UnknownNameError, match="Did you mean 'block'"):
        report.per("blok")
    with pytest.raises(UnknownNameError, match="Known: op, block, stage"):
        report.to_dict("layers")
    with pytest.raises(UnknownNameError, match="Did you mean 'fvcore'"):
        report.flops("fvcor")


def test_the_json_has_the_keys_of_the_contract() -> None:
    report = analyze(build("shufflenet_v1", groups=8))
    data = report.to_dict()
    assert list(data) == ["schema", "model", "config", "input_shape", "dtype", "totals", "flops", "rows", "opaque", "coverage"]
    assert data["schema"] == 1
    assert (data["model"], data["dtype"], data["input_shape"], data["opaque"]) == ("shufflenet_v1", "float32", [1, 3, 224, 224], [])
    assert data["config"]["family"] == "shufflenet_v1"
    assert data["config"]["groups"] == 8
    assert list(data["totals"]) == TOTAL_KEYS
    assert list(data["flops"]) == list(CONVENTIONS)
    assert list(data["rows"][0]) == ["name", "op", "block", "output_shape", *COUNT_KEYS]
    assert data["rows"][0]["op"] == "Conv2d"
    assert len(data["rows"]) == data["totals"]["nodes"]
    stages = report.to_dict("stage")["rows"]
    assert list(stages[0]) == ["name", "nodes", "output_shape", *COUNT_KEYS, "receptive_field", "stride", "aligned", "sees_all"]
    blocks = report.to_dict("block")["rows"]
    structure = ["fragments", "parallel_width", "critical_path", "critical_madds"]
    assert list(blocks[0]) == ["name", "nodes", "output_shape", *COUNT_KEYS, *structure]
    assert max(row["fragments"] for row in blocks) == data["totals"]["max_fragments"]
    assert max(row["parallel_width"] for row in blocks) == data["totals"]["max_parallel_width"]


def test_the_rows_of_stages_say_what_their_output_sees_of_the_image() -> None:
    rows = {row["name"]: row for row in analyze(build("se_resnet50", input=(224, 256))).to_dict("stage")["rows"]}
    keys = ("receptive_field", "stride", "aligned", "sees_all")
    # Stem: 7x7 at stride 2, pool of 3x3 at stride 2: 7 + 2 * 2. Stage 1: three 3x3 at stride 4: 11 + 3 * 2 * 4.
    assert [rows["stem"][key] for key in keys] == [[11, 11], [4, 4], True, False]
    assert [rows["stage1"][key] for key in keys] == [[35, 35], [4, 4], True, True]
    assert [rows["head"][key] for key in keys] == [None] * 4


def test_the_rows_of_blocks_say_how_deep_they_are() -> None:
    rows = {row["name"]: row for row in analyze(tiny()).to_dict("block")["rows"]}
    keys = ("fragments", "parallel_width", "critical_path", "critical_madds")
    assert [rows["stage1.unit0"][key] for key in keys] == [1, 1, 2, 16 * 64]
    assert [rows["stage1.unit1"][key] for key in keys] == [0, 1, 2, 0]


@pytest.mark.parametrize("per", GROUPINGS)
def test_the_json_is_plain_data_that_reads_back_as_itself(per: str) -> None:
    data = analyze(build("fenet_1x")).to_dict(per)
    assert json.loads(json.dumps(data)) == data
    for key in COUNT_KEYS:
        assert all(type(row[key]) is int for row in data["rows"])
        assert key in ("elementwise_elems", "movement_elems") or sum(row[key] for row in data["rows"]) == data["totals"][key]


def test_opaque_work_is_listed_by_name_and_counted_as_memory_access() -> None:
    b = Builder("g")
    x = b.add("fft", Opaque("fft", (1, 4, 8, 5)), b.input((1, 4, 8, 8)))
    report = analyze(b.build(b.add("relu", ReLU(), x)))
    assert report.opaque == ("fft",)
    assert report.to_dict()["opaque"] == ["fft"]
    assert report.totals.madds == 0
    assert report.rows[0].counts.mem_elems == 4 * 8 * 8 + 4 * 8 * 5


def test_a_graph_of_nothing_but_an_input_has_totals_of_zero() -> None:
    b = Builder("g")
    report = analyze(b.build(b.input((1, 3, 8, 8))))
    assert report.rows == ()
    assert all(value == 0 for value in report.to_dict()["totals"].values())
    assert all(report.flops(name) == 0 for name in CONVENTIONS)


def test_several_inputs_are_no_rows_either() -> None:
    b = Builder("g")
    graph = b.build(b.add("add", Add(), b.input((1, 4)), b.input((1, 4), "other")))
    assert [row.name for row in op_rows(graph)] == ["add"]
    assert sum(isinstance(node.op, Input) for node in graph) == 2


def test_analysing_a_graph_leaves_it_as_it_was() -> None:
    graph = tiny()
    analyze(graph).to_dict()
    assert graph == tiny()


def test_the_total_of_a_graph_adds_each_field() -> None:
    graph = tiny()
    for name in (field.name for field in fields(Counts)):
        assert getattr(total_counts(graph), name) == sum(getattr(graph.counts(node), name) for node in graph)
