"""Surveys of spaces: what is sampled, what is said of it, which space is better."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace.analysis import total_counts
from archspace.errors import BudgetError, LawError, SpaceError, UnknownNameError
from archspace.latency import load_profile, predict
from archspace.space import Space
from archspace.survey import compare_spaces, describe

SPACES = Path(__file__).parents[2] / "spaces"
V2 = SPACES / "shufflenet_v2.toml"


def small(name: str = "small", **parameters: Any) -> Space:
    """ShuffleNet v2 with as many widths as are given."""
    return Space.from_dict({"family": "shufflenet_v2", "parameters": parameters or {"width": {"choices": [0.5, 1.0]}}}, name)


def widths(*choices: float) -> dict[str, Any]:
    return {"width": {"choices": list(choices)}}


# Describing -----------------------------------------------------------------------------------------------------------------------


def test_every_sample_is_a_candidate_with_its_own_counts() -> None:
    found = describe(V2, samples=10, device="sd810")
    assert len(found.samples) == 10
    for sample in found.samples:
        graph = found.space.build(sample.options)
        counts = total_counts(graph)
        assert (sample.metrics["madds"], sample.metrics["params"], sample.metrics["mem_elems"]) == (
            counts.madds,
            counts.params,
            counts.mem_elems,
        )
        assert sample.metrics["latency_ms"] == pytest.approx(predict(graph, load_profile("sd810")).ms)


def test_the_share_within_a_budget_is_that_of_the_samples_with_its_interval() -> None:
    """table 5: half of the two networks have 40.5 M multiply-adds, half 145.8 M."""
    found = describe(small(), bounds={"madds": "100M"}, samples=200)
    assert {sample.metrics["madds"] <= 100e6 for sample in found.within} == {True}
    assert {sample.metrics["madds"] <= 100e6 for sample in found.built if not sample.feasible} == {False}
    share = found.feasible.to_dict()
    assert share["share"] == len(found.within) / 200
    assert share["low"] < 0.5 < share["high"]
    assert 0.1 < share["high"] - share["low"] < 0.15
    assert found.size.count == 2


def test_spreads_are_over_all_and_over_what_is_within() -> None:
    found = describe(small(), bounds={"madds": 100e6}, samples=60, metrics=["stage_channels"])
    (least, most) = (total_counts(found.space.build({"width": width})).madds for width in (0.5, 1.0))
    everywhere, inside = ({spread.metric: spread.values for spread in found.spreads(within=within)} for within in (False, True))
    assert (everywhere["madds"][0], everywhere["madds"][-1]) == (least, most)
    assert inside["madds"] == (least,) * 5
    assert inside["stage_channels"] == (192.0,) * 5
    assert "stage_channels" not in everywhere  # it is measured within the budget alone


def test_the_same_seed_draws_the_same_candidates_with_any_number_of_workers() -> None:
    first = describe(V2, samples=45, seed=3)
    assert describe(V2, samples=45, seed=3, workers=2).samples == first.samples
    assert describe(V2, samples=45, seed=4).samples != first.samples


def test_what_cannot_be_built_is_counted_and_the_first_reason_is_kept() -> None:
    space = Space.from_dict({"family": "shufflenet_v1", "parameters": {"groups": {"choices": [5, 3]}}}, "odd")
    found = describe(space, samples=50)
    assert 0 < found.buildable.hits < 50
    assert found.buildable.hits == len(found.built)
    assert found.problem.startswith("shufflenet_v1: table 1 has channels for groups 1, 2, 3, 4, 8, but got groups=5.")


def test_a_space_of_which_nothing_can_be_built_says_why() -> None:
    space = Space.from_dict({"family": "shufflenet_v1", "parameters": {"groups": {"choices": [5, 7]}}}, "odd")
    with pytest.raises(
        SpaceError, match=r"^odd: none of 10 random candidates can be built: shufflenet_v1: table 1 has channels for groups"
    ):
        describe(space, samples=10)


def test_a_description_is_json_with_keys_that_stay() -> None:
    data = json.loads(json.dumps(describe(V2, bounds={"madds": "60M"}, samples=30).to_dict()))
    assert set(data) == {
        "schema", "space", "family", "description", "digest", "constants", "parameters", "architectures", "bounds", "device", "seed",
        "buildable", "feasible", "first_problem", "metrics", "metrics_within", "notes",
    }  # fmt: skip
    assert data["architectures"] == {"count": 11**3 * 21 * 29**3 * 5 * 9 * 5 * 3**3 * 3**3 * 2, "continuous": [], "exact": True}
    assert data["parameters"][0] == {"name": "split_ratio", "stages": 3, "values": "3 stages: 0.25 to 0.75 by 0.05", "when": ""}
    assert set(data["metrics"]["madds"]) == {"min", "p5", "median", "p95", "max"}


def test_conditions_and_penalties_are_said_in_words() -> None:
    parameters = {p["name"]: p for p in describe(SPACES / "mixed.toml", samples=2).to_dict()["parameters"]}
    assert parameters["kernel_size"]["when"] == "unit v1, v2 or inverted"
    assert parameters["repeats"]["values"] == "2 to 4 | 2 to 5 | 2 to 5 | 2 to 5"
    notes = describe(SPACES / "fenet_lambda.toml", samples=2).notes
    assert [note.partition(": ")[0] for note in notes] == ["shift_lambda, by SSL's table 1 (56_cifar10)"] * 2
    assert notes[1].endswith("lambda 0.0005: 98.0 % stay in place (86 to 98 % by network and data set)")


# Comparing ------------------------------------------------------------------------------------------------------------------------


def test_the_space_with_the_narrower_networks_is_better_in_what_is_minimised() -> None:
    found = compare_spaces([small("narrow", **widths(0.5, 0.6, 0.7)), small("wide", **widths(0.8, 0.9, 1.0))], samples=60)
    assert list(found.metrics) == ["madds", "params"]
    for metric in found.metrics:
        (pair,) = found.pairs(metric)
        assert (pair.apart.distance, pair.better) == (1.0, "narrow")
        assert pair.verdict == "narrow dominates: nowhere behind by more than chance"
        assert pair.apart.p_value < 1e-6


def test_what_is_maximised_turns_the_order_around() -> None:
    spaces = [small("narrow", **widths(0.5, 0.6)), small("wide", **widths(0.9, 1.0))]
    found = compare_spaces(spaces, objectives=["stage_channels"], samples=40, than=[300])
    (pair,) = found.pairs("stage_channels")
    assert (pair.better, pair.apart.behind) == ("wide", 1.0)
    narrow, wide = found.rows("stage_channels")
    assert (narrow["better_than"], wide["better_than"]) == ({300: 0.0}, {300: 1.0})
    # Table 5: 192 channels at 0.5, 464 at 1.
    assert narrow["min"] == 192
    assert wide["max"] == 464


def test_equal_spaces_cannot_be_told_apart_and_spreads_cross() -> None:
    same = [small("one", **widths(0.5, 0.7, 0.9)), small("two", **widths(0.5, 0.7, 0.9))]
    assert compare_spaces(same, samples=80).pairs("madds")[0].verdict == "cannot be told apart with these samples"
    crossing = [small("ends", **widths(0.25, 2.0)), small("middle", **widths(0.9, 1.0, 1.1))]
    pair = compare_spaces(crossing, samples=80).pairs("madds")[0]
    assert pair.better == ""
    assert pair.verdict.startswith("the curves cross: ends is ahead most at ")


def test_spaces_are_compared_within_one_budget_with_as_many_members_each() -> None:
    spaces = [small("both", **widths(0.5, 2.0)), small("narrow", **widths(0.5, 0.6))]
    found = compare_spaces(spaces, bounds={"madds": "100M"}, samples=40)
    for member in found.members:
        assert member.within.hits == 40 == len(member.values("madds"))
        assert max(member.values("madds")) <= 100e6
    assert found.members[0].within.samples > 60  # half of its candidates are beyond
    assert found.members[1].within.samples == 40


def test_a_space_without_a_member_within_the_budget_names_the_nearest() -> None:
    spaces = [small("wide", **widths(2.0)), small("narrow", **widths(0.5))]
    with pytest.raises(
        BudgetError, match=r"^space wide: none of 200 random candidates meets the budget. The nearest has madds 590\.8M \(at most 100M\)"
    ):
        compare_spaces(spaces, bounds={"madds": 100e6}, samples=10)


def test_a_slow_metric_is_measured_of_members_within_the_budget_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting_objective.py").write_text(
        "seen = []\ndef nodes(graph):\n    seen.append(graph.config['width'])\n    return len(graph)\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    objective = "python:counting_objective:nodes"
    found = compare_spaces(
        [small("a", **widths(0.5, 2.0)), small("b", **widths(0.5, 0.6))], objectives=[objective], bounds={"madds": "100M"}, samples=10
    )
    import counting_objective  # type: ignore[import-not-found]

    assert len(counting_objective.seen) == 20
    assert 2.0 not in counting_objective.seen
    assert found.rows(objective)[0]["median"] == len(found.members[0].space.build({"width": 0.5}))


def test_an_objective_that_always_fails_is_said_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_objective.py").write_text("def error(graph):\n    raise ValueError('no weights')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SpaceError, match=r"^a: python:failing_objective:error cannot be measured of any sample: .*no weights"):
        compare_spaces([small("a"), small("b", **widths(0.7))], objectives=["python:failing_objective:error"], samples=3)


def test_spaces_of_one_name_are_told_apart_by_their_files_and_one_file_twice_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "space.toml" for folder in ("old", "new")]
    for path, width in zip(paths, (0.5, 1.0), strict=True):
        path.parent.mkdir()
        path.write_text(f'family = "shufflenet_v2"\n[parameters.width]\nchoices = [{width}]\n', encoding="utf-8")
    assert [member.label for member in compare_spaces(paths, samples=2).members] == [str(path) for path in paths]
    with pytest.raises(LawError, match=r"the spaces of a comparison must differ, but .*space\.toml is there 2 times"):
        compare_spaces([paths[0], paths[0]], samples=2)


def test_a_comparison_is_json_with_keys_that_stay() -> None:
    data = json.loads(json.dumps(compare_spaces([small("a"), small("b", **widths(0.7))], samples=5).to_dict()))
    assert set(data) == {"schema", "bounds", "device", "seed", "spaces", "metrics"}
    assert set(data["spaces"][0]) == {"space", "family", "digest", "within"}
    assert set(data["metrics"]["madds"]) == {"direction", "rows", "pairs"}
    assert set(data["metrics"]["madds"]["rows"][0]) == {"space", "n", "mean", "min", "p5", "median", "p95", "max", "better_than"}
    assert set(data["metrics"]["madds"]["pairs"][0]) == {"first", "second", "ks_distance", "p_value", "better", "verdict"}


# What is refused ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "law"),
    [
        (lambda: describe(V2, bounds={"mads": 1e6}), UnknownNameError, r"unknown metric 'mads'. Did you mean 'madds'\?"),
        (lambda: describe(V2, bounds={"latency_ms": "30ms"}), LawError, "latency needs a device, but none is given"),
        (lambda: describe(V2, bounds={"madds": -1}), LawError, "the bound of madds must be a number above 0, but got -1"),
        (lambda: describe(V2, bounds={"madds": True}), LawError, "the bound of madds must be a number above 0"),
        (lambda: describe(V2, bounds={"madds": "many"}), LawError, "a count is a positive number"),
        (lambda: describe(V2, samples=0), LawError, "samples must be a whole number of at least 1, but got 0"),
        (lambda: describe(V2, seed=0.5), LawError, "seed must be a whole number"),  # type: ignore[arg-type]
        (lambda: describe(V2, workers=0), LawError, "workers must be a whole number of at least 1"),
        (lambda: describe(V2, device="gtx1080"), UnknownNameError, "gtx1080ti"),
        (lambda: describe(3), LawError, "a survey takes a Space or the path of its TOML, but got int"),  # type: ignore[arg-type]
        (lambda: compare_spaces([V2]), LawError, "a comparison takes two spaces or more, but got 1"),
        (lambda: compare_spaces([V2, SPACES / "fenet.toml"], objectives=["priors"]), UnknownNameError, "unknown metric 'priors'"),
    ],
)
def test_a_survey_that_makes_no_sense_is_refused(call: Callable[[], object], error: type[Exception], law: str) -> None:
    with pytest.raises(error, match=law):
        call()
