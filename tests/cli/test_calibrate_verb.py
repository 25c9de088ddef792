"""`archspace calibrate` as a user types it, on a machine that stands in for this one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from archspace.latency.fit import features_of, predicted_ms
from archspace.latency.op_types import OP_TYPE_NAMES
from archspace.timing import calibrating as calibrate_verb
from archspace.timing.bench_ops import benchmarks
from archspace.timing.samples import Conditions, Key, TimedGraph, round_sample
from archspace.zoo import build, resolve

Archspace = Callable[..., Any]
COEFFICIENTS = {(name, term): value for name in OP_TYPE_NAMES for term, value in (("us_per_kernel", 5.0), ("ms_per_gmadd", 20.0))}
NOISE_PCT = 7.5


def sample(kind: str, name: str, graph: Any, batch: int) -> TimedGraph:
    ms = predicted_ms(features_of(graph, fusion="folded", batch=batch, element_bytes=4), COEFFICIENTS)
    return TimedGraph(kind, name, resolve(name)[0] if kind == "network" else "", batch, ms, 1.0, NOISE_PCT)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ops(conditions: Conditions, batch: int, known: Collection[Key], report: Any) -> Iterator[TimedGraph]:
        return iter([sample("op", graph.name, graph, batch) for graph in benchmarks(batch)])

    def networks(names: Sequence[str], conditions: Conditions, batch: int, report: Any, kept: Any) -> Iterator[TimedGraph]:
        return iter([sample("network", name, build(name, batch=batch), batch) for name in names])

    monkeypatch.setattr(calibrate_verb, "timed_ops", ops)
    monkeypatch.setattr(calibrate_verb, "timed_networks", networks)
    monkeypatch.chdir(tmp_path)


def test_the_table_has_the_error_the_baselines_the_interval_and_the_noise(archspace: Archspace) -> None:
    code, out, err = archspace("calibrate", "-o", "mine.json")
    assert code == 0
    for name in ("mine", "op benchmarks alone", "FLOPs ", "FLOPs + memory", "max-roofline", "mobilenet_v2_1x"):
        assert any(line.startswith(name) for line in out.splitlines()), name
    assert f"noise floor {NOISE_PCT} %" in out
    assert "80 % interval" in out
    assert f"warning: times repeat within {NOISE_PCT} % only" in err
    assert "wrote mine.json and mine.csv. Use it: --device mine.json" in err
    assert all(len(line) <= 110 for line in out.splitlines())


def test_the_new_profile_is_a_device_everywhere(archspace: Archspace) -> None:
    archspace("calibrate", "-o", "mine.json")
    code, out, err = archspace("latency", "shufflenet_v2", "--device", "mine.json", "--format", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["device"] == "mine"
    assert archspace("analyze", "shufflenet_v2", "--device", "mine.json").code == 0


def test_json_is_the_profile_and_what_the_fit_is_worth(archspace: Archspace) -> None:
    _, out, _ = archspace("calibrate", "-o", "mine.json", "--batch", "1,8", "--format", "json")
    told = json.loads(out)
    written = json.loads(Path("mine.json").read_text(encoding="utf-8"))
    assert told["profile"] == written
    assert told["noise_pct"] == NOISE_PCT
    assert set(told["mape_pct"]) == {"fitted", "op benchmarks alone", "FLOPs", "FLOPs + memory", "max-roofline"}
    assert {row["network"] for row in told["networks"]} >= {"resnet18 at batch 1", "resnet18 at batch 8"}
    assert told["warnings"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch", "0"), "a batch must have at least 1 image, but got '0'"),
        (("--batch", "1,-8"), "a batch must have at least 1 image, but got '1,-8'"),
        (("--batch", "two"), "--batch takes whole numbers, as 1 or 1,8,32, but got 'two'"),
        (("--threads", "0"), "0 is not in the range 1<=x<=1024"),
        (("--backend", "tensorrt"), "'tensorrt' is not one of"),
        (("--on", "cuda"), "needs a GPU"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(archspace: Archspace, words: tuple[str, ...], message: str) -> None:
    code, out, err = archspace("calibrate", "-o", "mine.json", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("mine.json").exists()


def test_an_interruption_says_what_is_kept_and_the_same_command_goes_on(archspace: Archspace, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_on = calibrate_verb.timed_networks

    def broken(names: Sequence[str], conditions: Conditions, batch: int, report: Any, kept: Any) -> Iterator[TimedGraph]:
        for number in range(1, 4):
            if number == breaks_in:
                raise KeyboardInterrupt
            yield from [round_sample(name, "", batch, number, 1.0) for name in names]

    breaks_in = 1
    monkeypatch.setattr(calibrate_verb, "timed_networks", broken)
    said = "archspace: interrupted: nothing was timed yet. The same command begins again.\n"
    assert archspace("calibrate", "-o", "mine.json") == (2, "", said)
    breaks_in = 3
    said = "archspace: interrupted: mine.csv keeps 2 rounds of the networks. The same command goes on from there.\n"
    assert archspace("calibrate", "-o", "mine.json") == (2, "", said)
    assert not Path("mine.json").exists()
    monkeypatch.setattr(calibrate_verb, "timed_networks", measure_on)
    code, _, err = archspace("calibrate", "-o", "mine.json")
    assert code == 0
    assert "went on from 2 rounds of the networks\n" in err


def test_a_taken_name_needs_force(archspace: Archspace) -> None:
    archspace("calibrate", "-o", "mine.json")
    code, _, err = archspace("calibrate", "-o", "mine.json")
    assert code == 2
    assert "exists already" in err
    assert archspace("calibrate", "-o", "mine.json", "--force").code == 0
