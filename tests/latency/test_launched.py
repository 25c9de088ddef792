"""What runtimes that are followed launch by launch run: `torch_amp` on a GPU, `inductor` on a CPU."""

from __future__ import annotations

import pytest

from archspace.ir import Builder, Graph
from archspace.ir.ops import (
    GELU,
    Add,
    BatchNorm2d,
    Conv2d,
    Copy,
    LayerNorm,
    Linear,
    Multiply,
    Parameter,
    Permute,
    ReLU,
    Reshape,
    ScaledDotProductAttention,
    Softmax,
)
from archspace.latency.fusion import fused_kernels
from archspace.latency.kernel import Kernel
from archspace.latency.strides import channels_last, contiguous, dense_like, is_channels_last, viewed
from archspace.latency.terms import TERMS, kernel_terms
from archspace.zoo import ZOO, build


def types(graph: Graph, rules: str) -> list[str]:
    return [kernel.op_type for kernel in fused_kernels(graph, rules)]


def moved(kernel: Kernel) -> tuple[int, int]:
    return kernel.in_elems, kernel.out_elems


def conv_bn_relu() -> Graph:
    b = Builder("conv")
    x = b.input((1, 8, 6, 6))
    x = b.add("conv", Conv2d(8, 8, 3, padding=1), x)
    x = b.add("bn", BatchNorm2d(8), x)
    return b.build(b.add("relu", ReLU(), x))


def test_strides_follow_torch() -> None:
    assert channels_last((2, 3, 4, 5)) == (60, 1, 15, 3)  # torch.empty(2, 3, 4, 5, memory_format=torch.channels_last).stride()
    assert dense_like((2, 3, 4, 5), (60, 1, 15, 3)) == channels_last((2, 3, 4, 5))
    assert is_channels_last((2, 3, 4, 5), (60, 1, 15, 3))
    assert not is_channels_last((2, 3, 4, 5), contiguous((2, 3, 4, 5)))
    assert viewed((2, 3, 4, 5), (60, 1, 15, 3), (2, 3, 20)) == (60, 1, 3)  # height and width run on
    assert viewed((2, 3, 4, 5), (60, 1, 15, 3), (2, 60)) is None


def test_under_autocast_an_image_and_the_weights_are_cast_and_nothing_is_fused() -> None:
    cast, weights, conv, norm, relu = fused_kernels(conv_bn_relu(), "torch_amp")
    n = 8 * 6 * 6
    assert (cast.op_type, *moved(cast)) == ("cast", 2 * n, n)  # 4 bytes read, 2 written, in elements of 2
    assert (weights.op_type, weights.weight_elems, weights.work.is_batched) == ("cast", 3 * 8 * 8 * 9, False)
    assert [(k.op_type, *moved(k)) for k in (conv, norm, relu)] == [("dense", n, n), ("batch_norm", n, n), ("elementwise", n, n)]


def test_a_layer_norm_computes_in_float32_and_leaves_channels_last() -> None:
    """As a ConvNeXt block: the next convolution works on channels that lie last, and its bias is a pass of its own."""
    b = Builder("block")
    x = b.input((1, 8, 6, 6))
    x = b.add("first", Conv2d(8, 8, 1), x)
    x = b.add("last", Permute((0, 2, 3, 1)), x)
    x = b.add("norm", LayerNorm((8,)), x)
    x = b.add("back", Permute((0, 3, 1, 2)), x)
    graph = b.build(b.add("second", Conv2d(8, 8, 1, bias=True), x))
    n = 8 * 6 * 6
    found = [(k.op_type, *moved(k)) for k in fused_kernels(graph, "torch_amp") if k.work.is_batched]
    assert found == [
        ("cast", 2 * n, n),
        ("pointwise", n, n),
        ("cast", n, 2 * n),  # to float32
        ("movement", 2 * n, 2 * n),  # made contiguous: rows of channels
        ("norm", 2 * n, 2 * n),
        ("cast", 2 * n, n),
        ("pointwise_last", n, n),
        ("elementwise", n, n),  # the bias
    ]


def test_a_parameter_in_float32_widens_what_it_multiplies() -> None:
    b = Builder("scaled")
    x = b.add("fc", Linear(8, 8), b.input((1, 4, 8)))
    graph = b.build(b.add("scale", Multiply(), x, b.add("gamma", Parameter((8,)))))
    last = fused_kernels(graph, "torch_amp")[-1]
    assert moved(last) == (32 + 2 * 8, 2 * 32)


@pytest.mark.parametrize(("rules", "width", "product"), [("torch_amp", 2, "matmul_full"), ("torch_amp_2.4", 1, "matmul")])
def test_attention_with_five_axes_writes_its_scores(rules: str, width: int, product: str) -> None:
    def attend(*lead: int) -> Graph:
        b = Builder("attention")
        x = b.add("fc", Linear(4, 4), b.input((1, *lead, 6, 4)))
        return b.build(b.add("attend", ScaledDotProductAttention(), x, x, x))

    assert "attention" in types(attend(2), rules)
    found = [k for k in fused_kernels(attend(3, 2), rules) if k.op_type in (product, "softmax")]
    scores = 3 * 2 * 6 * 6
    assert [k.op_type for k in found] == [product, "softmax", product]
    assert moved(found[1]) == (scores * width, scores * width)
    assert found[0].madds == scores * 4


def test_what_only_weights_decide_does_not_grow_with_the_batch() -> None:
    b = Builder("table")
    x = b.add("fc", Linear(8, 8), b.input((1, 4, 8)))
    table = b.add("relu", ReLU(), b.add("table", Parameter((4, 8))))
    graph = b.build(b.add("add", Add(), x, table))
    for rules in ("torch_amp", "inductor"):
        still = [k for k in fused_kernels(graph, rules) if k.names[0] == "relu"]
        assert [k.work.is_batched for k in still] == [False]
        once, often = [kernel_terms(still[0].work, scale=s, element_bytes=2, vector_width=None) for s in (1, 64)]
        assert once == often


def test_a_compiler_fuses_what_lies_between_calls_into_one_loop() -> None:
    copied, conv, loop = fused_kernels(conv_bn_relu(), "inductor")
    assert (copied.op_type, conv.op_type, loop.op_type) == ("movement", "dense", "elementwise")  # the image, its channels last
    assert loop.names == ("bn", "relu")
    assert moved(loop) == (8 * 36, 8 * 36)


def test_what_a_loop_computes_is_a_part_that_launches_nothing() -> None:
    b = Builder("mlp")
    x = b.add("fc1", Linear(8, 32), b.input((1, 4, 8)))
    x = b.add("act", GELU(), x)
    loop, part = fused_kernels(b.build(b.add("fc2", Linear(32, 8), x)), "inductor")[1:3]
    assert (loop.op_type, loop.work.is_part, part.op_type, part.work.is_part) == ("elementwise", False, "gelu", True)
    assert moved(part) == (0, 4 * 32)
    of_part = dict(zip(TERMS, kernel_terms(part.work, scale=1, element_bytes=4, vector_width=None), strict=True))
    assert of_part["us_per_kernel"] == 0
    assert of_part["ms_per_gb_out"] == pytest.approx(4 * 32 * 4e-9)


def test_a_loop_that_reads_across_an_order_is_told_apart() -> None:
    b = Builder("transposed")
    x = b.add("fc", Linear(8, 8), b.input((1, 4, 8)))
    x = b.add("swap", Permute((0, 2, 1)), x)
    x = b.add("copy", Copy(), x)
    graph = b.build(b.add("fc2", Linear(4, 4), x))
    assert types(graph, "inductor") == ["linear", "elementwise", "scattered", "linear"]


def test_a_table_inside_a_softmax_is_told_apart() -> None:
    def scores(size: int) -> Graph:
        b = Builder("scores")
        x = b.add("fc", Linear(size, size), b.input((1, size, size)))
        x = b.add("add", Add(), x, b.add("table", Parameter((size, size))))
        return b.build(b.add("softmax", Softmax(dim=-1), x))

    assert types(scores(40), "inductor") == ["linear", "elementwise", "softmax", "table"]
    assert types(scores(8), "inductor") == ["linear", "elementwise", "softmax"]  # 64 values are no table


def test_a_linear_layer_of_one_row_is_a_vector() -> None:
    b = Builder("head")
    x = b.add("flat", Reshape((64,)), b.input((1, 64, 1, 1)))
    graph = b.build(b.add("fc", Linear(64, 10), x))
    assert types(graph, "inductor") == ["vector"]


@pytest.mark.parametrize("family", ZOO)
@pytest.mark.parametrize("rules", ["torch_amp", "torch_amp_2.4", "inductor"])
def test_no_multiply_add_is_lost_and_nothing_is_negative(family: str, rules: str) -> None:
    graph = build(family)
    kernels = fused_kernels(graph, rules)
    assert sum(k.madds for k in kernels) == sum(graph.counts(node).madds for node in graph)
    assert all(min(k.in_elems, k.out_elems, k.weight_elems, k.madds) >= 0 for k in kernels)
