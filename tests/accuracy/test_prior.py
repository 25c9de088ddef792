"""The prior against what studies/prior wrote down, and what a search relies on: it is smooth, monotone, and flags what it does not know."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import spearmanr

import archspace
from archspace import Builder, Graph, build
from archspace.accuracy import NAMES, Prior, prior, prior_error_pct, quality_text, read, recipes
from archspace.accuracy.model import PRIOR_JSON, load_model, shipped
from archspace.analysis.report import total_counts
from archspace.errors import FileError, LawError, UnknownNameError
from archspace.ir.ops import AdaptiveAvgPool2d, Conv2d, Flatten, Linear, MatMul
from archspace.zoo import MEMBERS

RESULTS = Path(__file__).parents[2] / "studies" / "prior" / "results"
Row = dict[str, str]


def rows() -> list[Row]:
    with (RESULTS / "rows.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def values(row: Row) -> list[float]:
    return [float(row[name]) for name in NAMES]


def gmadds(row: Row) -> float:
    return math.exp(float(row["log_madds"])) / 1e9


def correlation(table: list[Row], column: str) -> float:
    """Spearman's, with the published errors."""
    return float(spearmanr([float(row[column]) for row in table], [float(row["top1_err_pct"]) for row in table]).statistic)


def width_of_80(residuals: list[tuple[float, float]]) -> float:
    """What 80 % of the weight is at or below; pairs of residual and weight, ascending."""
    up_to = list(accumulate(weight for _, weight in residuals))
    return residuals[bisect_left(up_to, 0.8 * up_to[-1])][0]


# What the study wrote.


def test_what_ships_gives_the_predictions_of_the_studys_fit() -> None:
    model = shipped()
    for row in rows():
        assert model.error_pct(model.log_excess(values(row))) == pytest.approx(float(row["fitted_pct"]), abs=1e-4)


def test_features_of_the_zoos_networks_are_those_of_the_rows() -> None:
    of_zoo = {row["network"]: row for row in rows() if row["source"] == "papers"}
    assert len(of_zoo) >= 110
    for member, row in of_zoo.items():
        graph = build(member)
        assert read(graph, total_counts(graph)).values == pytest.approx(values(row), rel=1e-7, abs=1e-9), member


def test_the_stated_figures_are_what_the_rows_recompute() -> None:
    table, stated = rows(), shipped().held_out
    weights = [float(row["weight"]) for row in table]
    errors = [abs(float(row["unseen_pct"]) - float(row["top1_err_pct"])) for row in table]
    assert (len(table), len({row["family"] for row in table})) == (stated.rows, stated.families)
    assert sum(weights) == pytest.approx(stated.networks, abs=0.01)
    assert sum(w * e for w, e in zip(weights, errors, strict=True)) / sum(weights) == pytest.approx(stated.mae_pct, abs=0.006)
    assert correlation([row for row in table if row["source"] == "timm"], "unseen_pct") == pytest.approx(stated.spearman, abs=0.006)
    assert {row["source"] for row in table} == {"papers", "timm"}


@pytest.mark.parametrize("band", shipped().held_out.bands, ids=lambda band: band.text)
def test_a_bands_correlations_are_what_its_rows_recompute(band: Any) -> None:
    table = [row for row in rows() if row["source"] == "timm" and band.low_gmadds <= gmadds(row) < (band.high_gmadds or math.inf)]
    assert (len(table), len({row["family"] for row in table})) == (band.rows, band.families)
    assert correlation(table, "unseen_pct") == pytest.approx(band.spearman, abs=0.006)
    for name, value in band.baselines.items():
        assert correlation(table, f"unseen_{name}_pct") == pytest.approx(value, abs=0.006)


def test_the_bar_is_met_on_unseen_families_in_its_band() -> None:
    band = next(band for band in shipped().held_out.bands if band.low_gmadds == 0.35)
    assert band.spearman >= 0.8
    assert band.spearman > max(band.baselines.values())
    assert band.rows >= 20


def test_intervals_cover_unseen_families_as_often_as_they_say() -> None:
    """Each family's interval comes from the residuals of the others, in log(error - floor); every network at a size counts once."""
    table, model = rows(), shipped()
    left = [
        abs(math.log(float(r["top1_err_pct"]) - model.floor_pct) - float(r["unseen_network"]) - float(r["unseen_recipe"])) for r in table
    ]
    inside: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for family in {row["family"] for row in table}:
        others = sorted((e, float(r["weight"])) for e, r in zip(left, table, strict=True) if r["family"] != family)
        width = width_of_80(others)
        inside[family] = [(e <= width, float(r["weight"])) for e, r in zip(left, table, strict=True) if r["family"] == family]
    every = [one for of_family in inside.values() for one in of_family]
    covered = sum(weight for hit, weight in every if hit) / sum(weight for _, weight in every)
    assert covered == pytest.approx(model.held_out.coverage_80_share, abs=0.006)
    assert 0.7 <= covered <= 0.9
    assert 0.7 <= sum(sum(hit * w for hit, w in one) / sum(w for _, w in one) for one in inside.values()) / len(inside) <= 0.9


def test_no_family_and_no_tag_of_the_rows_is_of_more_data() -> None:
    words = ("in21k", "in22k", "in12k", "laion", "openai", "jft", "ig1b", "yfcc", "swag", "seer", "dist")
    tags = {row["tag"] for row in rows() if row["source"] == "timm"}
    assert [tag for tag in tags if any(word in tag for word in words)] == []
    assert all("in1k" in tag for tag in tags)


# The file.


def test_the_file_has_a_range_for_every_feature_and_signs_that_a_search_can_trust() -> None:
    data = json.loads(PRIOR_JSON.read_text(encoding="utf-8"))
    assert tuple(data["features"]) == NAMES
    coefficients = {name: one["coefficient"] for name, one in data["features"].items() if "coefficient" in one}
    assert [name for name in ("log_madds", "log_body_params", "log_acts", "log_depth") if coefficients[name] >= 0] == []
    assert coefficients["unmixed_share"] > 0
    assert data["sources"]
    assert "MatMul" not in data["op_kinds"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"archspace_prior": 2}, "must be a fitted prior of version 1"),
        ({"floor_pct": "ten"}, "ValueError: could not convert"),
        ({"features": {"log_madds": {}}}, "features that only one of file and version knows: adds_per_layer"),
        ({"distance": [[1.0]]}, "a row and a column for each of the 20 features"),
        ({"intercept": None}, "TypeError"),
    ],
)
def test_another_file_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "prior.json"
    path.write_text(json.dumps(json.loads(PRIOR_JSON.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(FileError, match=said):
        load_model(path)


def test_predicting_loads_nothing_but_the_standard_library() -> None:
    program = (
        "import sys, archspace\nplain = set(sys.modules)\narchspace.prior(archspace.build('shufflenet_v2'))\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - plain} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(archspace.__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"archspace"}


# What a search relies on.


def error(family: str, **options: Any) -> float:
    return prior(build(family, **options)).error_pct


@pytest.mark.parametrize("family", ["shufflenet_v1", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", "fenet", "resnet", "igcv3_d"])
def test_a_wider_network_and_a_larger_input_are_never_said_to_be_worse(family: str) -> None:
    wider = [error(family, width=width) for width in (0.25, 0.5, 0.75, 1, 1.1, 1.25, 1.5, 2, 3)]
    larger = [error(family, input=(side, side)) for side in range(128, 449, 32)]
    assert wider == sorted(wider, reverse=True)
    assert larger == sorted(larger, reverse=True)


@pytest.mark.parametrize(("family", "repeats"), [("shufflenet_v1", (4, 8, 4)), ("shufflenet_v2", (4, 8, 4)), ("resnet", (3, 4, 6, 3))])
def test_a_deeper_network_is_never_said_to_be_worse(family: str, repeats: tuple[int, ...]) -> None:
    for stage in range(len(repeats)):
        deeper = [error(family, repeats=[n + more * (i == stage) for i, n in enumerate(repeats)]) for more in range(0, 12, 3)]
        assert deeper == sorted(deeper, reverse=True)
    together = [error(family, repeats=[n * times for n in repeats]) for times in (1, 2, 3)]
    assert together == sorted(together, reverse=True)


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_wider_stage_is_never_said_to_be_worse(stage: int) -> None:
    channels = (116, 232, 464)
    wider = [error("shufflenet_v2", stage_channels=[int(c * (times if i == stage else 1)) // 4 * 4 for i, c in enumerate(channels)])
             for times in (0.5, 1, 1.25, 1.5, 2)]  # fmt: skip
    assert wider == sorted(wider, reverse=True)


def test_what_papers_found_to_help_is_said_to_help() -> None:
    """Larger kernels, squeeze-and-excitation, and shuffling what groups keep apart (ShuffleNet v1, table 3: 2 to 5 points)."""
    assert error("shufflenet_v2", kernel_size=5) < error("shufflenet_v2")
    assert error("shufflenet_v2", se_reduction=4) < error("shufflenet_v2")
    assert 1 < error("shufflenet_v1", groups=8, shuffle=False) - error("shufflenet_v1", groups=8) < 5


def silly(channels: int) -> Graph:
    """One giant layer."""
    b = Builder("one layer")
    x = b.add("giant", Conv2d(3, channels, 11, stride=4), b.input((1, 3, 224, 224)))
    return b.build(b.add("fc", Linear(channels, 1000), b.add("flat", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), x))))


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (silly(4096), "convolutions on the longest path: 1, fitted on"),
        (build("shufflenet_v2", stage_channels=(116, 232, 464_000)), "channels of the last kernel above 1x1: 232K"),
        (build("shufflenet_v2", width=0.25, repeats=(16, 34, 16)), "all in all it is unlike the networks of the fit"),
        (build("shufflenet_v2", input=(32, 32)), "pixels along the input's side: 32, fitted on 106 to 576"),
        (build("resnet20_cifar"), "classes: 10, fitted on ImageNet's 1000"),
        (build("shufflenet_v2", features=True), "classes: "),
    ],
    ids=["one layer", "1000 times as wide", "200 thin layers", "32 pixels", "CIFAR", "no classifier"],
)
def test_what_no_published_network_is_like_is_flagged(graph: Graph, said: str) -> None:
    assert [what for what in prior(graph).extrapolates if what.startswith(said)]


def test_attention_is_flagged() -> None:
    b = Builder("attention")
    x = b.add("stem", Conv2d(3, 64, 16, stride=16), b.input((1, 3, 224, 224)))
    x = b.add("flat", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), b.add("product", MatMul(), x, x)))
    found = prior(b.build(b.add("fc", Linear(64, 1000), x))).extrapolates
    assert "ops that no network of the fit has: MatMul" in found


def test_published_networks_are_flagged_where_they_are_the_oddest_alone() -> None:
    """One in twenty is as far off as the distance that is called usual."""
    published = {row["network"] for row in rows() if row["source"] == "papers"}
    flagged = [member for member in published if prior(build(member)).extrapolates]
    assert len(flagged) <= 0.2 * len(published)
    assert set(published) <= set(MEMBERS)
    assert not {"shufflenet_v2_1x", "shufflenet_v1_1x_g3", "mobilenet_v2_1x", "fenet_1x"} & set(flagged)


def test_leaving_the_range_gains_nothing() -> None:
    """Features are held at the ends of what was fitted on."""
    model = shipped()
    highest, lowest = [high for _, high in model.ranges], [low for low, _ in model.ranges]
    assert model.log_excess([value + 100 for value in highest]) == model.log_excess(highest)
    assert model.log_excess([value - 100 for value in lowest]) == model.log_excess(lowest) > model.log_excess(highest)


# The verb of Python.


def test_a_prior_has_its_interval_around_it() -> None:
    found = archspace.prior(build("shufflenet_v2"))
    assert isinstance(found, Prior)
    assert 10 < found.low_pct < found.error_pct < found.high_pct < 100
    assert found.extrapolates == ()
    # log(error - 10) is shifted by the same on both sides.
    assert (found.high_pct - 10) / (found.error_pct - 10) == pytest.approx((found.error_pct - 10) / (found.low_pct - 10))


def test_a_search_gets_the_same_error_from_counts_it_has() -> None:
    graph = build("mobilenet_v2", batch=8)
    counts = total_counts(graph)
    assert prior_error_pct(graph, counts) == prior(graph, counts).error_pct == prior(graph).error_pct
    assert prior_error_pct(graph, counts) == pytest.approx(error("mobilenet_v2"))


def test_better_training_is_said_to_lower_the_error() -> None:
    graph = build("resnet50")
    by_recipe = {name: prior(graph, recipe=name).error_pct for name in recipes()}
    assert by_recipe["modern"] < by_recipe["tricks"] < by_recipe["plain"] < by_recipe["paper"] == prior(graph).error_pct


def test_an_unknown_recipe_and_what_is_no_graph_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown training recipe 'moden'. Did you mean 'modern'\?"):
        prior(build("shufflenet_v2"), recipe="moden")
    with pytest.raises(LawError, match="prior takes a Graph, but got str"):
        prior("shufflenet_v2")


def test_the_line_that_goes_with_a_prior_says_what_it_is_worth() -> None:
    found = prior(build("shufflenet_v2"))
    line = quality_text(found)
    assert line.startswith(f"prior, not a measurement: ±{found.half_width_pct:.1f} points (80 % interval); on 21 networks of 0.35-0.6 G")
    assert "with training recipes known (params ." in line
    assert "without (params ." in line
    assert "points at 30 % (80 % interval)" in quality_text()


@pytest.mark.parametrize("band", shipped().held_out.bands, ids=lambda band: band.text)
def test_what_a_band_says_of_networks_alone_is_what_its_rows_recompute(band: Any) -> None:
    table = [row for row in rows() if row["source"] == "timm" and band.low_gmadds <= gmadds(row) < (band.high_gmadds or math.inf)]
    assert correlation(table, "unseen_network") == pytest.approx(band.alone["prior"], abs=0.006)
    for name, column in {"params": "params", "acts": "log_acts", "madds": "log_madds"}.items():
        assert -correlation(table, column) == pytest.approx(band.alone[name], abs=0.006)
