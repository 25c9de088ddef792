"""The paper's experiments as a table: every printed number at its place, every column at equal multiply-adds."""

from __future__ import annotations

import pytest

from archspace.errors import UnknownNameError
from archspace.ir import Graph
from archspace.timing.experiments import EXPERIMENTS, PLATFORMS, Column, Experiment, columns, find_experiment
from archspace.zoo.published_speeds import SHUFFLENET_V2, published_speeds

EACH = pytest.mark.parametrize("one", EXPERIMENTS.values(), ids=list(EXPERIMENTS))


def madds(graph: Graph) -> int:
    return sum(graph.counts(node).madds for node in graph)


def column(one: Experiment, paper: str, scale: str, size: tuple[int, int] = (56, 56)) -> Column:
    (found,) = columns(one, paper, [scale], [size])
    return found


@EACH
@pytest.mark.parametrize("paper", PLATFORMS)
def test_the_multiply_adds_of_a_column_are_equal_within_the_tables_tolerance(one: Experiment, paper: str) -> None:
    for place in columns(one, paper):
        first, *others = [madds(entry.build(1)) for entry in place.entries]
        assert all(100 * abs(other / first - 1) <= one.tolerance_pct for other in others), place.name


@EACH
def test_the_tolerance_is_no_wider_than_half_a_percent_beyond_need(one: Experiment) -> None:
    worst = 0.0
    for paper in PLATFORMS:
        for place in columns(one, paper):
            first, *others = [madds(entry.build(1)) for entry in place.entries]
            worst = max(worst, *(100 * abs(other / first - 1) for other in others))
    assert one.tolerance_pct - worst <= 0.5


@EACH
def test_every_printed_speed_stands_in_exactly_one_place(one: Experiment) -> None:
    for platform in PLATFORMS:
        printed = [entry.printed[platform] for place in columns(one, platform) for entry in place.entries]
        assert sorted(map(repr, printed)) == sorted(map(repr, published_speeds(SHUFFLENET_V2, one.table, platform)))


# Read off the paper's pages: (experiment, platform, scale, size, row) -> printed speed.
PRINTED = {
    ("g1", "gpu", "x1", (56, 56), "1:12"): 748,
    ("g1", "arm", "x4", (56, 56), "1:2"): 5.1,
    ("g2", "gpu", "x4", (56, 56), "g=8"): 230,
    ("g2", "arm", "x2", (56, 56), "g=4"): 8.7,
    ("g3", "gpu", "x1", (56, 56), "4-fragment-series"): 752,
    ("g3", "arm", "x2", (56, 56), "4-fragment-parallel"): 8.4,
    ("g4", "gpu", "x4", (56, 56), "shortcut"): 1458,
    ("g4", "arm", "x1", (56, 56), "ReLU"): 61.9,
    ("units", "gpu", "x2", (56, 56), "Xception"): 52,
    ("units", "arm", "x1", (28, 28), "ShuffleNet v1"): 139.7,
    ("resolutions", "gpu", "40M", (320, 320), "MobileNet v2"): 187,
    ("resolutions", "arm", "500M", (480, 640), "MobileNet v2"): 0.8,
    ("resolutions", "gpu", "300M", (720, 1080), "Xception"): 124,
}


@pytest.mark.parametrize(("place", "speed"), PRINTED.items(), ids=lambda value: str(value))
def test_a_printed_speed_stands_where_the_paper_has_it(place: tuple[str, str, str, tuple[int, int], str], speed: float) -> None:
    name, platform, scale, size, row = place
    (entry,) = [entry for entry in column(EXPERIMENTS[name], platform, scale, size).entries if entry.row == row]
    assert entry.printed[platform].speed == speed


@pytest.mark.parametrize(
    ("name", "paper", "networks"),
    [
        ("g1", "arm", ["guideline1_32x32", "guideline1_22x44", "guideline1_13x78", "guideline1_9x108"]),
        ("g1", "gpu", ["guideline1_128x128", "guideline1_90x180", "guideline1_52x312", "guideline1_36x432"]),
        ("g2", "arm", ["guideline2_64_g1", "guideline2_90_g2", "guideline2_128_g4", "guideline2_184_g8"]),
        ("g4", "gpu", ["guideline4_32", "guideline4_32_no_shortcut", "guideline4_32_no_relu", "guideline4_32_no_relu_no_shortcut"]),
    ],
)
def test_a_platforms_stacks_are_those_that_the_paper_gave_it(name: str, paper: str, networks: list[str]) -> None:
    assert [entry.network for entry in column(EXPERIMENTS[name], paper, "x1").entries] == networks


def test_the_other_platforms_counterpart_is_named() -> None:
    first = column(EXPERIMENTS["g3"], "arm", "x1").entries[0]
    assert first.networks == {"arm": "guideline3_64_1-fragment", "gpu": "guideline3_128_1-fragment"}


def test_the_batch_is_one_but_for_the_smallest_networks_on_the_gpu() -> None:
    one = EXPERIMENTS["resolutions"]
    batches = {(place.scale, place.size): {entry.batch for entry in place.entries} for place in columns(one, "gpu")}
    assert batches.pop(("40M", (320, 320))) == {8}
    assert set().union(*batches.values()) == {1}
    assert {entry.batch for place in columns(one, "arm") for entry in place.entries} == {1}


@EACH
def test_every_claimed_pair_names_rows(one: Experiment) -> None:
    assert one.slower
    assert {row for pair in one.slower for row in pair} <= set(one.rows)
    assert all(slow != fast for slow, fast in one.slower)
    assert set(one.long_sizes) < set(one.sizes)


def test_a_built_entry_has_the_size_and_batch_asked_for() -> None:
    entry = column(EXPERIMENTS["resolutions"], "arm", "40M", (480, 640)).entries[2]
    assert entry.network == "mobilenet_v2_0.15x_reimpl"
    assert entry.build(2).input_shape == (2, 3, 480, 640)
    assert column(EXPERIMENTS["units"], "arm", "x1", (28, 28)).entries[0].build(3).input_shape == (3, 64, 28, 28)


def test_a_network_printed_twice_is_the_reimplementation() -> None:
    entries = column(EXPERIMENTS["resolutions"], "arm", "300M", (320, 320)).entries
    assert entries[2].network == "mobilenet_v2_1x_reimpl"


def test_unknown_names_are_refused_with_the_known_or_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown experiment 'resolution'. Did you mean 'resolutions'"):
        find_experiment("resolution")
    with pytest.raises(UnknownNameError, match=r"unknown scale of g1 '40M'. Known: x1, x2, x4"):
        columns(EXPERIMENTS["g1"], "arm", ["40M"])
    with pytest.raises(UnknownNameError, match=r"unknown input of units '224'. Known: 56, 28"):
        columns(EXPERIMENTS["units"], "arm", [], [(224, 224)])
    with pytest.raises(UnknownNameError, match=r"unknown platform of the paper 'phone'. Known: arm, gpu"):
        columns(EXPERIMENTS["g1"], "phone")
