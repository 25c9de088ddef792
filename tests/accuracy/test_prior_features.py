"""The features of a prior, each by hand on a graph of a few ops."""

from __future__ import annotations

from dataclasses import asdict
from math import log

import pytest

from archspace import Builder, Graph, build
from archspace.accuracy import NAMES, Reading, read
from archspace.analysis.report import total_counts
from archspace.errors import LawError
from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Flatten,
    Linear,
    MatMul,
    MaxPool2d,
    Multiply,
    Op,
    Permute,
    Sigmoid,
    SparseShift,
)


def network(*ops: Op, size: int = 16, batch: int = 1) -> Graph:
    """A chain of ops on an image, then a pool and a classifier of 1000."""
    b = Builder("chain")
    x = b.input((batch, 3, size, size))
    for i, op in enumerate(ops):
        x = b.add(f"op{i}", op, x)
    channels = x.channels
    x = b.add("flat", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), x))
    return b.build(b.add("fc", Linear(channels, 1000), x))


def reading(graph: Graph) -> Reading:
    return read(graph, total_counts(graph))


def features(graph: Graph) -> dict[str, float]:
    return asdict(reading(graph).features)


STEM = Conv2d(3, 8, 3, stride=2, padding=1)  # 8 x 8 x 8: 64 positions * 8 * 27 = 13824 multiply-adds
WIDEN = Conv2d(8, 16, 1)  # 64 * 16 * 8 = 8192
DEPTHWISE = Conv2d(16, 16, 5, stride=2, padding=2, groups=16)  # 4 x 4: 16 * 16 * 25 = 6400
GROUPED = Conv2d(16, 16, 1, groups=2)  # 16 positions * 16 * 8 = 2048


def test_a_chain_has_the_counts_the_depth_and_the_widths_of_its_layers() -> None:
    found = features(network(STEM, WIDEN, DEPTHWISE, GROUPED))
    on_maps = 13824 + 8192 + 6400 + 2048
    weights = {"stem": 8 * 27, "widen": 128, "depthwise": 16 * 25, "grouped": 16 * 8}
    expected = {
        "log_madds": log(on_maps + 16 * 1000),
        "log_body_params": log(sum(weights.values()) + 1000),  # the classifier's bias is no weight
        "log_acts": log(8 * 64 + 16 * 64 + 16 * 16 + 16 * 16 + 1000),
        "log_depth": log(4),
        "log_last_channels": log(16),
        "log_last_width": log(16),  # what the depthwise convolution reads
        "log_input_side": log(16),
        "log_field": log((1 + 2 * 1 + 4 * 2) / 16),  # 3x3 at stride 1, then 5x5 at stride 2
        "madds_stride": ((13824 + 8192) * log(2) + (6400 + 2048) * log(4)) / on_maps,
        "params_stride": ((8 * 27 + 128) * log(2) + (16 * 25 + 16 * 8) * log(4)) / sum(weights.values()),
        "dense_share": 13824 / on_maps,
        "grouped_share": 2048 / on_maps,
        "depthwise_share": 16 * 16 * 9 / on_maps,  # as if its kernel were 3x3
        "log_depthwise_kernel": log(5),
        "unmixed_share": 2048 / on_maps,
        "gates_per_layer": 0,
        "adds_per_layer": 0,
        "concats_per_layer": 0,
        "kept_per_layer": 0,
        "shifts_per_layer": 0,
    }
    assert found == pytest.approx(expected)
    assert tuple(found) == NAMES == tuple(expected)


def test_a_shuffle_anywhere_mixes_the_groups() -> None:
    assert features(network(STEM, WIDEN, GROUPED, ChannelShuffle(2)))["unmixed_share"] == 0


def test_a_batch_changes_nothing() -> None:
    assert reading(network(STEM, WIDEN, DEPTHWISE, batch=4)).values == pytest.approx(reading(network(STEM, WIDEN, DEPTHWISE)).values)


def test_a_pool_is_seen_through_and_is_no_layer() -> None:
    """3x3 at stride 1, then 3x3 at stride 2."""
    found = features(network(STEM, MaxPool2d(3, 2, 1)))
    assert (found["log_depth"], found["log_field"]) == pytest.approx((0, log((1 + 2 + 2 * 2) / 16)))


def test_a_shift_counts_as_the_share_of_channels_that_it_moves() -> None:
    found = features(network(STEM, SparseShift(8, 6), WIDEN))
    assert found["shifts_per_layer"] == pytest.approx(6 / 8 / 2)
    assert found["log_last_width"] == log(8)
    assert found["log_field"] == pytest.approx(log((1 + 2 + 2 * 2) / 16))


def squeezed(*, scale_is_computed: bool) -> Graph:
    """Three layers on maps; one branch of a residual is scaled channel by channel."""
    b = Builder("gate")
    x = b.add("stem", STEM, b.input((1, 3, 16, 16)))
    y = b.add("conv", Conv2d(8, 8, 1), x)
    scale = b.add("squeeze", AdaptiveAvgPool2d(1), y) if scale_is_computed else b.input((1, 8, 1, 1), "layer_scale")
    if scale_is_computed:
        scale = b.add("sigmoid", Sigmoid(), b.add("excite", Conv2d(8, 8, 1), scale))
    y = b.add("gated", Multiply(), y, scale)
    x = b.add("last", Conv2d(8, 8, 1), b.add("add", Add(), x, y))
    return b.build(b.add("fc", Linear(8, 1000), b.add("flat", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), x))))


def test_a_gate_is_a_computed_vector_that_scales_a_map_and_no_layer() -> None:
    found = features(squeezed(scale_is_computed=True))
    assert (found["gates_per_layer"], found["adds_per_layer"], found["log_depth"]) == pytest.approx((1 / 3, 1 / 3, log(3)))
    assert found["log_body_params"] == pytest.approx(log(8 * 27 + 3 * 64 + 1000))


def test_a_vector_that_is_given_is_no_gate() -> None:
    assert features(squeezed(scale_is_computed=False))["gates_per_layer"] == 0


def split(kept: int) -> Graph:
    b = Builder("split")
    x = b.add("stem", STEM, b.input((1, 3, 16, 16)))
    rest = b.add("conv", Conv2d(8 - kept, 8 - kept, 1), b.add("rest", ChannelSlice(kept, 8), x))
    x = b.add("concat", Concat(), b.add("keep", ChannelSlice(0, kept), x), rest)
    return b.build(b.add("fc", Linear(8, 1000), b.add("flat", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), x))))


@pytest.mark.parametrize(("kept", "share"), [(2, 0.25), (4, 0.5), (6, 0.5)])
def test_channels_that_a_split_keeps_count_up_to_half(kept: int, share: float) -> None:
    """Two layers: the stem and the convolution of the rest."""
    found = features(split(kept))
    assert (found["kept_per_layer"], found["concats_per_layer"]) == pytest.approx((share / 2, 1 / 2))


def test_a_linear_on_channels_last_is_a_layer_on_a_map() -> None:
    """ConvNeXt's 1x1 convolutions: 64 positions of 8 channels, last."""
    b = Builder("convnext")
    x = b.add("last", Permute((0, 2, 3, 1)), b.add("stem", STEM, b.input((1, 3, 16, 16))))
    x = b.add("first", Permute((0, 3, 1, 2)), b.add("wide", Linear(8, 16), x))
    found = features(b.build(b.add("fc", Linear(16, 1000), b.add("flat", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), x)))))
    assert (found["log_depth"], found["log_last_channels"]) == pytest.approx((log(2), log(16)))
    assert found["dense_share"] == pytest.approx(13824 / (13824 + 64 * 8 * 16))


def test_the_classes_are_the_outputs_of_the_last_layer() -> None:
    assert reading(network(STEM)).classes == 1000
    assert reading(build("squeezenet_1.0")).classes == 1000  # a convolution on maps, then a pool
    assert reading(build("resnet20_cifar")).classes == 10


def test_products_of_activations_are_not_read() -> None:
    """64 x 8 times 8 x 64: 32768 multiply-adds beside those of the stem and the classifier."""
    b = Builder("attention")
    x = b.add("stem", STEM, b.input((1, 3, 16, 16)))
    product = b.add("product", MatMul(), x, x)
    x = b.add("fc", Linear(8, 1000), b.add("flat", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), product)))
    of_product = 8 * 8 * 8 * 8
    assert reading(b.build(x)).read_share == pytest.approx((13824 + 8000) / (13824 + 8000 + of_product))


def test_what_is_no_network_on_images_is_refused() -> None:
    b = Builder("words")
    words = b.build(b.add("fc", Linear(8, 4), b.input((1, 8))))
    with pytest.raises(LawError, match=r"a prior is of a network on images .* shape \(1, 8\)"):
        reading(words)
    b = Builder("pooled")
    pooled = b.build(b.add("pool", AdaptiveAvgPool2d(1), b.input((1, 3, 8, 8))))
    with pytest.raises(LawError, match="no convolution computes a map"):
        reading(pooled)
