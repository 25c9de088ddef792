"""How well do the shipped profiles of the ShuffleNet v2 paper's two devices predict networks that their fit has not seen?

Run from the repository's root: python studies/paper_devices/study.py [--write]
Reads the published speeds that come with archspace, writes results/*.csv and prints them; with --write also the two profiles,
archspace/latency/devices/{gtx1080ti,sd810}.json. Needs numpy and scipy; deterministic, about a minute.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from alternatives import forms, fusions, tiles
from data import SIZES, Data
from forms import FORMS, coefficients, kernels_of, sample, unseen
from rows import Row, networks, units

from archspace.latency import latency_ms, predict
from archspace.latency.fit import CONSTANT
from archspace.latency.judge import by_family, coverage_80_share, interval_80_pct, judge
from archspace.latency.profile import DEVICES, FitError, Profile, Ranges
from archspace.latency.profile_json import save_profile

HERE = Path(__file__).parent
METHOD = "leave one family out"
ABOUT = {
    "gtx1080ti": {
        "title": "NVIDIA GeForce GTX 1080 Ti",
        "runtime": "cuDNN 7.0 in the authors' library, tensor fusion on",
        "threads": None,
        "batch": 8,
    },
    "sd810": {
        "title": "Qualcomm Snapdragon 810",
        "runtime": "the authors' Neon-based library",
        "threads": 1,
        "batch": 1,
        "vector_width": 4,
    },
}
PROVENANCE = (
    "fitted from the paper's table, not measured by us: the times of 33 networks of table 8 and of the 51 stacks of tables 1 to 4. "
    "The stated error is on networks whose family the fit has not seen. See studies/paper_devices."
)
SOURCE = "Ma et al., ShuffleNet V2 (ECCV 2018), tables 1 to 4 and table 8"


# The profiles.


def profile(data: Data) -> Profile:
    """The device's profile from its form's fit; its error is that on families that a fit has not seen."""
    form, predicted = FORMS[data.device], data.unseen(FORMS[data.device])
    found = data.fit(form)
    judged = judge(predicted, data.ms, data.families)
    kernels = {row.name: kernels_of(row, form) for row in data.networks}
    madds = [sum(kernel.madds for kernel in of_row) for of_row in kernels.values()]
    pixels = [row.graph.input_shape[2] * row.graph.input_shape[3] for row in data.networks]
    counts = [len(of_row) for of_row in kernels.values()]
    types = {kernel.op_type for of_row in kernels.values() for kernel in of_row}
    return Profile(
        device=data.device,
        dtype="float32",
        fusion="paper",
        constant_ms=float(f"{found.get(CONSTANT, 0.0):.4g}"),
        ms_per_input_mpixel=0.0,
        coefficients=coefficients(form, found),
        ranges=Ranges((min(counts), max(counts)), (min(madds), max(madds)), (min(pixels), max(pixels)), op_types=tuple(sorted(types))),
        error=FitError(
            METHOD,
            round(judged.mape_pct, 1),
            round(judged.within_10_pct_share, 2),
            round(judged.kendall_tau, 2),
            judged.networks,
            judged.families,
            round(judged.spearman, 2),
            round(interval_80_pct(predicted, data.ms), 1),
            round(coverage_80_share(predicted, data.ms, data.families), 2),
        ),
        provenance=PROVENANCE,
        source=SOURCE,
        residuals_pct={row.name: round(100 * (p / row.ms - 1), 1) for p, row in zip(predicted, data.networks, strict=True)},
        tile=form.tile,
        **ABOUT[data.device],
    )


# The questions, one table each.


def of_families(data: Data) -> list[dict[str, str]]:
    """Unseen error per family, worst first."""
    judged = by_family(data.unseen(FORMS[data.device]), data.ms, data.families)
    return [
        {
            "device": data.device,
            "family": family,
            "networks": str(one.networks),
            "mape_pct": f"{one.mape_pct:.1f}",
            "bias_pct": f"{one.bias_pct:+.1f}",
        }
        for family, one in judged.items()
    ]


def predictions(data: Data, shipped: Profile) -> list[dict[str, str]]:
    """What the profile says of each published time of a network; `unseen_ms` is by a fit without its family."""
    of_unseen = {row.name: p for p, row in zip(data.unseen(FORMS[data.device]), data.networks, strict=True)}
    out = []
    for table, rows in (("table 8", [*data.networks, *data.cells]), ("appendix table 1a", data.appendix)):
        for row in rows:
            latency = predict(row.graph, shipped, batch=row.batch)
            other = of_unseen.get(row.name) if table == "table 8" else None
            out.append(
                {
                    "device": data.device,
                    "table": table,
                    "member": row.name,
                    "input": row.input,
                    "batch": str(row.batch),
                    "kernels": str(len(latency.rows)),
                    "published_ms": f"{row.ms:.2f}",
                    "latency_ms": f"{latency.ms:.2f}",
                    "error_pct": f"{100 * (latency.ms / row.ms - 1):+.1f}",
                    "unseen_ms": f"{other:.2f}" if other else "",
                    "unseen_error_pct": f"{100 * (other / row.ms - 1):+.1f}" if other else "",
                    "extrapolates": "; ".join(latency.extrapolates),
                }
            )
    return out


def summary(data: Data, shipped: Profile) -> list[dict[str, str]]:
    """The bars, and what the shipped profile gets on everything else that is printed of the device."""
    form, out = FORMS[data.device], []
    of_unseen = list(data.unseen(form))
    latency = {id(row): latency_ms(row.graph, shipped, row.batch) for row in [*data.networks, *data.cells, *data.appendix]}

    def add(name: str, predicted: Sequence[float], rows: Sequence[Row]) -> None:
        judged = judge(predicted, [row.ms for row in rows], [row.family for row in rows])
        out.append(
            {
                "device": data.device,
                "rows": name,
                "networks": str(len(rows)),
                "mape_pct": f"{judged.mape_pct:.1f}",
                "within_10_pct_share": f"{judged.within_10_pct_share:.2f}",
                "kendall_tau": f"{judged.kendall_tau:.2f}",
                "bias_pct": f"{judged.bias_pct:+.1f}",
            }
        )

    add("table 8 without cells, families unseen", of_unseen, data.networks)
    by_name = {row.name: p for p, row in zip(of_unseen, data.networks, strict=True)}
    twice = networks(data.device, cells=False, twice=True)
    renamed = [by_name.get(row.name) or by_name[f"{row.name}_reimpl"] for row in twice]
    add("table 8 without cells, families unseen, rows printed twice counted twice", renamed, twice)
    both = [*data.networks, *data.cells]
    add("table 8 with cells, families unseen", [*of_unseen, *[latency[id(row)] for row in data.cells]], both)
    with_cells = unseen(form, [sample(row, form) for row in both], data.stack_samples(form))
    add("table 8 with cells, families unseen, cells in the fit", with_cells, both)
    add("table 8 without cells, as shipped", [latency[id(row)] for row in data.networks], data.networks)
    for row in data.cells:
        add(f"{row.name}, as shipped (extrapolates)", [latency[id(row)]], [row])
    for size in SIZES:
        rows = [row for row in data.appendix if row.input == size]
        add(f"appendix table 1a, {size}, as shipped", [latency[id(row)] for row in rows], rows)
    constant = shipped.constant_ms
    of_stacks = [latency_ms(row.graph, shipped, 1) - constant for row in data.stacks]
    add("stacks of tables 1 to 4, as shipped less the constant", of_stacks, data.stacks)
    for batch in (1, 8) if data.device == "gtx1080ti" else (1,):
        rows = units(data.device, 10, batch)
        name = f"appendix table 1b, ten ShuffleNet v2 units, batch {batch}, as shipped less the constant"
        add(name, [latency_ms(row.graph, shipped, batch) - constant for row in rows], rows)
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
    data = [Data(device) for device in FORMS]
    profiles = [profile(one) for one in data]
    if "--write" in sys.argv[1:]:
        for one in profiles:
            save_profile(one, DEVICES / f"{one.device}.json", force=True)
    write("summary", [row for one, shipped in zip(data, profiles, strict=True) for row in summary(one, shipped)])
    write("families", [row for one in data for row in of_families(one)])
    write("forms", [row for one in data for row in forms(one)])
    write("fusions", [row for one in data for row in fusions(one)])
    write("tiles-gtx1080ti", tiles(data[0]))
    write("predictions", [row for one, shipped in zip(data, profiles, strict=True) for row in predictions(one, shipped)])


if __name__ == "__main__":
    main()
