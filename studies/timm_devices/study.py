"""Latency profiles of five devices from timm's published tables: imports, fits, judges, and writes profiles and results.

python studies/timm_devices/study.py DIRECTORY_OF_TABLES [device...] [--alternatives]
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from devices import DEVICES, Device
from graphs import are_fused, declare_torchvision_operators, import_missing, load, read_table
from samples import Network, fitted, grouped, merged, network, spread, unseen

from archspace.latency.baselines import baselines
from archspace.latency.fit import CONSTANT, coefficients_of, predicted_ms
from archspace.latency.judge import Judged, by_family, coverage_80_share, interval_80_pct, judge
from archspace.latency.profile import DEVICES as PROFILES
from archspace.latency.profile import FitError, Profile, Ranges
from archspace.latency.profile_json import save_profile

LAST = {f"{kind}_last": kind for kind in ("dense", "pointwise", "grouped", "depthwise")}
RESULTS = Path(__file__).parent / "results"
Rows = list[dict[str, str]]


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 for wrong usage."""
    words = [word for word in arguments if word != "--alternatives"]
    if not words or any(name not in DEVICES for name in words[1:]):
        print(f"usage: study.py DIRECTORY_OF_TABLES [{' | '.join(DEVICES)} ...] [--alternatives]", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    step = compare if "--alternatives" in arguments else run
    for name in words[1:] or DEVICES:
        print(f"{name}:", *step(DEVICES[name], Path(words[0])), sep="\n  ")
    return 0


def compare(device: Device, tables: Path) -> list[str]:
    """What is lost without a part of what ships. Returns what there is to say."""
    networks, _ = read_networks(device, tables)
    ways = {"as shipped": networks}
    if device.is_gpu:
        ways["channel order not told apart"] = [merged(one, LAST) for one in networks]
        other = "torch_amp" if device.fusion == "torch_amp_2.4" else "torch_amp_2.4"
        ways["unfused attention as in the other PyTorch"] = read_networks(replace(device, fusion=other), tables)[0]
        ways["widths and orders of tensors not followed"] = read_networks(replace(device, fusion="torch_eager"), tables)[0]
        if device.fusion == "torch_amp":
            ways["no model re-parameterised"] = read_networks(device, tables, fused=False)[0]
    else:
        ways["what lies between products fused into loops"] = read_networks(replace(device, fusion="inductor"), tables)[0]
        ways["batch norm folded, else every op a kernel"] = read_networks(replace(device, fusion="folded"), tables)[0]
    every, samples = [True] * len(networks), grouped(networks, device)
    rows = [_judged(device, what, kept, unseen(grouped(kept, device), device), every) for what, kept in ways.items()]
    tenths = [replace(sample, family=str(i % 10)) for i, sample in enumerate(samples)]
    found = fitted(samples, device)
    rows.append(_judged(device, "as shipped, tenths of the networks left out instead of families", networks, unseen(tenths, device), every))
    rows.append(_judged(device, "as shipped, nothing left out", networks, [predicted_ms(s.features, found) for s in samples], every))
    replace_rows(RESULTS / "alternatives.csv", device, rows)
    return [f"{row['what']}: MAPE {row['mape_pct']} %, tau {row['kendall_tau']}" for row in rows]


def run(device: Device, tables: Path) -> list[str]:
    """Fit one device and write what came of it. Returns what there is to say."""
    networks, left_out = read_networks(device, tables)
    samples = grouped(networks, device)
    predicted, found = unseen(samples, device), fitted(samples, device)
    final = [predicted_ms(sample.features, found) for sample in samples]
    judged = judge(predicted, [s.measured_ms for s in samples], [s.family for s in samples])
    profile = make_profile(device, networks, found, predicted, judged)
    save_profile(profile, PROFILES / f"{device.name}.json", force=True)
    rows = [
        {
            "model": one.row.model,
            "img_size": str(one.row.img_size),
            "batch": str(one.row.batch),
            "family": one.sample.family,
            "kind": one.kind,
            "published_ms": f"{one.row.ms:.3f}",
            "predicted_unseen_ms": f"{p:.3f}",
            "predicted_ms": f"{f:.3f}",
        }
        for one, p, f in zip(networks, predicted, final, strict=True)
    ]
    write(RESULTS / f"{device.name}.csv", rows)
    summary = summarise(device, networks, predicted)
    replace_rows(RESULTS / "summary.csv", device, summary)
    replace_rows(RESULTS / "families.csv", device, families(device, networks, predicted))
    replace_rows(RESULTS / "noise.csv", device, noise(device, networks))
    said = [
        f"{row['what']}: MAPE {row['mape_pct']} %, within 10 % {row['within_10_pct_share']}, tau {row['kendall_tau']}" for row in summary
    ]
    return [f"{len(networks)} networks, {left_out} without a graph", *said]


def read_networks(device: Device, tables: Path, *, fused: bool | None = None) -> tuple[list[Network], int]:
    """The networks of a device's table, what is missing imported first; and how many could not be.

    `fused`: whether models were re-parameterised; the table's own numbers of parameters tell where it is not given.
    """
    (path,) = tables.glob(f"*{device.table}")
    rows = read_table(path)
    missing = [row for row in rows if not row.cached.exists()]
    if missing:
        library = declare_torchvision_operators() if find_spec("torchvision") else None
        for i, (row, told) in enumerate(import_missing(missing), 1):
            print(f"[{i}/{len(missing)}] {row.model} at {row.img_size}: {told}", file=sys.stderr)
        del library
    fused = are_fused(rows) if fused is None else fused
    networks = [network(row, graph, device) for row in rows if (graph := load(row, fused=fused)) is not None]
    return networks, len(rows) - len(networks)


def make_profile(
    device: Device, networks: Sequence[Network], found: Mapping[tuple[str, str], float], predicted: Sequence[float], judged: Judged
) -> Profile:
    """The profile as it ships."""
    measured, names = [one.row.ms for one in networks], [one.sample.family for one in networks]
    batches, pixels = [one.row.batch for one in networks], [one.row.img_size**2 for one in networks]
    coefficients = spread(networks, device, found)
    coefficients.pop(CONSTANT, None)
    repeated = noise(device, networks)[0]["mean_abs_pct"]
    return Profile(
        device=device.name,
        title=device.title,
        runtime=device.runtime,
        threads=device.threads,
        batch=sorted(batches)[len(batches) // 2],
        dtype=device.dtype,
        fusion=device.fusion,
        constant_ms=float(f"{found.get(CONSTANT, 0.0):.4g}"),
        ms_per_input_mpixel=0.0,
        coefficients=coefficients_of(coefficients),
        ranges=Ranges(
            kernels=(min(one.kernels for one in networks), max(one.kernels for one in networks)),
            madds=(min(one.madds for one in networks), max(one.madds for one in networks)),
            input_pixels=(min(pixels), max(pixels)),
            batch=(sorted(batches)[len(batches) // 20], max(batches)),  # a twentieth may lie below: a few of 1024 pixels tell nothing
            op_types=tuple(sorted({op_type for one in networks for op_type, _ in one.sample.features if op_type})),
        ),
        error=FitError(
            method="leave one family out; a family is a model's name up to its first digit or underscore",
            mape_pct=round(judged.mape_pct, 2),
            within_10_pct_share=round(judged.within_10_pct_share, 3),
            kendall_tau=round(judged.kendall_tau, 3),
            networks=judged.networks,
            families=judged.families,
            spearman=round(judged.spearman, 3),
            interval_80_pct=round(interval_80_pct(predicted, measured), 1),
            coverage_80_share=round(coverage_80_share(predicted, measured, names), 3),
        ),
        provenance="fitted from timm's published benchmark, Apache-2.0, not measured by us",
        source=f"huggingface/pytorch-image-models, results/benchmark-infer-{device.table}; studies/timm_devices",
        noise_pct=float(repeated),
    )


def summarise(device: Device, networks: Sequence[Network], predicted: Sequence[float]) -> Rows:
    """All networks, each kind apart, and the baselines."""
    by = {"all": [True] * len(networks), **{kind: [one.kind == kind for one in networks] for kind in ("CNN", "transformer", "other")}}
    rows = [_judged(device, what, networks, predicted, mask) for what, mask in by.items() if any(mask)]
    for name, baseline in baselines([one.work for one in networks]).items():
        rows.append(_judged(device, f"baseline: {name}", networks, baseline, by["all"]))
    return rows


def _judged(device: Device, what: str, networks: Sequence[Network], predicted: Sequence[float], mask: Sequence[bool]) -> dict[str, str]:
    kept = [(p, one.row.ms, one.sample.family) for p, one, keep in zip(predicted, networks, mask, strict=True) if keep]
    p, ms, names = [k[0] for k in kept], [k[1] for k in kept], [k[2] for k in kept]
    judged = judge(p, ms, names)
    return {
        "device": device.name,
        "what": what,
        "networks": str(judged.networks),
        "families": str(judged.families),
        "mape_pct": f"{judged.mape_pct:.2f}",
        "median_pct": f"{judged.median_pct:.2f}",
        "bias_pct": f"{judged.bias_pct:.2f}",
        "within_10_pct_share": f"{judged.within_10_pct_share:.3f}",
        "kendall_tau": f"{judged.kendall_tau:.3f}",
        "coverage_80_share": f"{coverage_80_share(p, ms, names):.3f}",
    }


def families(device: Device, networks: Sequence[Network], predicted: Sequence[float]) -> Rows:
    """The error of each family, the worst sums first."""
    judged = by_family(predicted, [one.row.ms for one in networks], [one.sample.family for one in networks])
    return [
        {
            "device": device.name,
            "family": name,
            "networks": str(j.networks),
            "mape_pct": f"{j.mape_pct:.1f}",
            "bias_pct": f"{j.bias_pct:.1f}",
        }
        for name, j in judged.items()
    ]


def noise(device: Device, networks: Sequence[Network]) -> Rows:
    """What the table itself says of its noise: equal graphs under two names, and sizes against the line between their neighbours."""
    equal: dict[tuple[str, int], list[float]] = defaultdict(list)
    sizes: dict[str, dict[int, float]] = defaultdict(dict)
    for one in networks:
        equal[one.graph, one.row.batch].append(one.row.ms)
        sizes[one.row.model][one.row.img_size] = one.row.ms / one.row.batch
    apart = [max(times) / min(times) - 1 for times in equal.values() if len(times) > 1]
    bent = []
    for of_size in sizes.values():
        points = [(size**2, of_size[size]) for size in sorted(of_size)]
        for (a, b), (_, c) in zip(pairwise(points), list(pairwise(points))[1:], strict=False):
            between = a[1] + (c[1] - a[1]) * (b[0] - a[0]) / (c[0] - a[0])
            bent.append(abs(b[1] / between - 1))
    return [
        {
            "device": device.name,
            "what": what,
            "count": str(len(found)),
            "mean_abs_pct": f"{100 * np.mean(found):.2f}",
            "largest_pct": f"{100 * max(found):.1f}",
        }
        for what, found in (("equal graphs under two names", apart), ("a size against the line between its neighbours", bent))
    ]


def write(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """A CSV of rows with the same keys."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def replace_rows(path: Path, device: Device, rows: Rows) -> None:
    """Put a device's rows in the place of those that a file has of it."""
    kept: Rows = []
    if path.exists():
        with path.open(encoding="utf-8") as file:
            kept = [row for row in csv.DictReader(file) if row["device"] != device.name]
    order = list(DEVICES)
    write(path, sorted([*kept, *rows], key=lambda row: order.index(row["device"])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
