"""Calibration: a made-up machine is found again, what was interrupted goes on, what does not fit together is refused."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from archspace.errors import FileError, LawError, UnknownNameError
from archspace.latency import load_profile, predict
from archspace.latency.fit import features_of, predicted_ms
from archspace.latency.fusion import fused_kernels
from archspace.latency.op_types import OP_TYPE_NAMES, op_type
from archspace.timing import calibrating as calibrate_verb
from archspace.timing import sweep
from archspace.timing.backends import Runner
from archspace.timing.bench_ops import benchmarks
from archspace.timing.calibrating import NoisyMachineWarning, calibrate, kept
from archspace.timing.fitting import data_of, graphs_of, how_run, profile_of
from archspace.timing.samples import Conditions, Key, TimedGraph, append_sample, read_samples
from archspace.timing.sweep import ANCHORS, BACKEND_RUNS, MORE_ANCHORS, copies_of
from archspace.zoo import build, resolve

CONDITIONS = Conditions("a bench", "folded", "torch 1", "cpu", 1, "thread", "default")
US, GMADDS, GB = "us_per_kernel", "ms_per_gmadd", "ms_per_gb_in"
MACHINE = {
    **{(name, US): 5.0 for name in OP_TYPE_NAMES},
    **{(name, GMADDS): 20.0 for name in OP_TYPE_NAMES},
    **{(name, GB): 60.0 for name in OP_TYPE_NAMES},
}


def made_up_ms(graph: Any, batch: int) -> float:
    """What the made-up machine takes."""
    return predicted_ms(features_of(graph, fusion="folded", batch=batch, element_bytes=4), MACHINE)


@dataclass
class Machine:
    """Stands in for the clocks: counts what is timed, and may be interrupted."""

    noise_pct: float = 1.0
    breaks_after: int | None = None
    timed: int = 0

    def ops(self, conditions: Conditions, batch: int, known: Collection[Key], report: Any) -> Iterator[TimedGraph]:
        for graph in benchmarks(batch):
            if ("op", graph.name, batch) not in known:
                self._count()
                yield TimedGraph("op", graph.name, "", batch, made_up_ms(graph, batch), 1.0, self.noise_pct)

    def networks(
        self, names: Sequence[str], conditions: Conditions, batch: int, report: Any, kept: Mapping[tuple[str, int], float]
    ) -> Iterator[TimedGraph]:
        for name in names:
            self._count()
            ms = made_up_ms(build(name, batch=batch), batch)
            yield TimedGraph("network", name, resolve(name)[0], batch, ms, 1.0, self.noise_pct)

    def _count(self) -> None:
        if self.timed == self.breaks_after:
            raise KeyboardInterrupt
        self.timed += 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(calibrate_verb, "timed_ops", found.ops)
    monkeypatch.setattr(calibrate_verb, "timed_networks", found.networks)
    return found


def test_a_made_up_machine_is_found_again(machine: Machine, tmp_path: Path) -> None:
    made = calibrate(tmp_path / "mine.json")
    assert made.fit.unseen.mape_pct < 0.5
    assert made.fit.unseen.networks == made.fit.unseen.families == len(ANCHORS)
    assert min(judged.mape_pct for judged in made.fit.baselines.values()) > 5 * made.fit.unseen.mape_pct
    profile = load_profile(tmp_path / "mine.json")
    assert (profile.device, profile.backend, profile.on, profile.batch, profile.fusion) == ("mine", "folded", "cpu", 1, "folded")
    assert profile.samples == "mine.csv"
    assert set(profile.residuals_pct) == set(ANCHORS)
    for name in ("igcv2_1x", "mobilenet_v2_1x"):
        assert predict(build(name), profile).ms == pytest.approx(made_up_ms(build(name), 1), rel=0.02)


def test_several_batches_are_calibrated_at_once(machine: Machine, tmp_path: Path) -> None:
    calibrate(tmp_path / "mine.json", batches=(1, 8))
    profile = load_profile(tmp_path / "mine.json")
    assert (profile.batch, profile.ranges.batch) == (1, (1, 8))
    assert machine.timed == 2 * (len(benchmarks()) + len(ANCHORS))
    graph = build("shufflenet_v2_1x")
    for batch in (1, 8):
        latency = predict(graph, profile, batch=batch)
        assert latency.ms == pytest.approx(made_up_ms(graph, batch), rel=0.02)
        assert not any("batch" in reason for reason in latency.extrapolates)
    assert "batch 16, fitted at 1 to 8" in predict(graph, profile, batch=16).extrapolates


def test_an_interrupted_calibration_goes_on_where_it_stopped(machine: Machine, tmp_path: Path) -> None:
    machine.breaks_after = len(ANCHORS) + 40
    with pytest.raises(KeyboardInterrupt):
        calibrate(tmp_path / "mine.json")
    assert not (tmp_path / "mine.json").exists()
    with (tmp_path / "mine.csv").open("a", encoding="utf-8") as file:
        file.write("op,conv3x3g1_half_a_li")  # it was killed inside a line
    machine.breaks_after, machine.timed = None, 0
    made = calibrate(tmp_path / "mine.json")
    assert made.resumed == len(ANCHORS) + 40
    assert machine.timed == len(benchmarks()) - 40
    assert made.samples == len(ANCHORS) + len(benchmarks())


@dataclass
class Clocks:
    """Stands in for the rounds: the first network takes 2 ms in round 1, 3 ms in round 2, ..., the next a ms more.

    `breaks_in` is the round inside which the machine is interrupted.
    """

    breaks_in: int = 0
    before: int = 0  # rounds of an earlier run
    rounds: int = 0  # of this one

    def endless(self, calls: Sequence[Any], clock: Any) -> Iterator[tuple[float, ...]]:
        while True:
            if self.before + self.rounds + 1 == self.breaks_in:
                raise KeyboardInterrupt
            self.rounds += 1
            ms = 1.0 + self.before + self.rounds
            yield tuple(ms + place for place, _ in enumerate(calls))


def test_finished_rounds_of_the_networks_are_kept_and_only_missing_ones_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("resnet_like_13m", "vgg_like_38m")
    monkeypatch.setattr(sweep, "ANCHORS", names)
    monkeypatch.setattr(calibrate_verb, "timed_ops", Machine().ops)
    monkeypatch.setattr(sweep, "runner", lambda *words, **options: Runner(lambda: None))
    clocks = Clocks(breaks_in=6)
    monkeypatch.setattr(sweep, "endless_rounds", clocks.endless)
    with pytest.raises(KeyboardInterrupt):
        calibrate(tmp_path / "mine.json")
    assert (clocks.rounds, kept(tmp_path / "mine.json")) == (5, "5 rounds of the networks")
    path = tmp_path / "mine.csv"
    half = path.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")[0] + "\n"
    path.write_text(half, encoding="utf-8")  # round 5 has the first network alone, as if it was killed in between
    assert kept(tmp_path / "mine.json") == "4 rounds of the networks"
    clocks = Clocks(before=4)
    monkeypatch.setattr(sweep, "endless_rounds", clocks.endless)
    made = calibrate(tmp_path / "mine.json")
    assert clocks.rounds == sweep.ROUNDS - 4
    assert (made.resumed, made.resumed_rounds) == (0, 4)
    networks = {s.name: s.measured_ms for s in read_samples(path, conditions_in(path)) if s.kind == "network"}
    middle = 1.0 + (sweep.ROUNDS + 1) / 2  # the median of 2, 3, ... ms, an odd number of rounds
    assert networks == {names[0]: middle, names[1]: middle + 1}
    assert kept(tmp_path / "mine.json") == f"2 networks, {len(benchmarks())} op benchmarks"


def test_a_calibration_without_samples_has_kept_nothing(tmp_path: Path) -> None:
    assert kept(tmp_path / "mine.json") == ""


def test_samples_of_other_conditions_are_refused_with_what_differs(machine: Machine, tmp_path: Path) -> None:
    machine.breaks_after = 12
    with pytest.raises(KeyboardInterrupt):
        calibrate(tmp_path / "mine.json")
    machine.breaks_after = None
    with pytest.raises(
        FileError, match=r"mine.csv: holds samples of another calibration \(backend folded, not eager\)\. Name another"
    ) as caught:
        calibrate(tmp_path / "mine.json", backend="eager")
    assert "\n" not in str(caught.value)


def test_force_drops_samples_of_other_conditions_and_an_interruption_of_it_goes_on(machine: Machine, tmp_path: Path) -> None:
    machine.breaks_after = 12
    with pytest.raises(KeyboardInterrupt):
        calibrate(tmp_path / "mine.json", backend="eager")
    machine.breaks_after, machine.timed = 20, 0
    with pytest.raises(KeyboardInterrupt):
        calibrate(tmp_path / "mine.json", force=True)
    machine.breaks_after, machine.timed = None, 0
    assert calibrate(tmp_path / "mine.json", force=True).resumed == 20
    assert machine.timed == len(benchmarks()) + len(ANCHORS) - 20


def test_nothing_is_overwritten_unasked_and_force_begins_anew(machine: Machine, tmp_path: Path) -> None:
    calibrate(tmp_path / "mine.json")
    with pytest.raises(FileError, match="exists already"):
        calibrate(tmp_path / "mine.json")
    machine.timed = 0
    assert calibrate(tmp_path / "mine.json", force=True).resumed == 0
    assert machine.timed == len(benchmarks()) + len(ANCHORS)


def test_a_noisy_machine_is_warned_of(machine: Machine, tmp_path: Path) -> None:
    machine.noise_pct = 6.5
    with pytest.warns(NoisyMachineWarning, match=r"times repeat within 6\.5 % only"):
        made = calibrate(tmp_path / "mine.json")
    assert (made.noise_pct, made.profile.noise_pct) == (6.5, 6.5)
    machine.noise_pct = 5.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(tmp_path / "quiet.json")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batches": (0,)}, LawError, "batches must be at least 1 each, but got 0"),
        ({"batches": ()}, LawError, "batches must be at least 1 each, but got none"),
        ({"threads": 0}, LawError, "threads must be at least 1, but got 0"),
        ({"backend": "foldet"}, UnknownNameError, "unknown backend 'foldet'. Did you mean 'folded'"),
        ({"on": "cuda"}, LawError, "needs a GPU and a torch built for it"),
    ],
)
def test_what_is_no_calibration_is_refused(machine: Machine, options: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message.replace("(", r"\(")):
        calibrate(tmp_path / "mine.json", **options)
    assert machine.timed == 0


def test_a_profile_is_a_json_file(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"a device profile is a \.json file\. Name it so: mine\.json"):
        calibrate(tmp_path / "mine.csv")


def test_a_file_of_something_else_is_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(FileError, match="samples have the columns kind, name"):
        read_samples(path, CONDITIONS)


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    samples = (TimedGraph("op", "relu", "", 1, 0.125, 2.0, 1.5), TimedGraph("network", "resnet18", "resnet", 8, 40.5, 1.0, 0.5))
    for sample in samples:
        append_sample(tmp_path / "s.csv", sample, CONDITIONS)
    assert read_samples(tmp_path / "s.csv", CONDITIONS) == samples
    again = replace(samples[0], measured_ms=0.25)
    append_sample(tmp_path / "s.csv", again, CONDITIONS)
    assert read_samples(tmp_path / "s.csv", CONDITIONS) == (again, samples[1])


def test_every_benchmark_has_a_name_of_its_own_and_one_op_type() -> None:
    every, default = benchmarks(thorough=True), benchmarks()
    assert len({graph.name for graph in every}) == len(every)
    for graph in every:
        assert len({kernel.op_type for kernel in fused_kernels(graph, "folded")}) == 1
    types = [{op_type(graph.nodes[-1].op) for graph in those} for those in (every, default)]
    assert types[0] == types[1]
    assert len(default) < 0.75 * len(every)
    assert {graph.name for graph in default} <= {graph.name for graph in every}


def test_the_anchors_have_the_op_types_that_benchmarks_price() -> None:
    priced = {op_type(graph.nodes[-1].op) for graph in benchmarks()}
    for name in MORE_ANCHORS:
        assert {kernel.op_type for kernel in fused_kernels(build(name), "folded")} - priced <= {"movement"}, name
    assert len({resolve(name)[0] for name in ANCHORS}) == len(ANCHORS) == 8


def test_copies_outgrow_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "cache_bytes", lambda level: {2: 1 << 20, 3: 8 << 20}[level])
    graph = next(g for g in benchmarks() if g.name == "add_64_56_56")
    tensors = 3 * 64 * 56 * 56 * 4
    assert copies_of(graph, "folded") == -(-2 * (8 << 20) // tensors)
    assert copies_of(graph, "onnxruntime") == sweep.LEAST_COPIES  # 2 MiB are outgrown sooner


def test_every_backend_has_its_fusion_rules() -> None:
    graph = build("shufflenet_v2_0.5x")
    for backend, runs in BACKEND_RUNS.items():
        for bits in (512, 256, 128, None):
            assert fused_kernels(graph, runs.fusion(bits)), backend
    assert {BACKEND_RUNS["onnxruntime"].fusion(bits) for bits in (512, 256, 128)} == {
        "onnxruntime",
        "onnxruntime_avx2",
        "onnxruntime_plain",
    }


def test_a_profile_needs_two_families_of_networks() -> None:
    graph = benchmarks()[0]
    samples = [TimedGraph("op", graph.name, "", 1, 1.0, 1.0, 1.0), TimedGraph("network", "resnet18", "resnet", 1, 40.0, 1.0, 1.0)]
    with pytest.raises(LawError, match="at least 2 families, but got 1"):
        profile_of("mine", samples, CONDITIONS)


def test_networks_at_several_batches_are_told_apart() -> None:
    samples = [TimedGraph("network", "resnet18", "resnet", batch, 40.0, 1.0, 1.0) for batch in (1, 8)]
    data = data_of(samples, graphs_of(samples), fusion=how_run(CONDITIONS)[0], vector_width=None)
    assert [network.name for network in data.networks] == ["resnet18 at batch 1", "resnet18 at batch 8"]


def test_a_real_calibration_of_two_networks_and_a_few_ops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    few = [g for g in benchmarks() if g.name in ("conv1x1g1_58_58_28", "conv3x3g58_58_58_28", "linear_512_128", "relu_464_7_7")]
    monkeypatch.setattr(sweep, "benchmarks", lambda batch, *, thorough: few)
    monkeypatch.setattr(sweep, "ANCHORS", ("resnet_like_13m", "vgg_like_38m"))
    monkeypatch.setattr(sweep, "ROUNDS", 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoisyMachineWarning)  # the machine of the tests may be one
        made = calibrate(tmp_path / "mine.json", backend="onnxruntime")
    samples = read_samples(tmp_path / "mine.csv", conditions_in(tmp_path / "mine.csv"))
    assert {s.name for s in samples} == {"resnet_like_13m", "vgg_like_38m", *[g.name for g in few]}
    assert all(s.measured_ms > 0 for s in samples)
    assert predict(build("resnet_like_38m"), made.profile).ms > 0


def conditions_in(path: Path) -> Conditions:
    """The conditions that a file of samples names."""
    with path.open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    return Conditions(**{f.name: int(row[f.name]) if f.name == "threads" else row[f.name] for f in fields(Conditions)})
