"""Blocked layouts: where tensors are rearranged, by hand and as ONNX Runtime itself does it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest

from archspace.ir import Builder, Graph
from archspace.ir.ops import Add, ChannelShuffle, Concat, Conv2d, MaxPool2d, Op, ReLU
from archspace.latency.fusion import fused_kernels
from archspace.latency.layout import is_unaligned, reorders
from archspace.onnx import export_onnx
from archspace.pytorch import to_module
from archspace.zoo import build


def chain(channels: int, *ops: Op) -> Graph:
    b = Builder("chain")
    x = b.input((1, channels, 8, 8))
    for i, op in enumerate(ops):
        x = b.add(f"op{i}", op, x)
    return b.build(x)


def test_convolutions_share_their_blocks_and_the_last_is_written_out() -> None:
    assert reorders(chain(16, Conv2d(16, 16, 1), ReLU(), Conv2d(16, 32, 1)), 16) == ((0, True), (3, False))


def test_a_first_convolution_reads_a_plain_tensor() -> None:
    assert reorders(chain(3, Conv2d(3, 16, 3), Conv2d(16, 16, 1)), 16) == ((2, False),)


def test_a_convolution_of_few_channels_wants_a_plain_tensor_even_behind_another() -> None:
    assert reorders(chain(16, Conv2d(16, 12, 1), Conv2d(12, 16, 1)), 16) == ((0, True), (1, False), (2, False))


def test_a_shuffle_breaks_the_blocks() -> None:
    graph = chain(16, Conv2d(16, 16, 1), ChannelShuffle(2), Conv2d(16, 16, 1))
    assert reorders(graph, 16) == ((0, True), (1, False), (2, True), (3, False))


def test_channels_that_are_no_multiple_of_four_are_worked_on_plainly() -> None:
    graph = chain(18, Conv2d(18, 18, 1), Conv2d(18, 18, 3, groups=18))
    assert reorders(graph, 16) == ()
    assert [is_unaligned(node.op, node.shape, 16) for node in graph] == [False, True, True]


def test_groups_need_whole_blocks_each() -> None:
    narrow, wide = chain(32, Conv2d(32, 32, 1, groups=4)), chain(64, Conv2d(64, 64, 1, groups=4))
    assert (reorders(narrow, 16), reorders(wide, 16)) == ((), ((0, True), (1, False)))
    assert reorders(narrow, 8) == ((0, True), (1, False))


def test_a_sum_keeps_blocks_only_when_all_it_reads_has_them() -> None:
    b = Builder("sum")
    x = b.input((1, 16, 8, 8))
    both = b.add("add", Add(), b.add("a", Conv2d(16, 16, 1), x), b.add("b", Conv2d(16, 16, 1), x))
    assert reorders(b.build(b.add("c", Conv2d(16, 16, 1), both)), 16) == ((0, True), (4, False))
    b = Builder("half")
    x = b.input((1, 16, 8, 8))
    half = b.add("add", Add(), b.add("a", Conv2d(16, 16, 1), x), x)
    assert reorders(b.build(half), 16) == ((0, True), (1, False))


def test_a_concat_of_part_blocks_and_a_pool_of_part_blocks_are_plain() -> None:
    b = Builder("concat")
    x = b.input((1, 16, 8, 8))
    both = b.add("cat", Concat(), b.add("a", Conv2d(16, 24, 1), x), b.add("b", Conv2d(16, 24, 1), x))
    assert reorders(b.build(both), 16) == ((0, True), (1, False), (2, False))
    assert reorders(chain(24, MaxPool2d(2, 2)), 16) == ()
    assert reorders(chain(32, MaxPool2d(2, 2)), 16) == ((0, True), (1, False))


def test_a_change_of_layout_is_a_kernel_that_pads_the_last_block() -> None:
    graph = chain(20, Conv2d(20, 20, 1))
    kernels = fused_kernels(graph, "onnxruntime")
    assert [(k.op_type, k.names) for k in kernels] == [
        ("layout", ("input (layout)",)),
        ("pointwise", ("op0",)),
        ("layout", ("op0 (layout)",)),
    ]
    assert [(k.in_elems, k.out_elems) for k in kernels if k.op_type == "layout"] == [(20 * 64, 32 * 64), (32 * 64, 20 * 64)]


# NASNet, PNASNet and DARTS are not among them: their padded and sliced edges differ (studies/latency_cpu).
@pytest.mark.parametrize(
    "member", ["shufflenet_v1_0.5x_g3", "shufflenet_v2_0.5x", "mobilenet_v2_0.4x_160", "densenet_light_0.5x", "vgg_like_38m"]
)
def test_onnx_runtime_rearranges_the_same_tensors(member: str, tmp_path: Path) -> None:
    graph = build(member)
    export_onnx(to_module(graph).eval(), graph, tmp_path / "net.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(str(tmp_path / "optimised.onnx")).graph.node
    made = Counter(node.op_type for node in nodes if node.domain == "com.microsoft.nchwc")
    assert {"Conv", "FusedConv"} & {node.op_type for node in nodes}
    found = {block: Counter(into for _, into in reorders(graph, block)) for block in (8, 16)}
    expected = (made["ReorderInput"], made["ReorderOutput"])
    # Which block a CPU takes is its vector width; one without a blocked layout rearranges nothing.
    assert not made or expected in [(counts[True], counts[False]) for counts in found.values()]
