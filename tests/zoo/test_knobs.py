"""Knobs: any values build a graph or break a law; what a knob does that several families have."""

from __future__ import annotations

from dataclasses import Field, fields
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from graph_reading import counts, nodes_of, stage_outputs, units_per_stage
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.analysis import analyze, total_counts
from archspace.errors import LawError
from archspace.ir.ops import ChannelShuffle
from archspace.zoo import ZOO, build
from archspace.zoo.blocks import SE_PLACEMENTS
from archspace.zoo.config import NetworkConfig
from archspace.zoo.mixed import UNITS
from archspace.zoo.shift_penalty import CURVES
from archspace.zoo.shifts import SHIFTS
from archspace.zoo.variants import ACTIVATIONS


@pytest.mark.parametrize(
    ("family", "options"),
    [*(("shufflenet_v1", {"groups": g}) for g in (1, 2, 3, 4, 8)), *((f, {}) for f in ("mobilenet_v1", "mobilenet_v2", "resnet", "fenet"))],
)
def test_a_wider_network_never_computes_less(family: str, options: dict[str, int]) -> None:
    widths = [0.05 * i for i in range(4, 41)]
    madds = [counts(family, width=width, **options).madds for width in widths]
    assert all(narrow <= wide for narrow, wide in pairwise(madds))
    assert madds[0] < madds[-1] / 10


@pytest.mark.parametrize(("family", "shuffles"), [("shufflenet_v1", 16), ("shufflenet_v2", 16)])
def test_without_shuffle_the_same_is_computed_and_less_is_moved(family: str, shuffles: int) -> None:
    with_shuffle, without = build(family), build(family, shuffle=False)
    moved = nodes_of(with_shuffle, ChannelShuffle)
    assert len(moved) == shuffles  # one per unit: 4 + 8 + 4
    assert nodes_of(without, ChannelShuffle) == []
    assert [node.name for node in without] == [node.name for node in with_shuffle if node not in moved]
    a, b = total_counts(with_shuffle), total_counts(without)
    assert (a.madds, a.params) == (b.madds, b.params)
    assert a.movement_elems - b.movement_elems == sum(with_shuffle.counts(node).mem_elems for node in moved)


@pytest.mark.parametrize("family", ["shufflenet_v1", "shufflenet_v2"])
def test_units_may_differ_per_stage_in_the_shufflenets(family: str) -> None:
    assert units_per_stage(build(family)) == {"stage2": 4, "stage3": 8, "stage4": 4}
    assert units_per_stage(build(family, repeats=(2, 3, 1))) == {"stage2": 2, "stage3": 3, "stage4": 1}


@pytest.mark.parametrize(("family", "stages"), [("mobilenet_v1", 5), ("mobilenet_v2", 7), ("fenet", 5)])
def test_repeats_and_channels_may_differ_per_stage(family: str, stages: int) -> None:
    repeats = (2, 1, 3, 1, 2, 1, 1)[:stages]
    channels = (16, 24, 40, 56, 72, 88, 104)[:stages]
    graph = build(family, repeats=repeats, stage_channels=channels)
    assert tuple(units_per_stage(graph).values()) == repeats
    assert tuple(stage_outputs(graph)[f"stage{i}"][1] for i in range(1, stages + 1)) == channels
    for knob, values in (("repeats", repeats[:2]), ("stage_channels", channels[:2])):
        with pytest.raises(LawError, match=f"{family}: {knob} must have one value or {stages}, but got 2"):
            build(family, **{knob: values})


# Anything goes, or says why not ---------------------------------------------------------------------------------------------------

T = TypeVar("T")

widths = st.sampled_from([1e-9, 1e-3, 0.1, 0.25, 0.37, 0.5, 1.0, 1.41, 2.0, 3.3])
shares = st.sampled_from([1e-3, 0.1, 0.25, 0.5, 0.77, 0.999, 1.0, 7.5])
sizes = st.tuples(st.integers(1, 80), st.integers(1, 80))
few = st.sampled_from([1, 2, 3, 4, 5, 8])
channel_counts = st.sampled_from([1, 2, 3, 8, 16, 24, 58, 60, 116, 240, 480, 960])


def per_stage(values: st.SearchStrategy[T], stages: int) -> st.SearchStrategy[tuple[T, ...]]:
    return st.integers(stages - 1, stages).flatmap(lambda n: st.tuples(*[values] * n))


def strides() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, 2), min_size=2, max_size=4)


placements = st.sampled_from(SE_PLACEMENTS)
penalties: dict[str, st.SearchStrategy[object]] = {
    "shift_lambda": st.sampled_from([0.0, 3e-5, 5e-4, 6e-4, 1.0]),
    "lambda_curve": st.sampled_from(tuple(CURVES)),
    "lambda_beyond": st.booleans(),
}

KNOBS: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "shufflenet_v1": {
        "strides": strides(),
        "kernel_size": few | per_stage(few, 3),
        "se_reduction": channel_counts,
        "groups": few | per_stage(few, 3),
        "width": widths,
        "repeats": per_stage(few, 3),
        "stage_channels": per_stage(channel_counts, 3),
        "stem_channels": channel_counts,
        "bottleneck": few | per_stage(few, 3),
        "arch2": st.booleans(),
        "shallow": st.booleans(),
        "shuffle": st.booleans(),
    },
    "shufflenet_v2": {
        "width": widths,
        "strides": strides(),
        "equal_branches": st.booleans(),
        "residual": st.booleans(),
        "depthwise_first": st.booleans(),
        "se_reduction": channel_counts | per_stage(st.just(0) | few, 3),
        "split_ratio": shares | st.tuples(shares, shares, shares),
        "repeats": per_stage(few, 3),
        "stage_channels": per_stage(channel_counts, 3),
        "stem_channels": channel_counts | per_stage(channel_counts, 3),
        "conv5_channels": channel_counts,
        "kernel_size": few | per_stage(few, 3),
        "shuffle": st.booleans(),
    },
    "mobilenet_v1": {
        "width": widths,
        "repeats": per_stage(few, 5),
        "stage_channels": per_stage(channel_counts, 5),
        "kernel_size": few | per_stage(few, 5),
        "se_reduction": channel_counts,
    },
    "mobilenet_v2": {
        "width": widths,
        "expansion": few | per_stage(few, 7),
        "repeats": per_stage(few, 7),
        "stage_channels": per_stage(channel_counts, 7),
        "last_channels": channel_counts,
        "reimplemented": st.booleans(),
        "kernel_size": few | per_stage(few, 7),
        "se_reduction": channel_counts,
        "se_placement": placements | per_stage(placements, 7),
    },
    "resnet": {
        "depth": st.sampled_from([18, 34, 50, 101, 152, 20]),
        "width": widths,
        "repeats": per_stage(few, 4),
        "stage_channels": per_stage(channel_counts, 4),
        "stride_on_3x3": st.booleans(),
        "se_reduction": channel_counts,
    },
    "fenet": {
        "width": widths,
        "shift": st.sampled_from(SHIFTS),
        "shift_kernel": few | per_stage(few, 5),
        "shift_sparsity": shares | per_stage(shares, 16),
        "learned_shifts": st.booleans(),
        "se_reduction": channel_counts,
        "se_placement": placements | per_stage(placements, 5),
        "expansion": few | per_stage(few, 5),
        "repeats": per_stage(few, 5),
        "stage_channels": per_stage(channel_counts, 5),
        **penalties,
    },
    "mixed": {
        "unit": st.sampled_from(UNITS) | per_stage(st.sampled_from(UNITS), 4),
        "width": widths,
        "strides": strides(),
        "repeats": per_stage(few, 4),
        "stage_channels": per_stage(channel_counts, 4),
        "stem_channels": channel_counts,
        "stem_pool": st.booleans(),
        "last_channels": st.just(0) | channel_counts,
        "kernel_size": few | per_stage(few, 4),
        "se_reduction": few | per_stage(st.just(0) | few, 4),
        "se_placement": placements | per_stage(placements, 4),
        "groups": few | per_stage(few, 4),
        "bottleneck": few | per_stage(few, 4),
        "shuffle": st.booleans(),
        "split_ratio": shares | per_stage(shares, 4),
        "residual": st.booleans(),
        "expansion": few | per_stage(few, 4),
        "shift": st.sampled_from(SHIFTS),
        "shift_kernel": few | per_stage(few, 4),
        "shift_sparsity": shares | per_stage(shares, 4),
        "learned_shifts": st.booleans(),
        **penalties,
    },
}
KNOBS["xception_like"] = KNOBS["shufflenet_v1"]
COMMON: dict[str, st.SearchStrategy[object]] = {
    "input": sizes,
    "batch": few,
    "num_classes": channel_counts,
    "activation": st.sampled_from(tuple(ACTIVATIONS)),
    "features": st.booleans(),
}


@pytest.mark.parametrize("family", KNOBS)
def test_every_knob_of_every_family_is_drawn_below(family: str) -> None:
    assert set(KNOBS[family]) | set(COMMON) == {knob.name for knob in fields(ZOO[family].config)}


def drawn_from(knob: Field[Any]) -> st.SearchStrategy[object]:
    """Values of a knob by its annotation, where no row of KNOBS says better."""
    kind, default = str(knob.type), knob.default
    if knob.metadata["choices"]:
        return st.sampled_from(knob.metadata["choices"])
    if kind == "bool":
        return st.booleans()
    number: st.SearchStrategy[object] = shares if "float" in kind else few | channel_counts
    if "tuple" not in kind:
        return number
    several = per_stage(number, len(default) if isinstance(default, tuple) else 4)
    return several if kind.startswith("tuple") else number | several


def knobs_of(family: str) -> dict[str, st.SearchStrategy[object]]:
    knobs, special = fields(ZOO[family].config), KNOBS.get(family, {}) | COMMON
    return {knob.name: special[knob.name] if knob.name in special else drawn_from(knob) for knob in knobs}


@settings(max_examples=100, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("family", ZOO)
def test_any_knobs_build_a_graph_or_break_a_law_and_nothing_else(family: str, data: st.DataObject) -> None:
    options = data.draw(st.fixed_dictionaries({}, optional=knobs_of(family)))
    try:
        graph = build(family, **options)
    except LawError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    totals = analyze(graph).totals
    assert totals.madds > 0
    assert totals.params > 0
    shapes, default = [graph.nodes[i].shape for i in graph.outputs], ZOO[family].config()
    assert {shape[0] for shape in shapes} == {options.get("batch", 1)}
    if isinstance(default, NetworkConfig) and not options.get("features"):
        assert shapes == [(options.get("batch", 1), options.get("num_classes", default.num_classes))]
    else:
        assert all(len(shape) == 4 for shape in shapes)


@pytest.mark.parametrize("family", ZOO)
@pytest.mark.parametrize("width", [1e307, 10**400], ids=["1e307", "10**400"])
def test_an_absurd_width_breaks_a_law_and_nothing_else(family: str, width: float) -> None:
    with pytest.raises(LawError, match="width"):
        build(family, width=width)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("shufflenet_v2", {"split_ratio": 1e308}),
        ("shufflenet_v2", {"split_ratio": (0.5, float("inf"), 0.5)}),
        ("shufflenet_v2", {"split_ratio": (0.5, float("nan"), 0.5)}),
        ("fenet", {"shift_sparsity": 10**400}),
        ("fenet", {"shift_sparsity": float("nan")}),
    ],
)
def test_an_absurd_share_breaks_a_law_and_nothing_else(family: str, options: dict[str, object]) -> None:
    with pytest.raises(LawError, match=next(iter(options))):
        build(family, **options)
