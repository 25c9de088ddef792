"""How well does a calibration predict networks that it has not seen, on a CPU?

    python studies/latency_cpu/study.py measure folded|onnxruntime|eager   # resumable; five minutes each on an idle core
    python studies/latency_cpu/study.py shifts folded|onnxruntime|eager    # FE-Net at five shift sparsities; half a minute
    python studies/latency_cpu/study.py judge                              # from the samples; some seconds

One thread, batch 1, thread CPU time; the op benchmarks of `archspace calibrate --thorough` and 58 networks of 27 zoo families in
interleaved rounds. `measure` writes results/samples-*.csv, `judge` what follows from them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import archspace
from archspace.latency.calibration import OPS_RIDGE, Calibration, calibration, corrected
from archspace.latency.fit import CONSTANT, Sample, features_of, fit, predicted_ms
from archspace.latency.judge import Judged, judge
from archspace.latency.terms import TERMS
from archspace.timing.backends import BACKENDS, running
from archspace.timing.bench_ops import benchmarks
from archspace.timing.clock import clock_for
from archspace.timing.fitting import data_of, graphs_of, how_run
from archspace.timing.machine import device_name, package_version, slug
from archspace.timing.pages import keep_pages
from archspace.timing.samples import Conditions, append_sample, read_rows, read_samples, rounds_in
from archspace.timing.sweep import ANCHORS, FLOAT32, MORE_ANCHORS, THOROUGH, timed_networks, timed_ops
from archspace.zoo import build

RESULTS = Path(__file__).parent / "results"
ROUNDS = 15
SPARSITIES = (0.0, 0.25, 0.5, 0.9, 1.0)  # the share of channels that stay
NETWORKS = (
    "shufflenet_v1_0.5x_g3", "shufflenet_v1_1x_g3", "shufflenet_v1_1.5x_g3", "shufflenet_v1_1x_g8", "shufflenet_v1_1x_g1",
    "shufflenet_v2_0.5x", "shufflenet_v2_1x", "shufflenet_v2_1.5x", "shufflenet_v2_2x",
    "mobilenet_v1_0.25x", "mobilenet_v1_0.5x", "mobilenet_v1_0.75x", "mobilenet_v1_1x", "mobilenet_v1_1x_160",
    "mobilenet_v2_0.4x_160", "mobilenet_v2_0.75x_192", "mobilenet_v2_1x", "mobilenet_v2_1.4x",
    "xception_light_0.5x", "xception_light_1x", "xception_light_2x", "densenet_light_0.5x", "densenet_light_1x", "densenet_light_2x",
    "igcv2_0.5x", "igcv2_1x", "igcv3_d_0.7x", "igcv3_d_1x", "fenet_1x", "fenet_1.375x", "fenet_1x_dw",
    "nasnet_a_mobile", "pnasnet_5_mobile", "darts_v2", "condensenet_g4", "condensenet_g8", "densenet121", "googlenet",
    "squeezenet_1.0", "squeezenet_1.1", "shiftnet_b", "shiftnet_c", "as_resnet_w32", "as_resnet_w50", "shiftresnet_56_grouped",
    "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "resnet_like_140m", "resnet_like_38m", "resnext_like_140m", "resnext_like_38m",
    "vgg_like_140m", "vgg_like_38m", "alexnet_2014", "pvanet_imagenet", "resnet56_cifar",
)  # fmt: skip


def conditions_of(backend: str) -> Conditions:
    """What all samples of a backend have in common here."""
    package = BACKENDS[backend].package
    return Conditions(device_name("cpu"), backend, f"{package} {package_version(package)}", "cpu", 1, clock_for("cpu", 1), THOROUGH)


def file_of(conditions: Conditions) -> Path:
    """The samples of those conditions."""
    return RESULTS / f"samples-{slug(conditions.device)}-{conditions.backend}-{slug(conditions.runtime)}-1thread-batch1-float32.csv"


def measure(backend: str) -> None:
    """Time what has no sample yet: networks first, in a process whose memory is not in pieces yet."""
    conditions = conditions_of(backend)
    path = file_of(conditions)
    keep_pages()
    known = {sample.key for sample in read_samples(path, conditions)}
    with running(1):
        if any(("network", name, 1) not in known for name in NETWORKS):
            rounds = rounds_in(read_rows(path, conditions), 1)
            for sample in timed_networks(NETWORKS, conditions, 1, _report, rounds, rounds=ROUNDS):
                append_sample(path, sample, conditions)
        for sample in timed_ops(conditions, 1, known, _report):
            append_sample(path, sample, conditions)


def shifts(backend: str) -> None:
    """FE-Net at rising sparsity, in the same rounds."""
    graphs = [replace(build("fenet", shift_sparsity=sparsity), name=f"{sparsity:g}") for sparsity in SPARSITIES]
    keep_pages()
    rows = archspace.measure(graphs, backends=(backend,), progress=_report)
    path = RESULTS / f"fenet-by-sparsity-{backend}-1thread-batch1-float32.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("unshifted", "measured_ms", "noise_pct"))
        writer.writerows((row.model, f"{row.measured_ms:.4g}", f"{row.noise_pct:.2f}") for row in rows)


def _shift_rows(conditions: Conditions, fitted: Mapping[tuple[str, str], float]) -> list[dict[str, str]]:
    """What sparsity saves, predicted and measured, each against a network whose every channel moves."""
    path = RESULTS / f"fenet-by-sparsity-{conditions.backend}-1thread-batch1-float32.csv"
    if not path.exists():
        return []
    fusion, width = how_run(conditions)
    with path.open(encoding="utf-8") as file:
        found = [(row["unshifted"], float(row["measured_ms"])) for row in csv.DictReader(file)]
    times = []
    for unshifted, measured in found:
        graph = build("fenet", shift_sparsity=float(unshifted))
        features = features_of(graph, fusion=fusion, batch=1, element_bytes=FLOAT32, vector_width=width)
        times.append((unshifted, measured, predicted_ms(features, fitted)))
    _, first_measured, first_predicted = times[0]
    return [
        {
            "backend": conditions.backend,
            "unshifted": unshifted,
            "measured_ms": f"{measured:.4g}",
            "predicted_ms": f"{predicted:.4g}",
            "measured_ratio": f"{measured / first_measured:.3f}",
            "predicted_ratio": f"{predicted / first_predicted:.3f}",
        }
        for unshifted, measured, predicted in times
    ]


def _report(what: str, done: int, total: int) -> None:
    print(f"\r{what} {done}/{total}".ljust(60), end="", file=sys.stderr, flush=True)


def judged() -> None:
    """Fit every file of samples, and write what its fit is worth."""
    summary, networks, subsets, factors, shifts, layers = [], [], [], [], [], []
    for path in sorted(RESULTS.glob("samples-*.csv")):
        conditions = _conditions(path)
        samples = read_samples(path, conditions)
        graphs = graphs_of(samples)
        fusion, width = how_run(conditions)
        data = data_of(samples, graphs, fusion=fusion, vector_width=width)
        made = calibration(data.ops, data.networks, data.works)
        noise = max(s.noise_pct for s in samples if s.kind == "network")
        for name, found in (("archspace", made.unseen), ("op benchmarks alone", made.ops_alone), *made.baselines.items()):
            summary.append({"backend": conditions.backend, "model": name, **_figures(found), "noise_pct": f"{noise:.2f}"})
        summary[-5] |= {"interval_80_pct": f"{made.interval_80_pct:.1f}", "coverage_80": f"{made.coverage_80_share:.3f}"}
        networks += _network_rows(conditions.backend, data.networks, made)
        subsets += _subsets(conditions.backend, data.ops, data.networks)
        factors += _factors(conditions.backend, data.ops, data.networks)
        shifts += _shift_rows(conditions, made.fitted)
        layers += [
            {
                "backend": conditions.backend,
                "layer": op.name,
                "measured_us": f"{1e3 * op.measured_ms:.1f}",
                "predicted_us": f"{predicted:.1f}",
            }
            for op in data.ops
            if op.name.startswith("sparseshift")
            for predicted in [1e3 * (predicted_ms(op.features, made.fitted) - made.fitted[CONSTANT])]
        ]
    _write("summary.csv", summary)
    _write("networks.csv", networks)
    _write("smaller.csv", subsets)
    _write("factors.csv", factors)
    _write("shifts.csv", shifts)
    _write("shift-layers.csv", layers)


def _conditions(path: Path) -> Conditions:
    with path.open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    names = [name for name in Conditions.__dataclass_fields__ if name != "threads"]
    return Conditions(threads=int(row["threads"]), **{name: row[name] for name in names})


def _figures(found: Judged) -> dict[str, str]:
    return {
        "mape_pct": f"{found.mape_pct:.1f}",
        "median_pct": f"{found.median_pct:.1f}",
        "bias_pct": f"{found.bias_pct:+.1f}",
        "within_10_pct": f"{found.within_10_pct_share:.2f}",
        "spearman": f"{found.spearman:.3f}",
        "kendall_tau": f"{found.kendall_tau:.3f}",
        "networks": str(found.networks),
        "families": str(found.families),
    }


def _network_rows(backend: str, networks: Sequence[Sample], made: Calibration) -> list[dict[str, str]]:
    return [
        {
            "backend": backend,
            "network": network.name,
            "family": network.family,
            "measured_ms": f"{network.measured_ms:.4g}",
            "predicted_unseen_ms": f"{made.predicted_ms[network.name]:.4g}",
            "error_pct": f"{made.residuals_pct[network.name]:+.1f}",
            "inside_interval": str(abs(network.measured_ms / made.predicted_ms[network.name] - 1) * 100 <= made.interval_80_pct),
        }
        for network in networks
    ]


def _subsets(backend: str, ops: Sequence[Sample], networks: Sequence[Sample]) -> list[dict[str, str]]:
    """What `archspace calibrate` has: fewer op benchmarks, fewer networks; judged on the networks of families that it has not."""
    default = {graph.name for graph in benchmarks()}
    rows = []
    for name, chosen in (("default", ANCHORS), ("thorough", MORE_ANCHORS)):
        some = [op for op in ops if name == "thorough" or op.name in default]
        seen = [network for network in networks if network.name in chosen]
        families = {network.family for network in seen}
        unseen = [network for network in networks if network.family not in families]
        fitted = corrected(fit(some, ridge=OPS_RIDGE), seen)
        found = judge([predicted_ms(n.features, fitted) for n in unseen], [n.measured_ms for n in unseen], [n.family for n in unseen])
        rows.append({"backend": backend, "sweep": name, "ops": str(len(some)), "seen": str(len(seen)), **_figures(found)})
    return rows


def _factors(backend: str, ops: Sequence[Sample], networks: Sequence[Sample]) -> list[dict[str, str]]:
    """By how much the networks correct what the op benchmarks say, by op type."""
    by_ops = fit(ops, ridge=OPS_RIDGE)
    fitted = corrected(by_ops, networks)
    kinds = sorted({op_type for op_type, _ in by_ops if op_type})
    rows = [{"backend": backend, "op_type": "constant_ms", "factor": f"{fitted[CONSTANT]:.3f}"}]
    for kind in kinds:
        pairs = [(fitted[kind, name], by_ops[kind, name]) for name in TERMS if by_ops.get((kind, name))]
        rows += [{"backend": backend, "op_type": kind, "factor": f"{after / before:.2f}"} for after, before in pairs[:1]]
    return rows


def _write(name: str, rows: Sequence[Mapping[str, str]]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (RESULTS / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(name)
    for row in rows:
        print("  " + "  ".join(str(value) for value in row.values()))


def main(part: str, *arguments: str) -> None:
    """Run one part."""
    if part in ("measure", "shifts") and len(arguments) == 1 and arguments[0] in BACKENDS:
        {"measure": measure, "shifts": shifts}[part](arguments[0])
    elif part == "judge" and not arguments:
        judged()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])
