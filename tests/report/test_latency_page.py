"""Pages of a prediction: what the bars add up to, and what stands beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from archspace import build, predict
from archspace.latency import Latency, Profile, breakdown, load_profile
from archspace.latency.breakdown import CONSTANT, costliest
from archspace.latency.model import KernelLatency
from archspace.latency.terms import Coefficients
from archspace.report.latency_page import CAUSES, network_figure, networks_figure

PLAIN = replace(load_profile("sd810"), constant_ms=0.5, ms_per_input_mpixel=0.0)
BYTES = Coefficients(us_per_kernel=5.0, ms_per_gb_in=9.0, ms_per_gb_out=9.0, ms_per_gb_weights=9.0)
GPU = replace(PLAIN, device="gpu", batch=8, coefficients={"default": BYTES})  # nothing for multiply-adds
PHONE = replace(PLAIN, device="phone", coefficients={"default": Coefficients(), "dense": Coefficients(ms_per_gmadd=200.0)})


def one(device: Profile, *notes: str) -> tuple[go.Figure, Latency]:
    latency = predict(build("shufflenet_v2"), device)
    return network_figure(f"shufflenet_v2: {latency}", latency, breakdown(latency), "block", notes), latency


def bars(figure: go.Figure, axis: str) -> list[Any]:
    return [trace for trace in figure.data if trace.type == "bar" and trace.xaxis == axis]


@pytest.mark.parametrize("device", [GPU, PHONE], ids=["gpu", "phone"])
def test_the_bars_of_blocks_add_up_to_the_prediction_and_those_of_op_types_to_its_kernels(device: Profile) -> None:
    figure, latency = one(device)
    assert sum(sum(trace.x) for trace in bars(figure, "x")) == pytest.approx(latency.ms, rel=1e-12)
    assert sum(sum(trace.x) for trace in bars(figure, "x2")) == pytest.approx(latency.ms - latency.constant_ms, rel=1e-12)


def test_blocks_stand_in_the_networks_order_and_op_types_by_their_time() -> None:
    figure, latency = one(GPU)
    assert list(figure.layout.yaxis.ticktext) == [part.name for part in breakdown(latency)]
    assert tuple(figure.layout.yaxis.range) == (len(breakdown(latency)) - 0.5, -0.5)  # the first on top
    types = {part.name: part.ms for part in breakdown(latency, "type") if part.name != CONSTANT}
    assert list(figure.layout.yaxis2.ticktext) == sorted(types, key=lambda name: -types[name])


@pytest.mark.parametrize(("device", "free"), [(GPU, {"compute"}), (PHONE, {"memory access", "per-kernel overhead"})], ids=["gpu", "phone"])
def test_the_legend_has_each_cause_that_takes_time_once(device: Profile, free: set[str]) -> None:
    figure, _ = one(device)
    named = [trace.name for trace in figure.data if trace.type == "bar" and trace.showlegend]
    assert named == [name for name, _ in CAUSES.values() if name not in free]


def test_each_bar_says_its_time_and_share() -> None:
    figure, latency = one(GPU)
    (first,) = [trace for trace in figure.data if trace.type == "scatter" and trace.xaxis == "x"]
    stem = breakdown(latency)[0]
    assert first.text[0] == f" {stem.ms:.3g} ms, {100 * stem.ms / latency.ms:.1f} %"
    assert list(first.x) == [part.ms for part in breakdown(latency)]


def test_of_the_costliest_blocks_the_others_are_one_bar() -> None:
    latency = predict(build("shufflenet_v2"), GPU)
    figure = network_figure("x", latency, costliest(breakdown(latency), 2, "other blocks"), "block", ())
    assert list(figure.layout.yaxis.ticktext)[2:] == ["(17 other blocks)", CONSTANT]
    assert sum(sum(trace.x) for trace in bars(figure, "x")) == pytest.approx(latency.ms, rel=1e-12)


def test_title_and_notes_are_shown_as_they_are_written() -> None:
    figure, latency = one(GPU, "a <b> note")
    assert f"shufflenet_v2: {latency}" in figure.layout.title.text
    assert "a &lt;b&gt; note" in figure.layout.title.text
    assert "Time of each block, by cause" in [annotation.text for annotation in figure.layout.annotations]


def test_long_names_are_cut_in_front_and_long_notes_broken() -> None:
    latency = predict(build("shufflenet_v2"), GPU)
    name = "a.scope." * 9 + "last"
    figure = network_figure("x", latency, [replace(breakdown(latency)[0], name=name)], "block", ["word " * 60])
    (shown,) = figure.layout.yaxis.ticktext
    assert (len(shown), shown[:3], shown[3:]) == (48, "...", name[-45:])
    assert figure.data[0].hovertext[0] == name
    assert figure.layout.title.text.count("<br>") == 2  # 300 characters are two lines of at most 150


def test_the_page_grows_with_its_bars() -> None:
    heights = [network_figure("x", latency, breakdown(latency), "block", ()).layout.height for latency in _sizes()]
    assert heights[1] - heights[0] == 24 * (len(breakdown(_sizes()[1])) - len(breakdown(_sizes()[0])))


def _sizes() -> list[Latency]:
    return [predict(build("shufflenet_v2", repeats=repeats), GPU) for repeats in ((4, 8, 4), (8, 16, 8))]


def test_several_networks_have_a_bar_each_and_shares_of_a_hundred() -> None:
    names = ("shufflenet_v1", "shufflenet_v2", "shufflenet_v2")  # two of one name are two bars
    latencies = [predict(build(name), GPU) for name in names]
    figure = networks_figure(names, latencies, ["a note"])
    assert list(figure.layout.yaxis.ticktext) == list(names)
    for i, latency in enumerate(latencies):
        assert sum(trace.x[i] for trace in bars(figure, "x")) == pytest.approx(latency.ms, rel=1e-12)
        assert sum(trace.x[i] for trace in bars(figure, "x2")) == pytest.approx(100, rel=1e-12)
    shares = {trace.name: trace.x[1] for trace in bars(figure, "x2")}
    depthwise = next(part for part in breakdown(latencies[1], "type") if part.name == "depthwise")
    assert shares["depthwise"] == pytest.approx(100 * depthwise.ms / latencies[1].ms, rel=1e-12)
    assert list(shares)[-1] == "constant"
    assert figure.layout.title.text.startswith("Latency on gpu, batch 8")


def test_op_types_without_a_colour_of_their_own_are_one_layer() -> None:
    kernels = tuple(KernelLatency(f"op{i}", (f"op{i}",), "block", f"type{i}", float(i), 0.0, 0.0) for i in range(1, 13))
    figure = networks_figure(("a",), [Latency(78.0, 70.0, 86.0, 10.0, 1, "made_up", 0.0, kernels, ())], ())
    shares = {trace.name: trace.x[0] for trace in bars(figure, "x2")}
    assert list(shares) == [*(f"type{i}" for i in range(12, 3, -1)), "3 others"]
    assert shares["3 others"] == pytest.approx(100 * (1 + 2 + 3) / 78)
    assert len({trace.marker.color for trace in bars(figure, "x2")}) == 10


def test_op_types_that_take_no_time_on_the_device_are_in_no_legend() -> None:
    latencies = [predict(build("shufflenet_v2"), PHONE)] * 2
    figure = networks_figure(("a", "b"), latencies, ())
    free = {part.name for part in breakdown(latencies[0], "type") if not part.ms}
    assert free
    assert {trace.name for trace in bars(figure, "x2")} & free == set()
