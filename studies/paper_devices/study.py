"""How well do the two shipped profiles of the ShuffleNet v2 paper's devices predict the paper's own rows?

Run from the repository's root: python studies/paper_devices/study.py
Reads table8.csv and appendix1a.csv beside this file, writes results/*.csv, prints what it writes. Needs numpy and scipy.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls
from scipy.stats import kendalltau

from archspace.ir import Graph
from archspace.ir.ops import Add, BatchNorm2d, ChannelShuffle, Concat, Conv2d
from archspace.latency import latency_ms, load_profile, predict
from archspace.latency.fusion import ACTIVATIONS, FUSIONS, FusionRules, fused_kernels
from archspace.units import parse_size
from archspace.zoo import build

HERE = Path(__file__).parent
Array = np.ndarray
GB = 4e-9  # float32 elements -> GB
SIZE_224 = 224 * 224
OPTIONS = {"shufflenet_v1": {"groups": 3}, "mobilenet_v2": {"reimplemented": True}}


@dataclass(frozen=True)
class Row:
    """A published speed of a network that the zoo has."""

    family: str
    width: float
    input: str
    graph: Graph  # batch 1
    batch: int
    gpu_ms: float  # one batch
    arm_ms: float  # one image

    @property
    def pixels(self) -> int:
        height, width = parse_size(self.input)
        return height * width


def read_rows(name: str) -> list[Row]:
    """The rows of one of the two tables; ShuffleNet v1 is g=3 and MobileNet v2 a re-implementation, as the paper's."""
    rows = []
    with (HERE / name).open(encoding="utf-8") as file:
        for r in csv.DictReader(file):
            graph = build(r["family"], width=float(r["width"]), input=parse_size(r["input"]), **OPTIONS.get(r["family"], {}))
            gpu_ms, arm_ms = 1e3 / float(r["gpu_batches_per_s"]), 1e3 / float(r["arm_images_per_s"])
            rows.append(Row(r["family"], float(r["width"]), r["input"], graph, int(r.get("gpu_batch", 8)), gpu_ms, arm_ms))
    return rows


# Features of a row: what a fit multiplies with its coefficients.


def gpu_features(row: Row, rules: FusionRules, *, per_kernel: bool = True, only: tuple[str, ...] = (), weights: bool = True) -> list[float]:
    """1, GB of the kernels (those of op types `only`, where given), and the number of kernels."""
    kernels = fused_kernels(row.graph, rules)
    elems = sum(
        row.batch * (k.in_elems + k.out_elems) + (k.weight_elems if weights else 0) for k in kernels if not only or k.op_type in only
    )
    return [1.0, elems * GB, *([float(len(kernels))] if per_kernel else [])]


def arm_features(row: Row, *, tied: bool, scaled_constant: bool = True) -> list[float]:
    """Constant (scaled with input pixels), dense and grouped Gmadds (one column when tied), GB of depthwise convolutions."""
    kernels = fused_kernels(row.graph, "paper")
    dense = sum(k.madds for k in kernels if k.op_type in ("dense", "linear")) * 1e-9
    grouped = sum(k.madds for k in kernels if k.op_type == "grouped") * 1e-9
    depthwise = sum(k.in_elems + k.out_elems + k.weight_elems for k in kernels if k.op_type == "depthwise") * GB
    constant = row.pixels / SIZE_224 if scaled_constant else 1.0
    return [constant, dense + grouped, depthwise] if tied else [constant, dense, grouped, depthwise]


def madds_features(row: Row) -> list[float]:
    """1 and Gmadds of the batch."""
    return [1.0, row.batch * sum(k.madds for k in fused_kernels(row.graph, "none")) * 1e-9]


def memory_features(row: Row) -> list[float]:
    """1, Gmadds and GB of all ops, nothing fused: the usual FLOPs + memory model."""
    kernels = fused_kernels(row.graph, "none")
    elems = sum(row.batch * (k.in_elems + k.out_elems) + k.weight_elems for k in kernels)
    return [*madds_features(row), elems * GB]


# Fitting and judging.


def fit(features: Array, ms: Array) -> Array:
    """Non-negative least squares on relative error."""
    return nnls(features / ms[:, None], np.ones(len(ms)))[0]


def leave_family_out(features: Array, ms: Array, families: Sequence[str]) -> Array:
    """Each row predicted by a fit that has seen no member of its family."""
    names, predicted = np.array(families), np.zeros(len(ms))
    for family in set(families):
        held = names == family
        predicted[held] = features[held] @ fit(features[~held], ms[~held])
    return predicted


def mape_pct(predicted: Array, ms: Array) -> float:
    return float(100 * np.mean(np.abs(predicted / ms - 1)))


def judge(predicted: Array, ms: Array) -> dict[str, str]:
    """The three figures that a profile states."""
    within = np.mean(np.abs(predicted / ms - 1) <= 0.1)
    tau = kendalltau(predicted, ms).statistic
    return {"mape_pct": f"{mape_pct(predicted, ms):.1f}", "within_10_pct_share": f"{within:.2f}", "kendall_tau": f"{tau:.2f}"}


def by_family(predicted: Array, ms: Array, rows: Sequence[Row]) -> dict[str, str]:
    """MAPE per family."""
    names = np.array([row.family for row in rows])
    return {family: f"{mape_pct(predicted[names == family], ms[names == family]):.1f}" for family in sorted(set(names))}


# The questions, one table each.


def variants() -> dict[str, FusionRules]:
    """The readings of "tensor fusion" that were tried: what an activation, a shuffle and an add may join beyond the certain part."""
    paper = FUSIONS["paper"].follows
    certain = {**paper, **{act: paper[act] - {Concat} for act in ACTIVATIONS}, ChannelShuffle: frozenset({Concat})}
    rules = {}
    for act_joins_concat in (False, True):
        for shuffle_joins_any in (False, True):
            for add_joins_conv in (False, True):
                follows = dict(certain)
                names = ["certain"]
                if act_joins_concat:
                    follows.update({act: follows[act] | {Concat} for act in ACTIVATIONS})
                    names.append("concat+act")
                if shuffle_joins_any:
                    follows[ChannelShuffle] = paper[ChannelShuffle]
                    names.append("any+shuffle")
                if add_joins_conv:
                    follows[Add] = frozenset({Conv2d, BatchNorm2d})
                    names.append("conv+add")
                rules[" ".join(names)] = FusionRules(follows)
    return rules


def accountings(table8: list[Row], appendix: list[Row]) -> list[dict[str, str]]:
    """The shipped GPU coefficients and a refit under each reading of the fusion, on table 8 and (never fitted) appendix table 1a."""
    shipped = np.array([0.918, 8.60, 0.0075])
    ms, other_ms = np.array([r.gpu_ms for r in table8]), np.array([r.gpu_ms for r in appendix])
    out = []
    for name, rules in variants().items():
        for weights in (True, False):
            x = np.array([gpu_features(r, rules, weights=weights) for r in table8])
            y = np.array([gpu_features(r, rules, weights=weights) for r in appendix])
            c = fit(x, ms)
            out.append(
                {
                    "fusion": name,
                    "weights_counted": str(weights).lower(),
                    "shipped_table8_mape_pct": f"{mape_pct(x @ shipped, ms):.1f}",
                    "shipped_appendix1a_mape_pct": f"{mape_pct(y @ shipped, other_ms):.1f}",
                    **{f"shipped_table8_mape_pct_{key}": value for key, value in by_family(x @ shipped, ms, table8).items()},
                    "refit_constant_ms": f"{c[0]:.3f}",
                    "refit_ms_per_gb": f"{c[1]:.2f}",
                    "refit_us_per_kernel": f"{1e3 * c[2]:.1f}",
                    "refit_table8_mape_pct": f"{mape_pct(x @ c, ms):.1f}",
                    "refit_lofo_mape_pct": f"{mape_pct(leave_family_out(x, ms, [r.family for r in table8]), ms):.1f}",
                    "refit_appendix1a_mape_pct": f"{mape_pct(y @ c, other_ms):.1f}",
                }
            )
    return out


def models(table8: list[Row], appendix: list[Row]) -> list[dict[str, str]]:
    """Leave-one-family-out error of models of growing detail, and of the same refit on the rows never fitted."""
    convs = ("dense", "grouped", "depthwise", "linear")
    unfused, paper = FUSIONS["none"], FUSIONS["paper"]
    forms: list[tuple[str, str, Callable[[Row], list[float]]]] = [
        ("gtx1080ti", "constant + madds", madds_features),
        ("gtx1080ti", "constant + madds + bytes, nothing fused", memory_features),
        ("gtx1080ti", "constant + bytes of convolutions and FC", lambda r: gpu_features(r, unfused, per_kernel=False, only=convs)),
        ("gtx1080ti", "constant + bytes, nothing fused", lambda r: gpu_features(r, unfused, per_kernel=False)),
        ("gtx1080ti", "constant + bytes, fused", lambda r: gpu_features(r, paper, per_kernel=False)),
        ("gtx1080ti", "constant + bytes + kernels, fused (shipped form)", lambda r: gpu_features(r, paper)),
        ("sd810", "constant + madds", lambda r: madds_features(replace(r, batch=1))),
        ("sd810", "constant + madds + bytes, nothing fused", lambda r: memory_features(replace(r, batch=1))),
        ("sd810", "pixels + dense, grouped madds + depthwise bytes (shipped form)", lambda r: arm_features(r, tied=False)),
        ("sd810", "pixels + madds + depthwise bytes (grouped tied to dense)", lambda r: arm_features(r, tied=True)),
    ]
    families = [r.family for r in table8]
    out = []
    for device, name, features in forms:
        ms, other_ms = times(table8, device), times(appendix, device)
        x, y = np.array([features(r) for r in table8]), np.array([features(r) for r in appendix])
        c, lofo = fit(x, ms), leave_family_out(x, ms, families)
        out.append(
            {
                "device": device,
                "model": name,
                **{f"lofo_{key}": value for key, value in judge(lofo, ms).items()},
                **{f"lofo_mape_pct_{key}": value for key, value in by_family(lofo, ms, table8).items()},
                "refit": " ".join(f"{value:.4g}" for value in c),
                "refit_table8_mape_pct": f"{mape_pct(x @ c, ms):.1f}",
                "refit_appendix1a_mape_pct": f"{mape_pct(y @ c, other_ms):.1f}",
            }
        )
    return out


def times(rows: list[Row], device: str) -> Array:
    return np.array([r.gpu_ms if device == "gtx1080ti" else r.arm_ms for r in rows])


def predictions(rows: list[Row]) -> list[dict[str, str]]:
    """What the shipped profiles say of each row."""
    out = []
    for device in ("gtx1080ti", "sd810"):
        profile = load_profile(device)
        for row, ms in zip(rows, times(rows, device), strict=True):
            latency = predict(row.graph, profile, batch=row.batch if device == "gtx1080ti" else 1)
            out.append(
                {
                    "device": device,
                    "family": row.family,
                    "width": f"{row.width:g}",
                    "input": row.input,
                    "batch": str(latency.batch),
                    "kernels": str(len(latency.rows)),
                    "published_ms": f"{ms:.2f}",
                    "latency_ms": f"{latency.ms:.2f}",
                    "error_pct": f"{100 * (latency.ms / ms - 1):+.1f}",
                    "in_interval": str(bool(latency.low_ms <= ms <= latency.high_ms)).lower(),
                    "extrapolates": "; ".join(latency.extrapolates),
                }
            )
    return out


def summary(table8: list[Row], appendix: list[Row]) -> list[dict[str, str]]:
    """Errors of the shipped profiles, by table and input size, and how many published times their 80 % interval holds."""
    parts = {"table 8": table8}
    for size in dict.fromkeys(r.input for r in appendix):
        parts[f"appendix table 1a, {size}"] = [r for r in appendix if r.input == size]
    parts["appendix table 1a, all"] = appendix
    out = []
    for device in ("gtx1080ti", "sd810"):
        profile = load_profile(device)
        for name, rows in parts.items():
            ms = times(rows, device)
            predicted = np.array([latency_ms(r.graph, profile, r.batch if device == "gtx1080ti" else 1) for r in rows])
            held = np.mean(np.abs(ms / predicted - 1) <= profile.interval_pct / 100)
            bias = f"{100 * np.mean(predicted / ms - 1):+.1f}"
            counts = {"device": device, "rows": name, "networks": str(len(rows))}
            out.append(
                {**counts, **judge(predicted, ms), "bias_pct": bias, "in_80_interval": f"{held:.2f}", **by_family(predicted, ms, rows)}
            )
    return out


def write(name: str, rows: list[dict[str, str]]) -> None:
    path = HERE / "results" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"\n{path.relative_to(HERE)}\n{path.read_text(encoding='utf-8')}", end="")


def main() -> None:
    table8, appendix = read_rows("table8.csv"), read_rows("appendix1a.csv")
    write("accountings", accountings(table8, appendix))
    write("models", models(table8, appendix))
    write("predictions_table8", predictions(table8))
    write("predictions_appendix1a", predictions(appendix))
    write("summary", summary(table8, appendix))


if __name__ == "__main__":
    main()
