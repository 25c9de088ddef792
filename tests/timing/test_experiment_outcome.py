"""What follows from an experiment's times: ratios, speeds, verdicts, agreement; with times that are given, none that are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import pytest
from scipy.stats import kendalltau
from standing_in import StandIn

from archspace.errors import LawError, UnknownNameError
from archspace.timing import experiment_run
from archspace.timing.agreement import Tally, rank_agreement, sign, tally
from archspace.timing.experiment_run import experiment
from archspace.timing.outcome import Outcome

ROWS = ("1:1", "1:2", "1:6", "1:12")  # of table 1
X1 = {"scales": ["x1"]}


def run(monkeypatch: pytest.MonkeyPatch, ms: Mapping[str, float], name: str = "g1", noise_pct: float = 1.0, **options: Any) -> Outcome:
    """The outcome where every row takes the same in every round."""
    monkeypatch.setattr(experiment_run, "measure", StandIn(lambda row, backend: [ms[row]] * 5, noise_pct))
    return experiment(name, **options)


def test_ratios_and_speeds_follow_from_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, {"1:1": 2.0, "1:2": 3.0, "1:6": 5.0, "1:12": 1.0}, **X1)
    (timed,) = outcome.columns
    assert [cell.ratio for cell in timed.cells] == [1.0, 1.5, 2.5, 0.5]
    assert [cell.speed for cell in timed.cells] == [500.0, pytest.approx(333.33, abs=0.01), 200.0, 1000.0]  # 1000 ms / ms
    assert [cell.printed["arm"] for cell in timed.cells] == [76.2, 72.9, 69.1, 57.6]  # table 1, x1
    assert timed.cells[3].printed_ratio == {"arm": 76.2 / 57.6, "gpu": 1480 / 748}


def test_a_ratio_is_the_median_of_the_ratios_inside_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    # The machine slows down from round to round; in each, 1:2 takes 10 % more, but for one round that was disturbed.
    rounds: dict[str, Sequence[float]] = {"1:1": (1, 2, 4, 8, 16), "1:2": (1.1, 2.2, 4.4, 8.8, 99)}
    monkeypatch.setattr(experiment_run, "measure", StandIn(lambda row, backend: rounds.get(row, rounds["1:1"])))
    (timed,) = experiment("g1", scales=["x1"]).columns
    assert timed.cells[1].ratio == pytest.approx(1.1)


def test_images_a_second_count_the_batch_and_batches_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ms = dict.fromkeys(ROWS, 4.0)
    assert run(monkeypatch, ms, batch=8, **X1).columns[0].cells[0].speed == 8 * 250
    assert run(monkeypatch, ms, batch=8, on="cuda", **X1).columns[0].cells[0].speed == 250


@pytest.mark.parametrize(
    ("ms", "here", "word"),
    [
        ((1, 2, 3, 4), Tally(6, 0, 0), "holds"),
        ((4, 3, 2, 1), Tally(0, 0, 6), "is the other way round"),
        ((1, 1.001, 1.002, 1.003), Tally(0, 6, 0), "makes no difference beyond the noise"),
        ((2, 1, 3, 4), Tally(5, 0, 1), "mostly holds"),
        ((2, 1, 4, 3), Tally(4, 0, 2), "mostly holds"),
        ((3, 4, 1, 2), Tally(2, 0, 4), "is the other way round"),
        ((2, 4, 1, 3), Tally(3, 0, 3), "holds in part"),
        ((1, 1.005, 2, 3), Tally(5, 1, 0), "holds"),
    ],
)
def test_the_claim_is_held_against_each_pair_and_ties_are_what_the_noise_hides(
    ms: tuple[float, ...], here: Tally, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (verdict,) = run(monkeypatch, dict(zip(ROWS, ms, strict=True)), **X1).verdicts
    assert verdict.here == here
    assert verdict.here.word == word
    assert verdict.paper == {"arm": Tally(6, 0, 0), "gpu": Tally(6, 0, 0)}  # table 1, x1: slower from row to row on both


def test_numbers_that_the_paper_prints_alike_are_ties_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ("1-fragment", "2-fragment-series", "4-fragment-series", "2-fragment-parallel", "4-fragment-parallel")
    (verdict,) = run(monkeypatch, dict.fromkeys(rows, 1.0), "g3", scales=["x2"]).verdicts
    # Table 3, ARM, c = 128: 10.1, 10.1, 10.1, 9.1, 8.4 images/s.
    assert verdict.paper["arm"] == Tally(held=3, tied=3, broken=0)


def test_pairs_are_of_the_paper_s_claim_and_not_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    ms = {"ShuffleNet v2": 2.0, "ShuffleNet v1": 9.0, "MobileNet v2": 3.0, "Xception": 1.0}
    (verdict,) = run(monkeypatch, ms, "units", scales=["x1"], inputs=[(56, 56)]).verdicts
    assert verdict.here == Tally(held=2, tied=0, broken=1)  # Xception's unit is faster


def test_the_time_of_one_multiply_add_takes_out_what_rounding_channels_left(monkeypatch: pytest.MonkeyPatch) -> None:
    # (22, 44) has 60.7 M multiply-adds where (32, 32) has 64.2 M: 968 / 1024. As many fewer ms are no difference in their speed.
    ms = {"1:1": 1.024, "1:2": 0.968, "1:6": 13 * 78 / 1000, "1:12": 9 * 108 / 1000}
    (verdict,) = run(monkeypatch, ms, **X1).verdicts
    assert verdict.per_madd == Tally(held=0, tied=6, broken=0)
    assert verdict.here.tied < 6


def test_agreement_is_kendalls_tau_b_inside_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    ms = {"1:1": 1.0, "1:2": 3.0, "1:6": 2.0, "1:12": 3.0}
    (verdict,) = run(monkeypatch, ms, **X1).verdicts
    expected = kendalltau(list(ms.values()), [-76.2, -72.9, -69.1, -57.6]).statistic
    assert verdict.agreement["arm"] == pytest.approx(expected)
    assert expected == pytest.approx((4 - 1) / sqrt(5 * 6))  # one pair is tied here, one the other way round


def test_pairs_of_different_columns_are_not_compared() -> None:
    def sooner(a: int, b: int) -> int:
        return a - b

    assert rank_agreement([[1, 2], [20, 10]], sooner, sooner) == 1.0
    assert rank_agreement([[1, 2], [3, 3]], sooner, lambda a, b: b - a) == -1.0
    assert rank_agreement([[1], [2]], sooner, sooner) is None


def test_a_difference_is_one_beyond_the_noise_whichever_way_round() -> None:
    assert [sign(ratio, noise_pct=5) for ratio in (1.04, 1 / 1.04, 1.06, 1 / 1.06)] == [0, 0, 1, -1]
    assert tally([]) == Tally(0, 0, 0)


def test_mean_ratios_are_geometric_over_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 2, 2, 2, 1, 8, 8, 8])
    monkeypatch.setattr(experiment_run, "measure", StandIn(lambda row, backend: [next(times)] * 5))
    (verdict,) = experiment("g1", scales=["x1", "x2"]).verdicts
    assert verdict.ratios["here"] == {"1:1": 1.0, "1:2": pytest.approx(4.0), "1:6": pytest.approx(4.0), "1:12": pytest.approx(4.0)}
    assert verdict.ratios["arm"]["1:12"] == pytest.approx(sqrt(76.2 / 57.6 * 21.7 / 15.1))


def test_every_backend_has_its_own_ratios_and_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    ms = {"eager": (1.0, 2.0, 3.0, 4.0), "onnxruntime": (8.0, 4.0, 2.0, 1.0)}
    monkeypatch.setattr(experiment_run, "measure", StandIn(lambda row, backend: [ms[backend][ROWS.index(row)]] * 5))
    outcome = experiment("g1", scales=["x1"], backends=("eager", "onnxruntime"))
    assert [cell.ratio for cell in outcome.columns[0].of("onnxruntime")] == [1.0, 0.5, 0.25, 0.125]
    assert [(verdict.backend, verdict.here) for verdict in outcome.verdicts] == [("eager", Tally(6, 0, 0)), ("onnxruntime", Tally(0, 0, 6))]
    assert outcome.missing == 0


def test_what_a_backend_could_not_run_is_missing_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment_run, "measure", StandIn(lambda row, backend: None if row == "1:6" else [1.0 + ROWS.index(row)] * 5))
    outcome = experiment("g1", scales=["x1"])
    assert outcome.missing == 1
    assert outcome.verdicts[0].here == Tally(3, 0, 0)  # of six pairs, three are without 1:6
    assert set(outcome.verdicts[0].ratios["here"]) == {"1:1", "1:2", "1:12"}


def test_without_the_first_row_there_are_no_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment_run, "measure", StandIn(lambda row, backend: None if row == "1:1" else [2.0] * 5))
    outcome = experiment("g1", scales=["x1"])
    assert [cell.ratio for cell in outcome.columns[0].cells] == [None, None, None]
    assert outcome.verdicts[0].ratios == {"here": {}, "arm": {}, "gpu": {}}
    assert outcome.verdicts[0].here.pairs == 3


def test_long_inputs_are_left_out_on_a_cpu_alone_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ms = dict.fromkeys(("ShuffleNet v2", "ShuffleNet v1", "MobileNet v2", "Xception"), 1.0)
    small = {"scales": ["40M"]}

    def sizes(**options: Any) -> tuple[int, int]:
        outcome = run(monkeypatch, ms, "resolutions", **small, **options)
        return len(outcome.columns), len(outcome.left_out)

    assert sizes() == (2, 1)
    assert sizes(full=True) == sizes(on="cuda") == (3, 0)
    assert sizes(inputs=[(720, 1080)]) == (1, 0)


def test_the_paper_s_batch_and_channels_follow_the_device_unless_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = StandIn(lambda row, backend: [1.0] * 5)
    monkeypatch.setattr(experiment_run, "measure", stand_in)
    experiment("resolutions", scales=["40M"], inputs=[(320, 320)])
    experiment("resolutions", scales=["40M"], inputs=[(320, 320)], on="cuda")
    experiment("g1", **X1)
    experiment("g1", on="cuda", **X1)
    experiment("g1", paper="gpu", batch=2, **X1)
    assert [asked["shapes"][0] for asked in stand_in.asked] == [
        (1, 3, 320, 320),
        (8, 3, 320, 320),
        (1, 32, 56, 56),
        (1, 128, 56, 56),
        (2, 128, 56, 56),
    ]


def test_seconds_are_shared_by_the_columns_and_progress_runs_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = StandIn(lambda row, backend: [1.0] * 5)
    monkeypatch.setattr(experiment_run, "measure", stand_in)
    told: list[tuple[str, int, int]] = []
    experiment("g1", scales=["x1", "x4"], seconds=10, progress=lambda *what: told.append(what))
    assert [asked["seconds"] for asked in stand_in.asked] == [5, 5]
    assert told == [
        ("x1, 56: preparing", 0, 200),
        ("x1, 56: rounds", 25, 200),
        ("x1, 56: rounds", 100, 200),
        ("x4, 56: preparing", 100, 200),
        ("x4, 56: rounds", 125, 200),
        ("x4, 56: rounds", 200, 200),
    ]


def test_the_records_are_flat_and_the_json_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, {"1:1": 2.0, "1:2": 3.0, "1:6": 5.0, "1:12": 7.0}, **X1)
    first, second, *_ = outcome.records()
    assert (first["ratio"], second["ratio"], second["unit"], second["arm_speed"], second["gpu_ratio"]) == (
        1,
        1.5,
        "images/s",
        72.9,
        1.14198,
    )
    assert (second["madds"], second["network"], second["noise_pct"]) == (10 * 2 * 22 * 44 * 56 * 56, "guideline1_22x44", 1.0)
    data = outcome.to_dict()
    assert data["rows"] == outcome.records()
    assert data["verdicts"][0]["here"] == {"held": 6, "tied": 0, "broken": 0}
    assert data["verdicts"][0]["verdict"] == "holds"


def test_a_batch_of_none_and_unknown_names_are_refused() -> None:
    with pytest.raises(LawError, match="the batch must be at least 1, but got 0"):
        experiment("g1", batch=0)
    with pytest.raises(UnknownNameError, match=r"unknown experiment 'g9'"):
        experiment("g9")
    with pytest.raises(UnknownNameError, match=r"unknown backend 'egaer'. Did you mean 'eager'"):
        experiment("g4", scales=["x1"], backends=["egaer"])
    with pytest.raises(UnknownNameError, match=r"unknown device to measure on 'tpu'"):
        experiment("g4", scales=["x1"], on="tpu")


def test_a_tiny_real_run_has_every_row_and_positive_times() -> None:
    outcome = experiment("g4", scales=["x1"], rounds=4)
    assert [cell.row for cell in outcome.columns[0].cells] == list(outcome.experiment.rows)
    assert all(cell.measured.measured_ms > 0 for cell in outcome.columns[0].cells)
    assert outcome.verdicts[0].here.pairs == 5
