"""Fused kernels: exact lists and elements, worked out by hand for small graphs."""

from __future__ import annotations

import pytest

from archspace.errors import UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.ops import (
    FURTHER,
    KINDS,
    OPS,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    Opaque,
    ReLU,
    Sigmoid,
    SparseShift,
)
from archspace.latency.fusion import FUSIONS, fused_kernels
from archspace.latency.fusion_further import FURTHER_OP_TYPES
from archspace.latency.kernel import Kernel
from archspace.latency.op_types import COARSER, OP_TYPE_NAMES, OP_TYPES
from archspace.zoo import build

GROUPING = tuple(name for name, rules in FUSIONS.items() if rules.launches is None)  # the others: test_launched.py
FAMILIES = ("shufflenet_v1", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", "resnet18", "fenet")


def names(graph: Graph, rules: str) -> list[tuple[str, ...]]:
    return [kernel.names for kernel in fused_kernels(graph, rules)]


def elems(kernel: Kernel) -> tuple[int, int, int]:
    return kernel.in_elems, kernel.out_elems, kernel.weight_elems


def conv_bn_relu(*, bias: bool = False) -> Graph:
    b = Builder("conv_bn_relu")
    x = b.input((2, 3, 8, 8))
    x = b.add("conv", Conv2d(3, 4, 3, padding=1, bias=bias), x)
    x = b.add("bn", BatchNorm2d(4), x)
    return b.build(b.add("relu", ReLU(), x))


def test_nothing_fused_counts_every_tensor_of_every_op() -> None:
    conv, bn, relu = fused_kernels(conv_bn_relu(), "none")
    image, feature = 2 * 3 * 8 * 8, 2 * 4 * 8 * 8
    assert elems(conv) == (image, feature, 4 * 3 * 9)
    assert elems(bn) == (feature, feature, 4 * 4)
    assert elems(relu) == (feature, feature, 0)
    assert [k.madds for k in (conv, bn, relu)] == [feature * 3 * 9, 0, 0]


def test_a_folded_batch_norm_leaves_the_activation_alone() -> None:
    assert names(conv_bn_relu(), "folded") == [("conv", "bn"), ("relu",)]


@pytest.mark.parametrize("bias", [False, True])
def test_conv_bn_relu_is_one_kernel_that_touches_only_its_ends(bias: bool) -> None:
    (kernel,) = fused_kernels(conv_bn_relu(bias=bias), "paper")
    assert kernel.names == ("conv", "bn", "relu")
    assert kernel.op_type == "dense"
    # Folding leaves the convolution's weights and one bias of 4, whether it had one or not.
    assert elems(kernel) == (2 * 3 * 8 * 8, 2 * 4 * 8 * 8, 4 * 3 * 9 + 4)
    assert kernel.madds == 2 * 4 * 8 * 8 * 3 * 9


def test_a_tensor_with_two_readers_is_written_and_ends_its_kernel() -> None:
    b = Builder("fork")
    y = b.add("conv", Conv2d(3, 4, 1), b.input((1, 3, 2, 2)))
    graph = b.build(b.add("add", Add(), b.add("relu", ReLU(), y), b.add("sigmoid", Sigmoid(), y)))
    assert names(graph, "paper") == [("conv",), ("relu",), ("sigmoid",), ("add",)]


def test_an_output_of_the_network_is_written_and_ends_its_kernel() -> None:
    b = Builder("two_outputs")
    y = b.add("conv", Conv2d(3, 4, 1), b.input((1, 3, 2, 2)))
    graph = b.build(y, b.add("relu", ReLU(), y))
    assert names(graph, "paper") == [("conv",), ("relu",)]


def residual() -> Graph:
    b = Builder("residual")
    x = b.input((1, 4, 8, 8))
    y = b.add("bn", BatchNorm2d(4), b.add("conv", Conv2d(4, 4, 3, padding=1), b.add("before", ReLU(), x)))
    return b.build(b.add("relu", ReLU(), b.add("add", Add(), x, y)))


def test_a_residual_add_with_its_relu_joins_its_convolution_and_reads_the_other_branch() -> None:
    before, conv = fused_kernels(residual(), "paper")
    n = 4 * 8 * 8
    assert (before.names, conv.names) == (("before",), ("conv", "bn", "add", "relu"))
    assert elems(conv) == (2 * n, n, 4 * 4 * 9 + 4)


def test_an_add_that_joins_nothing_reads_both_branches() -> None:
    kernels = {kernel.names: kernel for kernel in fused_kernels(residual(), "folded")}
    n = 4 * 8 * 8
    assert elems(kernels[("add",)]) == (2 * n, n, 0)
    assert kernels[("add",)].op_type == "elementwise"


def test_a_tensor_added_to_itself_is_read_once() -> None:
    b = Builder("twice")
    x = b.input((1, 4, 8, 8))
    (add,) = fused_kernels(b.build(b.add("add", Add(), x, x)), "paper")
    assert elems(add) == (4 * 8 * 8, 4 * 8 * 8, 0)


def test_concat_shuffle_and_the_next_units_slices_are_one_kernel_across_blocks() -> None:
    graph = build("shufflenet_v2", width=0.5)
    kernels = {kernel.names[0]: kernel for kernel in fused_kernels(graph, "paper")}
    inner = kernels["stage2.unit1.concat"]
    assert inner.names == ("stage2.unit1.concat", "stage2.unit1.shuffle", "stage2.unit2.keep", "stage2.unit2.split")
    assert inner.block == "stage2.unit1"
    # 48 channels come in two halves and leave in two halves; the shuffled tensor itself is never written.
    assert elems(inner) == (48 * 28 * 28, 48 * 28 * 28, 0)
    # The next stage's first unit has no split: both of its branches read the shuffled tensor whole.
    last = kernels["stage2.unit3.concat"]
    assert last.names == ("stage2.unit3.concat", "stage2.unit3.shuffle")
    assert elems(last) == (48 * 28 * 28, 48 * 28 * 28, 0)


def test_shufflenet_v2_has_75_kernels() -> None:
    # stem 2; per stage: a first unit of 5 convolutions and a join, basic units of 3 convolutions and a join; conv5, pool, FC.
    assert len(fused_kernels(build("shufflenet_v2"), "paper")) == 2 + (6 + 3 * 4) + (6 + 7 * 4) + (6 + 3 * 4) + 3 == 75


def test_a_slice_beside_another_reader_is_a_kernel_of_its_own_that_reads_its_part() -> None:
    b = Builder("mixed_readers")
    x = b.input((1, 4, 2, 2))
    shuffled = b.add("shuffle", ChannelShuffle(2), b.add("concat", Concat(), x, x))
    part = b.add("part", ChannelSlice(0, 2), shuffled)
    graph = b.build(part, b.add("conv", Conv2d(8, 4, 1), shuffled))
    join, cut, conv = fused_kernels(graph, "paper")
    assert (join.names, cut.names, conv.names) == (("concat", "shuffle"), ("part",), ("conv",))
    assert elems(cut) == (2 * 2 * 2, 2 * 2 * 2, 0)


def test_a_shuffle_joins_the_convolution_before_it_in_shufflenet_v1() -> None:
    kernels = {kernel.names[0]: kernel.names for kernel in fused_kernels(build("shufflenet_v1"), "paper")}
    assert kernels["stage3.unit1.pw1.conv"] == tuple(f"stage3.unit1.{n}" for n in ("pw1.conv", "pw1.bn", "pw1.act", "shuffle"))
    assert kernels["stage3.unit0.concat"] == ("stage3.unit0.concat",)


def test_flatten_and_dropout_are_no_kernels() -> None:
    b = Builder("views")
    x = b.add("flatten", Flatten(), b.input((1, 4, 2, 2)))
    graph = b.build(b.add("fc", Linear(16, 10), b.add("dropout", Dropout(), x)))
    for rules in GROUPING:
        (fc,) = fused_kernels(graph, rules)
        assert (fc.names, fc.op_type, elems(fc)) == (("fc",), "linear", (16, 10, 16 * 10 + 10))
        assert fc.work.channels_per_group == (16, 10)


def test_fenets_split_and_concat_in_place_are_no_kernels_but_its_shifts_cost_what_they_move() -> None:
    graph = build("fenet", shift_sparsity=0.75)
    kernels = fused_kernels(graph, "paper")
    assert not any(isinstance(kernel.op, ChannelSlice | Concat) for kernel in kernels)
    shift = next(kernel for kernel in kernels if isinstance(kernel.op, SparseShift))
    _, channels, height, width = graph[shift.names[0]].shape
    assert elems(shift) == (channels // 4 * height * width, channels // 4 * height * width, 0)


def test_a_shift_that_moves_nothing_is_no_kernel() -> None:
    assert not any(isinstance(kernel.op, SparseShift) for kernel in fused_kernels(build("fenet", shift_sparsity=1.0), "none"))


def test_a_split_is_a_view_in_pytorch_and_part_of_a_kernel_in_the_paper() -> None:
    graph = build("shufflenet_v2")
    slices = {rules: sum(isinstance(k.op, ChannelSlice) for k in fused_kernels(graph, rules)) for rules in GROUPING}
    views = {rules for rules, count in slices.items() if count == 0}
    assert views == {"torch_eager", "folded", "paper"}
    assert {count for rules, count in slices.items() if rules not in views} == {2 * 13}  # 16 units, 3 of them without a split


def test_unknown_work_is_a_kernel_of_its_own() -> None:
    b = Builder("opaque")
    x = b.input((1, 4, 2, 2))
    (kernel,) = fused_kernels(b.build(b.add("roi", Opaque("roi_align", (1, 4, 1, 1)), x)), "paper")
    assert (kernel.op_type, elems(kernel)) == ("opaque", (16, 4, 0))


@pytest.mark.parametrize("rules", GROUPING)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_op_that_touches_memory_is_in_one_kernel_and_no_madd_is_lost(family: str, rules: str) -> None:
    graph = build(family)
    kernels = fused_kernels(graph, rules)
    members = [name for kernel in kernels for name in kernel.names if kernel.op_type != "layout"]
    touching = [n.name for n in graph if graph.counts(n).mem_elems and type(n.op) not in FUSIONS[rules].views]
    assert sorted(members) == sorted(touching)
    assert sum(kernel.madds for kernel in kernels) == sum(graph.counts(node).madds for node in graph)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_fused_adds_up_to_the_graphs_memory_access(family: str) -> None:
    graph = build(family)
    assert sum(sum(elems(kernel)) for kernel in fused_kernels(graph, "none")) == sum(graph.counts(node).mem_elems for node in graph)


CONVOLUTIONS = ("dense", "pointwise", "grouped", "grouped_pointwise", "depthwise")
# What kernels that no single op stands for are priced as: tests/latency/test_launched.py.
FOLLOWED = ("dense_last", "pointwise_last", "grouped_last", "depthwise_last", "attention_masked", "matmul_full", "vector")
LOOPS = ("cast", "scattered", "table")


def test_every_op_kind_has_an_op_type() -> None:
    assert {kind for kind in KINDS.values() if kind is not Conv2d} == set(OP_TYPES)
    assert {OPS[name] for name in FURTHER} == set(FURTHER_OP_TYPES)
    assert set(FURTHER_OP_TYPES.values()) <= set(OP_TYPE_NAMES)
    assert {*OP_TYPES.values(), *FURTHER_OP_TYPES.values(), *CONVOLUTIONS, *FOLLOWED, *LOOPS, "layout"} == set(OP_TYPE_NAMES)
    assert set(COARSER.values()) - {""} <= set(OP_TYPE_NAMES)


def test_an_unknown_rule_set_names_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'torch_eager'"):
        fused_kernels(conv_bn_relu(), "torch_eagre")


def test_a_shift_that_copies_what_stays_reads_what_moves_and_writes_everything() -> None:
    b = Builder("shifted")
    x = b.input((1, 10, 4, 4))
    graph = b.build(b.add("shift", SparseShift(10, 3), x))
    (kernel,) = fused_kernels(graph, "folded")
    assert elems(kernel) == (3 * 16, 10 * 16, 0)
    (in_place,) = fused_kernels(graph, "none")
    assert elems(in_place) == (3 * 16, 3 * 16, 0)


def test_onnx_runtimes_convolution_takes_the_sum_and_its_activation() -> None:
    b = Builder("residual")
    x = b.add("first", Conv2d(16, 16, 3, padding=1), b.input((1, 16, 4, 4)))
    y = b.add("bn", BatchNorm2d(16), b.add("conv", Conv2d(16, 16, 3, padding=1), x))
    graph = b.build(b.add("relu", ReLU(), b.add("add", Add(), y, x)))
    assert [kernel.names for kernel in fused_kernels(graph, "onnxruntime_plain")] == [("first",), ("conv", "bn", "add", "relu")]
