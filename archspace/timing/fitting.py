"""From timed graphs to a device profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archspace.ir.graph import Graph
from archspace.latency.baselines import Work, work_of
from archspace.latency.calibration import Calibration, calibration
from archspace.latency.fit import CONSTANT, Sample, coefficients_of, features_of
from archspace.latency.fusion import fused_kernels
from archspace.latency.judge import Judged
from archspace.latency.profile import FitError, Profile, Ranges
from archspace.timing.bench_ops import benchmarks
from archspace.timing.machine import vector_bits
from archspace.timing.samples import Conditions, Key, TimedGraph
from archspace.timing.sweep import BACKEND_RUNS, FLOAT32
from archspace.zoo import build

METHOD = "leave one family out"
CLOCK_NAMES = {"thread": "CPU time of one thread", "wall": "wall-clock time", "events": "CUDA events"}


@dataclass(frozen=True, slots=True)
class Data:
    """Timed graphs as a fit takes them: op benchmarks, networks, and the networks as the baselines see them."""

    ops: tuple[Sample, ...]
    networks: tuple[Sample, ...]
    works: tuple[Work, ...]


def graphs_of(samples: Sequence[TimedGraph]) -> dict[Key, Graph]:
    """The graph of each sample."""
    ops = {
        batch: {graph.name: graph for graph in benchmarks(batch, thorough=True)} for batch in {s.batch for s in samples if s.kind == "op"}
    }
    return {s.key: ops[s.batch][s.name] if s.kind == "op" else build(s.name, batch=s.batch) for s in samples}


def data_of(samples: Sequence[TimedGraph], graphs: Mapping[Key, Graph], *, fusion: str, vector_width: int | None) -> Data:
    """The features of timed graphs; a network at several batches is named apart: 'resnet18 at batch 8'."""
    several = len({s.batch for s in samples}) > 1
    found: dict[str, list[Sample]] = {"op": [], "network": []}
    for s in samples:
        name = f"{s.name} at batch {s.batch}" if several else s.name
        features = features_of(graphs[s.key], fusion=fusion, batch=s.batch, element_bytes=FLOAT32, vector_width=vector_width)
        found[s.kind].append(Sample(name, s.family, s.measured_ms, features))
    networks = [s for s in samples if s.kind == "network"]
    works = [work_of(graphs[s.key], s.measured_ms, family=s.family, batch=s.batch, element_bytes=FLOAT32) for s in networks]
    return Data(tuple(found["op"]), tuple(found["network"]), tuple(works))


def how_run(conditions: Conditions) -> tuple[str, int | None]:
    """The fusion rules of what ran them, and the vector width in float32 elements where a CPU did."""
    bits = vector_bits() if conditions.on == "cpu" else None
    return BACKEND_RUNS[conditions.backend].fusion(bits), bits // (8 * FLOAT32) if bits else None


def profile_of(device: str, samples: Sequence[TimedGraph], conditions: Conditions) -> tuple[Profile, Calibration]:
    """The profile of timed graphs, and the fit that it comes from. The first sample's batch is its own.

    Raises LawError for samples without op benchmarks or with networks of fewer than two families.
    """
    fusion, width = how_run(conditions)
    graphs = graphs_of(samples)
    data = data_of(samples, graphs, fusion=fusion, vector_width=width)
    fit = calibration(data.ops, data.networks, data.works)
    networks = [s for s in samples if s.kind == "network"]
    threads = f"{conditions.threads} thread{'s' if conditions.threads > 1 else ''}, "
    counted = f"{len(data.ops)} op benchmarks and {len(networks)} networks"
    profile = Profile(
        device=device,
        title=conditions.device,
        runtime=f"{conditions.backend}, {conditions.runtime}",
        threads=conditions.threads if conditions.on == "cpu" else None,
        batch=samples[0].batch,
        dtype="float32",
        fusion=fusion,
        constant_ms=float(f"{fit.fitted[CONSTANT]:.4g}"),
        ms_per_input_mpixel=0.0,
        coefficients=coefficients_of(fit.fitted),
        ranges=_ranges(samples, graphs, fusion),
        error=error_of(fit.unseen, interval_80_pct=fit.interval_80_pct, coverage_80_share=fit.coverage_80_share),
        provenance=f"calibrated by {counted}: {threads if conditions.on == 'cpu' else ''}{CLOCK_NAMES[conditions.clock]}",
        source="archspace calibrate",
        vector_width=width,
        backend=conditions.backend,
        on=conditions.on,
        noise_pct=round(noise_pct(samples), 2),
        residuals_pct={name: round(pct, 2) for name, pct in fit.residuals_pct.items()},
    )
    return profile, fit


def noise_pct(samples: Sequence[TimedGraph]) -> float:
    """The noise floor of the networks; of several batches the largest."""
    return max(s.noise_pct for s in samples if s.kind == "network")


def error_of(unseen: Judged, *, interval_80_pct: float, coverage_80_share: float) -> FitError:
    """What a profile says of its error."""
    return FitError(
        METHOD,
        round(unseen.mape_pct, 2),
        round(unseen.within_10_pct_share, 4),
        round(unseen.kendall_tau, 4),
        unseen.networks,
        unseen.families,
        round(unseen.spearman, 4),
        round(interval_80_pct, 2),
        round(coverage_80_share, 4),
    )


def _ranges(samples: Sequence[TimedGraph], graphs: Mapping[Key, Graph], fusion: str) -> Ranges:
    kernels = {s.key: fused_kernels(graphs[s.key], fusion) for s in samples}
    networks = [s for s in samples if s.kind == "network"]
    counts = [len(kernels[s.key]) for s in networks]
    madds = [sum(kernel.madds for kernel in kernels[s.key]) / s.batch for s in networks]
    pixels = [graphs[s.key].input_shape[2] * graphs[s.key].input_shape[3] for s in networks]
    batches = [s.batch for s in networks]
    return Ranges(
        (min(counts), max(counts)),
        (min(madds), max(madds)),
        (min(pixels), max(pixels)),
        (min(batches), max(batches)),
        tuple(sorted({kernel.op_type for found in kernels.values() for kernel in found})),
    )
