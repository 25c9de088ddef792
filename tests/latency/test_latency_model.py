"""Predictions: the closed formula by hand, batch scaling, intervals, extrapolation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from archspace.errors import LawError, UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.ops import Add, Conv2d, Linear, Opaque, ReLU
from archspace.latency import Profile, latency_ms, load_profile, predict
from archspace.latency.profile import FitError, Ranges
from archspace.latency.terms import Coefficients
from archspace.zoo import build

DENSE = Coefficients(
    us_per_kernel=10,
    ms_per_gmadd=100,
    ms_per_gmadd_per_cin=300,
    ms_per_gmadd_per_cout=500,
    ms_per_gb_in=7,
    ms_per_gb_out=11,
    ms_per_gb_weights=13,
)


def device(coefficients: Mapping[str, Coefficients], *, ranges: Ranges | None = None, batch: int = 2, dtype: str = "float32") -> Profile:
    return Profile(
        device="bench",
        title="a bench",
        runtime="by hand",
        threads=1,
        batch=batch,
        dtype=dtype,
        fusion="paper",
        constant_ms=0.5,
        ms_per_input_mpixel=1000,
        coefficients=coefficients,
        ranges=ranges or Ranges(),
        error=FitError("by hand", mape_pct=10, within_10_pct_share=0.5, kendall_tau=0.9, networks=5, families=2),
        provenance="by hand",
        source="by hand",
    )


def grouped_conv(batch: int = 1) -> Graph:
    b = Builder("grouped_conv")
    x = b.input((batch, 8, 10, 10))
    return b.build(b.add("relu", ReLU(), b.add("conv", Conv2d(8, 16, 1, groups=2), x)))


def test_a_prediction_is_the_closed_formula() -> None:
    batch, cin, cout = 2, 8 // 2, 16 // 2
    madds = batch * 10 * 10 * 16 * cin
    compute = madds / 1e9 * (100 + 300 / cin + 500 / cout)
    memory = 4 / 1e9 * (7 * batch * 8 * 100 + 11 * batch * 16 * 100 + 13 * 16 * cin)
    constant = 0.5 + 1000 * batch * 100 / 1e6
    latency = predict(grouped_conv(), device({"default": Coefficients(), "grouped": DENSE}))
    (row,) = latency.rows
    assert (row.name, row.nodes, row.op_type) == ("conv", ("conv", "relu"), "grouped_pointwise")
    assert row.compute_ms == pytest.approx(compute, rel=1e-12)
    assert row.memory_ms == pytest.approx(memory, rel=1e-12)
    assert row.overhead_ms == pytest.approx(0.010, rel=1e-12)
    assert latency.constant_ms == pytest.approx(constant, rel=1e-12)
    assert latency.ms == pytest.approx(constant + compute + memory + 0.010, rel=1e-12)
    assert latency.extrapolates == ()


def test_the_gpu_profile_is_its_stated_formula() -> None:
    b = Builder("tiny")
    x = b.input((8, 3, 32, 32))
    y = b.add("relu", ReLU(), b.add("conv", Conv2d(3, 3, 1), x))
    graph = b.build(b.add("add", Add(), x, y))
    profile = load_profile("gtx1080ti")
    per_gb, per_gmadd = profile.coefficients["dense"].ms_per_gb_in, profile.coefficients["dense"].ms_per_gmadd_padded
    n = 8 * 3 * 32 * 32
    gigabytes = 4 * ((n + n + 9) + (2 * n + n)) / 1e9
    # 8192 pixels are 64 tiles of 128, 3 waves of 28; each tile has 128 outputs with a depth of 3 channels and the startup's 64.
    tiled = 3 * 28 * 128 * 128 * (3 + 64) / 1e9
    kernels = 2 * profile.coefficients["default"].us_per_kernel / 1e3
    assert predict(graph, profile).ms == pytest.approx(profile.constant_ms + per_gb * gigabytes + per_gmadd * tiled + kernels, rel=1e-12)


def test_the_phone_profile_is_its_stated_formula() -> None:
    b = Builder("tiny")
    x = b.input((1, 3, 224, 224))
    x = b.add("conv", Conv2d(3, 8, 3, stride=2, padding=1), x)
    x = b.add("dw", Conv2d(8, 8, 3, padding=1, groups=8), x)
    graph = b.build(b.add("pw", Conv2d(8, 8, 1, groups=2), x))
    profile = load_profile("sd810")
    dense, grouped, depthwise = (profile.coefficients[kind] for kind in ("dense", "grouped", "depthwise"))
    pixels = 112 * 112
    compute = dense.ms_per_gmadd * pixels * 8 * 27 / 1e9 + grouped.ms_per_gmadd * pixels * 8 * 4 / 1e9
    others = 4 * ((3 * 4 + 8) * pixels + 8 * 27 + (8 + 8) * pixels + 8 * 4) / 1e9  # in, out and weights of conv and pw
    read = 4 * 8 * pixels / 1e9
    expected = compute + dense.ms_per_gb_in * others + depthwise.ms_per_gb_in * read
    assert predict(graph, profile).ms == pytest.approx(expected, rel=1e-12)


def test_a_graphs_own_batch_does_not_matter() -> None:
    profile = device({"default": DENSE})
    assert predict(grouped_conv(1), profile).ms == pytest.approx(predict(grouped_conv(16), profile).ms, rel=1e-12)


def test_batch_scales_features_and_pixels_but_neither_weights_nor_kernels_nor_the_constant() -> None:
    profile = device({"default": DENSE})
    one, two, three = (predict(grouped_conv(), profile, batch=n).ms for n in (1, 2, 3))
    weights = 4 / 1e9 * 13 * 16 * 4
    assert two - one == pytest.approx(three - two, rel=1e-9)
    assert one - (two - one) == pytest.approx(0.5 + 0.010 + weights, rel=1e-9)


def test_bytes_are_those_of_the_profiles_dtype() -> None:
    memory = Coefficients(ms_per_gb_in=1, ms_per_gb_out=1, ms_per_gb_weights=1)
    full, half = (predict(grouped_conv(), device({"default": memory}, dtype=dtype)).rows[0].memory_ms for dtype in ("float32", "float16"))
    assert full == pytest.approx(2 * half, rel=1e-12)
    assert half == pytest.approx(2 * (2 * 800 + 2 * 1600 + 64) / 1e9, rel=1e-12)


def test_a_row_of_an_op_type_replaces_the_default_whole() -> None:
    profile = device({"default": DENSE, "grouped": Coefficients(us_per_kernel=3)})
    (row,) = predict(grouped_conv(), profile).rows
    assert (row.compute_ms, row.memory_ms, row.overhead_ms) == (0, 0, 0.003)


@pytest.mark.parametrize("name", ["shufflenet_v1", "shufflenet_v2", "mobilenet_v2", "fenet"])
@pytest.mark.parametrize("shipped", ["gtx1080ti", "sd810"])
def test_the_quick_function_and_the_rows_agree_with_the_total(name: str, shipped: str) -> None:
    graph, profile = build(name), load_profile(shipped)
    latency = predict(graph, profile)
    assert latency_ms(graph, profile) == pytest.approx(latency.ms, rel=1e-12)
    assert latency.constant_ms + sum(row.ms for row in latency.rows) == pytest.approx(latency.ms, rel=1e-12)
    assert latency_ms(graph, profile, batch=3) == pytest.approx(predict(graph, profile, batch=3).ms, rel=1e-12)


def test_the_interval_is_1_606_times_the_stated_error() -> None:
    latency = predict(grouped_conv(), device({"default": DENSE}))
    assert latency.interval_pct == pytest.approx(16.06, abs=0.01)
    assert latency.low_ms == pytest.approx(latency.ms * (1 - latency.interval_pct / 100), rel=1e-12)
    assert latency.high_ms == pytest.approx(latency.ms * (1 + latency.interval_pct / 100), rel=1e-12)


def test_an_interval_never_reaches_below_zero() -> None:
    profile = device({"default": DENSE})
    wild = replace(profile, error=replace(profile.error, mape_pct=200.0))
    assert predict(grouped_conv(), wild).low_ms == 0.0


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (2.934, "2.93 ms ± 0.47 (bench, batch 2)"),  # 16.06 % of 2.934 is 0.471
        (29.34, "29.3 ms ± 4.7 (bench, batch 2)"),
        (293.4, "293 ms ± 47 (bench, batch 2)"),
        (2934.0, "2934 ms ± 471 (bench, batch 2)"),
    ],
)
def test_a_prediction_prints_its_interval_to_two_digits(ms: float, expected: str) -> None:
    free = device({"default": Coefficients(), "grouped": Coefficients()})  # fitted to cost nothing
    profile = replace(free, constant_ms=ms, ms_per_input_mpixel=0.0)
    assert str(predict(grouped_conv(), profile)) == expected


def test_an_extrapolating_prediction_is_printed_without_the_interval_that_does_not_hold() -> None:
    latency = predict(grouped_conv(), device({"default": DENSE}), batch=5)
    assert not latency.interval_holds
    assert str(latency) == "1.02 ms (bench, batch 5, extrapolates: no interval)"  # 0.5 + 0.5 of pixels, and 0.01 a kernel


@pytest.mark.parametrize(
    ("ranges", "batch", "reasons"),
    [
        (Ranges(), 4, ("batch 4, fitted at 2",)),
        (Ranges(kernels=(1, 1), madds=(6400, 6400), input_pixels=(100, 100)), 2, ()),
        (Ranges(kernels=(2, 9)), 2, ("1 kernels, fitted on 2 to 9",)),
        (Ranges(madds=(1, 6399)), 2, ("6.4K madds per image, fitted on 1 to 6.399K",)),
        (Ranges(input_pixels=(1, 99)), 2, ("100 input pixels, fitted on 1 to 99",)),
    ],
)
def test_what_lies_outside_the_fit_is_told(ranges: Ranges, batch: int, reasons: tuple[str, ...]) -> None:
    # 16 x 100 outputs of 4 multiply-adds each are 6400 an image, whatever the graph's batch.
    for graph in (grouped_conv(1), grouped_conv(8)):
        assert predict(graph, device({"default": DENSE}, ranges=ranges), batch=batch).extrapolates == reasons


def test_work_of_unknown_kind_is_told_by_name() -> None:
    b = Builder("opaque")
    x = b.input((1, 4, 8, 8))
    graph = b.build(b.add("roi", Opaque("roi_align", (1, 4, 1, 1)), x))
    latency = predict(graph, device({"default": DENSE}))
    assert latency.extrapolates == ("ops of unknown kind: roi_align",)
    assert latency.lower_bound
    assert str(latency).startswith("at least ")


def branches() -> Graph:
    """Two depthwise convolutions, a dense one and an add."""
    b = Builder("branches")
    x = b.input((1, 8, 10, 10))
    y = b.add("first", Conv2d(8, 8, 3, padding=1, groups=8), x)
    y = b.add("second", Conv2d(8, 8, 3, padding=1, groups=8), y)
    return b.build(b.add("add", Add(), x, b.add("dense", Conv2d(8, 8, 3, padding=1), y)))


@pytest.mark.parametrize(
    ("coefficients", "reasons"),
    [
        ({"default": Coefficients()}, ("no price for: dense (1 op), depthwise (2 ops)",)),
        ({"default": Coefficients(), "dense": DENSE}, ("no price for: depthwise (2 ops)",)),
        ({"default": Coefficients(), "dense": DENSE, "depthwise": Coefficients()}, ()),  # fitted to cost nothing
        ({"default": Coefficients(us_per_kernel=1), "dense": DENSE}, ()),  # what has no row costs what the default does
    ],
)
def test_op_types_without_a_price_are_told_and_make_a_lower_bound(coefficients: dict[str, Coefficients], reasons: tuple[str, ...]) -> None:
    latency = predict(branches(), device(coefficients))  # the add joins the dense convolution
    assert latency.extrapolates == reasons
    assert latency.lower_bound == bool(reasons)


def test_a_type_priced_as_a_coarser_one_has_a_price() -> None:
    assert predict(grouped_conv(), device({"default": Coefficients(), "grouped": DENSE})).extrapolates == ()


def test_a_shipped_profile_that_lost_a_row_says_so() -> None:
    profile, graph = load_profile("i7_12700h"), build("mobilenet_v2")
    assert predict(graph, profile).extrapolates == ()
    lost = {name: row for name, row in profile.coefficients.items() if name != "depthwise"}
    latency = predict(graph, replace(profile, coefficients=lost))
    assert latency.extrapolates == ("no price for: depthwise (17 ops)",)
    assert latency.lower_bound


def test_an_input_that_is_no_image_has_no_pixels() -> None:
    b = Builder("mlp")
    graph = b.build(b.add("fc", Linear(4, 2), b.input((1, 4))))
    profile = device({"default": DENSE}, ranges=Ranges(input_pixels=(1, 100)))
    latency = predict(graph, profile)
    assert latency.constant_ms == 0.5
    assert latency.extrapolates == ("0 input pixels, fitted on 1 to 100",)


def test_a_batch_below_one_is_refused() -> None:
    with pytest.raises(LawError, match="a batch must have at least 1 image, but got 0"):
        predict(grouped_conv(), device({"default": DENSE}), batch=0)


def test_an_unknown_device_is_named_with_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sd810'"):
        predict(grouped_conv(), "sd820")
