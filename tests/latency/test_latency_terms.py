"""The terms of a kernel by hand, and the op types: finer where kernels differ, coarser where a profile cannot tell."""

from __future__ import annotations

import pytest

from archspace.ir import Builder, Graph
from archspace.ir.ops import Conv2d, Op, ReLU
from archspace.latency.fusion import fused_kernels
from archspace.latency.op_types import COARSER, DEFAULT, OP_TYPE_NAMES, op_type, priced_as
from archspace.latency.terms import COMPUTE, MEMORY, OVERHEAD, TERMS, Coefficients, kernel_terms


def one(op: Op, channels: int) -> Graph:
    b = Builder("one")
    return b.build(b.add("op", op, b.input((1, channels, 4, 4))))


def terms(op: Op, channels: int, *, scale: float = 1, vector_width: int | None = None) -> dict[str, float]:
    (kernel,) = fused_kernels(one(op, channels), "none")
    return dict(zip(TERMS, kernel_terms(kernel.work, scale=scale, element_bytes=4, vector_width=vector_width), strict=True))


def test_the_terms_of_a_grouped_convolution_at_a_batch_of_three() -> None:
    madds = 4 * 4 * 12 * (6 // 2) * 3
    found = terms(Conv2d(6, 12, 1, groups=2), 6, scale=3)
    assert found == pytest.approx(
        {
            "us_per_kernel": 1e-3,
            "us_per_group": 2e-3,
            "ms_per_gmadd": madds / 1e9,
            "ms_per_gmadd_per_cin": madds / 1e9 / 3,
            "ms_per_gmadd_per_cout": madds / 1e9 / 6,
            "ms_per_gmadd_padded": madds / 1e9,
            "ms_per_gmadd_unaligned": madds / 1e9,
            "ms_per_gb_in": 4e-9 * 3 * 6 * 16,
            "ms_per_gb_out": 4e-9 * 3 * 12 * 16,
            "ms_per_gb_weights": 4e-9 * 12 * 3,
            "ms_per_gb_unaligned": 4e-9 * 3 * (6 + 12) * 16,  # 3 channels a group are no multiple of 4
        }
    )


def test_channels_are_padded_to_the_vector_width_on_both_sides() -> None:
    found = terms(Conv2d(12, 20, 1), 12, vector_width=16)
    assert found["ms_per_gmadd_padded"] == pytest.approx(found["ms_per_gmadd"] * 16 / 12 * 32 / 20)
    assert found["ms_per_gmadd_unaligned"] == 0  # 12 and 20 are multiples of 4


def test_a_depthwise_convolution_is_padded_by_the_number_of_its_channels() -> None:
    found = terms(Conv2d(18, 18, 3, padding=1, groups=18), 18, vector_width=16)
    assert found["ms_per_gmadd_padded"] == pytest.approx(found["ms_per_gmadd"] * 32 / 18)
    assert found["ms_per_gmadd_unaligned"] == found["ms_per_gmadd"]
    assert found["us_per_group"] == pytest.approx(18e-3)


def test_an_op_without_multiply_adds_pays_for_its_kernel_and_its_bytes_alone() -> None:
    found = terms(ReLU(), 5)
    assert {name for name, term in found.items() if term} == {"us_per_kernel", "ms_per_gb_in", "ms_per_gb_out"}


def test_every_term_belongs_to_one_cause() -> None:
    assert (TERMS[OVERHEAD], TERMS[COMPUTE], TERMS[MEMORY]) == (TERMS[:2], TERMS[2:7], TERMS[7:])
    assert all("kernel" in name or "group" in name for name in TERMS[OVERHEAD])
    assert all("gmadd" in name for name in TERMS[COMPUTE])
    assert all("_gb_" in name for name in TERMS[MEMORY])
    assert Coefficients(us_per_group=2, ms_per_gb_weights=3).values == (0, 2, *(0,) * 7, 3, 0)


def test_the_op_type_of_a_convolution_says_what_kind_of_work_it_is() -> None:
    named = {
        Conv2d(8, 8, 1): "pointwise",
        Conv2d(8, 8, (1, 1)): "pointwise",
        Conv2d(8, 8, (1, 3)): "dense",
        Conv2d(8, 8, 3): "dense",
        Conv2d(8, 8, 1, groups=4): "grouped_pointwise",
        Conv2d(8, 8, 3, groups=4): "grouped",
        Conv2d(8, 8, 1, groups=8): "depthwise",
    }
    assert {op: op_type(op) for op in named} == named


def test_a_type_without_a_price_takes_that_of_the_nearest_coarser_one() -> None:
    assert priced_as("attention", {"matmul", "linear"}) == "matmul"
    assert priced_as("attention", {"linear"}) == "linear"
    assert priced_as("attention", {"dense"}) == DEFAULT
    assert priced_as("shift", {"shift", "movement"}) == "shift"


@pytest.mark.parametrize("name", OP_TYPE_NAMES)
def test_the_way_to_coarser_types_ends(name: str) -> None:
    steps = 0
    while name:
        name, steps = COARSER[name], steps + 1
    assert steps < len(OP_TYPE_NAMES)
