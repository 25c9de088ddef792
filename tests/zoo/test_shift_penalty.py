"""A shift's penalty and its sparsity: the printed points, what lies between them, what is refused."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from math import log
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspace
from archspace.errors import LawError, UnknownNameError
from archspace.ir.ops import SparseShift
from archspace.zoo import build
from archspace.zoo.shift_penalty import CURVES, LARGEST, penalty_text, scatter_at, sparsity_at

CIFAR_CSV = Path(archspace.__file__).parent / "zoo" / "published" / "cifar.csv"


def printed() -> dict[str, list[tuple[float, float]]]:
    """Curve -> the printed points, from the paper's table as it ships."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in csv.DictReader(io.StringIO(CIFAR_CSV.read_text(encoding="utf-8"))):
        if row["lambda"]:
            depth = row["member"].split("_")[1]
            for data in ("cifar10", "cifar100"):
                points.setdefault(f"{depth}_{data}", []).append((float(row["lambda"]), float(row[f"{data}_sparsity_pct"]) / 100))
    return points


def test_the_curves_are_those_of_the_published_table() -> None:
    assert {curve: [(x, pytest.approx(y)) for x, y in points] for curve, points in CURVES.items()} == printed()


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_goes_through_its_points_and_never_falls(curve: str) -> None:
    for penalty, share in CURVES[curve]:
        assert sparsity_at(penalty, curve) == pytest.approx(share, abs=1e-12)
    values = [sparsity_at(LARGEST * i / 500, curve) for i in range(501)]
    assert all(a < b for a, b in pairwise(values))


def test_between_points_the_shifted_share_is_a_power_of_lambda() -> None:
    """In the middle of 1e-4 and 4e-4 on a log scale, 2e-4, what is shifted is the geometric mean of both ends."""
    assert 1 - sparsity_at(2e-4) == pytest.approx(((1 - 0.666) * (1 - 0.917)) ** 0.5)


def test_below_the_first_point_the_sparsity_is_a_straight_line_in_lambda() -> None:
    assert sparsity_at(5e-5) == pytest.approx((0.121 + 0.666) / 2)


@pytest.mark.parametrize("penalty", [-1e-5, 5.01e-4, 1.0, float("nan")])
def test_a_lambda_beyond_the_table_is_refused_with_the_flag_that_allows_it(penalty: float) -> None:
    with pytest.raises(LawError, match=r"shift_lambda must be from 0 to 0\.0005, as in SSL's table 1, but got .*lambda_beyond"):
        sparsity_at(penalty)


def test_beyond_the_table_the_last_power_law_goes_on_where_that_is_asked_for() -> None:
    exponent = log((1 - 0.935) / (1 - 0.917)) / log(5 / 4)
    assert 1 - sparsity_at(1e-3, beyond=True) == pytest.approx((1 - 0.935) * 2**exponent)
    assert sparsity_at(1.0, beyond=True) < 1
    with pytest.raises(LawError, match="must be from 0 to 1"):
        sparsity_at(1.1, beyond=True)


def test_an_unknown_curve_is_met_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean '20_cifar10'"):
        sparsity_at(1e-4, "20_cifar1")


@given(st.floats(0, LARGEST))
@settings(deadline=None)
def test_the_scatter_holds_every_curve(penalty: float) -> None:
    low, high = scatter_at(penalty)
    assert all(low <= sparsity_at(penalty, curve) <= high for curve in CURVES)


def test_a_penalty_is_said_with_its_scatter() -> None:
    assert penalty_text(5e-4, "56_cifar10") == "lambda 0.0005: 98.0 % stay in place (86 to 98 % by network and data set)"


# As an option of the families --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["fenet", "shiftresnet"])
def test_a_network_is_built_with_the_sparsity_that_its_penalty_gives(family: str) -> None:
    graph = build(family, shift="sparse", shift_lambda=4e-4, lambda_curve="56_cifar10")
    assert graph.config["shift_lambda"] == 4e-4
    shifts = [node.op for node in graph if isinstance(node.op, SparseShift)]
    assert shifts
    assert [op.moved_channels for op in shifts] == [op.channels - int(op.channels * 0.974 + 0.5) for op in shifts]


@pytest.mark.parametrize(
    ("options", "law"),
    [
        (
            {"shift_lambda": 1e-4, "shift_sparsity": 0.5},
            "fenet: the sparsity is given or follows from shift_lambda, but got shift_sparsity=0.5 too",
        ),
        ({"shift_lambda": 1e-4, "shift": "grouped"}, "fenet: shift_lambda is the penalty of sparse shifts, but got shift=grouped"),
        ({"shift_lambda": 1e-3}, "fenet: shift_lambda must be from 0 to 0.0005"),
        ({"shift_lambda": -1e-3}, "fenet: shift_lambda must be at least 0"),
        ({"shift_lambda": 1e-4, "lambda_curve": "20"}, "unknown value of fenet: lambda_curve '20'"),
    ],
)
def test_a_penalty_that_makes_no_sense_is_refused(options: dict[str, object], law: str) -> None:
    with pytest.raises((LawError, UnknownNameError)) as caught:
        build("fenet", **options)
    assert str(caught.value).startswith(law)
