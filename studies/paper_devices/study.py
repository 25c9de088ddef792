"""How well do the shipped profiles of the ShuffleNet v2 paper's two devices predict networks that their fit has not seen?

Run from the repository's root: python studies/paper_devices/study.py [--write]
Reads the published speeds that come with archspace, writes results/*.csv and prints them; with --write also the two profiles,
archspace/latency/devices/{gtx1080ti,sd810}.json. Needs numpy and scipy; deterministic, about a minute.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from forms import ALL, BYTES, CONSTANT, FORMS, PRODUCTS, Form, coefficients, fitted, kernels_of, sample, unseen, without
from rows import CELLS, Row, appendix, networks, stacks, units

from archspace.ir.ops import Add, BatchNorm2d, ChannelShuffle, Concat, Conv2d
from archspace.latency import latency_ms, predict
from archspace.latency.baselines import baselines, work_of
from archspace.latency.fit import Feature, predicted_ms
from archspace.latency.fusion import ACTIVATIONS, FUSIONS, FusionRules
from archspace.latency.judge import by_family, coverage_80_share, interval_80_pct, judge
from archspace.latency.profile import DEVICES, FitError, Profile, Ranges
from archspace.latency.profile_json import save_profile
from archspace.latency.tiles import Tile

HERE = Path(__file__).parent
SIZES = ("320x320", "480x640", "720x1080")
METHOD = "leave one family out"
ABOUT = {
    "gtx1080ti": {
        "title": "NVIDIA GeForce GTX 1080 Ti",
        "runtime": "cuDNN 7.0 in the authors' library, tensor fusion on",
        "threads": None,
        "batch": 8,
    },
    "sd810": {"title": "Qualcomm Snapdragon 810", "runtime": "the authors' Neon-based library", "threads": 1, "batch": 1, "vector_width": 4},
}
SOURCE = "Ma et al., ShuffleNet V2 (ECCV 2018), tables 1 to 4 and table 8"


class Data:
    """The published times of a device, by what they are for."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.networks = networks(device, cells=False)
        self.cells = [row for row in networks(device, cells=True) if row.family in CELLS]
        self.stacks = stacks(device)
        self.appendix = appendix(device)
        self.ms = [row.ms for row in self.networks]
        self.families = [row.family for row in self.networks]

    def fit(self, form: Form) -> dict[Feature, float]:
        """The form's coefficients from all networks but the cells, and the stacks."""
        return fitted(form, [sample(row, form) for row in self.networks], self.stack_samples(form))

    def unseen(self, form: Form) -> tuple[float, ...]:
        """The networks, each family unseen by the fit."""
        return unseen(form, [sample(row, form) for row in self.networks], self.stack_samples(form))

    def stack_samples(self, form: Form) -> list:
        return [sample(row, form, whole=False) for row in self.stacks]


def mape_pct(predicted: Sequence[float], rows: Sequence[Row]) -> float:
    return float(100 * np.mean([abs(p / row.ms - 1) for p, row in zip(predicted, rows, strict=True)]))


def by_size(predicted: Sequence[float], rows: Sequence[Row]) -> list[float]:
    """MAPE of each input size of the appendix."""
    parts = [[(p, row) for p, row in zip(predicted, rows, strict=True) if row.input == size] for size in SIZES]
    return [mape_pct([p for p, _ in part], [row for _, row in part]) for part in parts]


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
        provenance="fitted from the paper's table, not measured by us: the times of 33 networks of table 8 and of the 51 stacks of tables 1 "
        "to 4. The stated error is on networks whose family the fit has not seen. See studies/paper_devices.",
        source=SOURCE,
        residuals_pct={row.name: round(100 * (p / row.ms - 1), 1) for p, row in zip(predicted, data.networks, strict=True)},
        tile=form.tile,
        **ABOUT[data.device],
    )


# The questions, one table each.


def figures(data: Data, form: Form) -> dict[str, str]:
    """How a form does: on unseen families, on the stacks it was fitted with, and on the appendix, which no fit has seen."""
    judged = judge(data.unseen(form), data.ms, data.families)
    found = data.fit(form)
    of_stacks = [predicted_ms(one.features, found) for one in data.stack_samples(form)]
    of_appendix = [predicted_ms(sample(row, form).features, found) for row in data.appendix]
    return {
        "lofo_mape_pct": f"{judged.mape_pct:.1f}",
        "within_10_pct_share": f"{judged.within_10_pct_share:.2f}",
        "kendall_tau": f"{judged.kendall_tau:.2f}",
        "bias_pct": f"{judged.bias_pct:+.1f}",
        "stacks_mape_pct": f"{mape_pct(of_stacks, data.stacks):.1f}",
        "appendix1a_mape_pct": f"{np.mean(by_size(of_appendix, data.appendix)):.1f}",
        "fitted": " ".join(f"{value:.4g}" for value in found.values()),
    }


def forms(data: Data) -> list[dict[str, str]]:
    """The shipped form, the baselines, and the form less each of its parts."""
    form = FORMS[data.device]
    out = []
    works = [work_of(row.graph, row.ms, family=row.family, batch=row.batch, element_bytes=4) for row in data.networks]
    for name, predicted in baselines(works).items():
        judged = judge(predicted, data.ms, data.families)
        out.append(
            {
                "device": data.device,
                "form": f"{name} (networks alone, nothing fused)",
                "lofo_mape_pct": f"{judged.mape_pct:.1f}",
                "within_10_pct_share": f"{judged.within_10_pct_share:.2f}",
                "kendall_tau": f"{judged.kendall_tau:.2f}",
                "bias_pct": f"{judged.bias_pct:+.1f}",
            }
        )
    plain = {"kernels": (ALL, ("us_per_kernel",)), "bytes": (ALL, BYTES)}
    variants = {"shipped": form, "nothing fused": replace(form, fusion=FUSIONS["none"]), "networks alone": replace(form, with_stacks=False)}
    variants |= {f"without {name}": without(form, name) for name in (*form.columns, *(["constant"] if form.whole else []))}
    variants["constant, kernels, bytes, networks alone (as shipped before)"] = Form(plain, (CONSTANT,), with_stacks=False)
    if data.device == "gtx1080ti":
        madds = {**form.columns, "madds in tiles": (PRODUCTS, ("ms_per_gmadd",))}
        variants["madds as they are, no tiles"] = replace(form, columns=madds)
        one = Tile(128, 1, 64, 1)
        variants["tiles in channels alone, no waves"] = replace(form, tile=one)
        variants["tiles, no waves"] = replace(form, tile=replace(one, rows=128))
        variants["tiles and waves, no startup"] = replace(form, tile=replace(form.tile, startup_depth=0))
        variants["two tiles of 128x64 at once"] = replace(form, tile=replace(form.tile, rows=64, processors=56))
    else:
        variants["with a constant"] = replace(form, whole=(CONSTANT,))
        variants["depthwise by all its bytes"] = replace(form, columns={**form.columns, "bytes read by depthwise": (("depthwise",), BYTES)})
        variants["1x1 and larger kernels alike"] = replace(
            form, columns={**without(form, "madds of kernels above 1x1").columns, "madds": (PRODUCTS, ("ms_per_gmadd",))}
        )
        grouped = {**form.columns, "madds": (("pointwise", "linear"), ("ms_per_gmadd",)), "grouped": (("grouped",), ("ms_per_gmadd",))}
        variants["grouped madds apart"] = replace(form, columns=grouped)
    out += [{"device": data.device, "form": name, **figures(data, variant)} for name, variant in variants.items()]
    return out


def fusions(data: Data) -> list[dict[str, str]]:
    """Readings of "tensor fusion": what an activation, a shuffle and an add may join beyond the certain part."""
    paper = dict(FUSIONS["paper"].follows)
    certain = {**{kind: joined for kind, joined in paper.items() if kind is not Add}, ChannelShuffle: frozenset({Concat})}
    out = []
    for concat_act, any_shuffle, conv_add in product((False, True), repeat=3):
        follows = dict(certain)
        names = ["certain"]
        if concat_act:
            follows |= {act: follows[act] | {Concat} for act in ACTIVATIONS}
            names.append("concat+act")
        if any_shuffle:
            follows[ChannelShuffle] = paper[ChannelShuffle]
            names.append("any+shuffle")
        if conv_add:
            follows[Add] = frozenset({Conv2d, BatchNorm2d})
            names.append("conv+add")
        form = replace(FORMS[data.device], fusion=FusionRules(follows))
        out.append({"device": data.device, "fusion": " ".join(names), **figures(data, form)})
    return out


def tiles(data: Data) -> list[dict[str, str]]:
    """The GPU's tile, varied; and what is lost when a family's tile is chosen without that family (the last two rows)."""
    shipped = FORMS[data.device].tile
    grid = [Tile(*sizes) for sizes in product((64, 128), (64, 128), (1, 32, 64, 96, 128), (1, 28, 56))]
    of_hardware = [tile for tile in grid if replace(tile, startup_depth=shipped.startup_depth) == shipped]
    families, ms, out = np.array(data.families), np.array(data.ms), []
    choices = {"all four chosen by the other families": grid, "startup_depth chosen by the other families": of_hardware}
    chosen = {name: np.zeros(len(ms)) for name in choices}
    best = {(name, family): np.inf for name in choices for family in data.families}
    for tile in grid:
        form = replace(FORMS[data.device], tile=tile)
        of_rows, of_stacks = [sample(row, form) for row in data.networks], data.stack_samples(form)
        errors = np.abs(np.array(unseen(form, of_rows, of_stacks)) / ms - 1)
        figures_of = {"outputs": tile.outputs, "rows": tile.rows, "startup_depth": tile.startup_depth, "processors": tile.processors}
        out.append({**{key: str(value) for key, value in figures_of.items()}, "lofo_mape_pct": f"{100 * errors.mean():.1f}"})
        for family in dict.fromkeys(data.families):
            kept = [one for one in of_rows if one.family != family]
            inner = np.array(unseen(form, kept, of_stacks))
            error = float(np.mean(np.abs(inner / ms[families != family] - 1)))
            found = fitted(form, kept, of_stacks)
            for name, among in choices.items():
                if tile in among and error < best[name, family]:
                    best[name, family] = error
                    chosen[name][families == family] = [predicted_ms(one.features, found) for one in of_rows if one.family == family]
    out += [{"outputs": name, "lofo_mape_pct": f"{100 * np.mean(np.abs(predicted / ms - 1)):.1f}"} for name, predicted in chosen.items()]
    return out


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
    twice = [row for row in networks(data.device, cells=False, twice=True)]
    renamed = [by_name.get(row.name) or by_name[f"{row.name}_reimpl"] for row in twice]
    add("table 8 without cells, families unseen, rows printed twice counted twice", renamed, twice)
    both = [*data.networks, *data.cells]
    add("table 8 with cells, families unseen", [*of_unseen, *[latency[id(row)] for row in data.cells]], both)
    add("table 8 with cells, families unseen, cells in the fit", unseen(form, [sample(row, form) for row in both], data.stack_samples(form)), both)
    add("table 8 without cells, as shipped", [latency[id(row)] for row in data.networks], data.networks)
    for row in data.cells:
        add(f"{row.name}, as shipped (extrapolates)", [latency[id(row)]], [row])
    for size in SIZES:
        rows = [row for row in data.appendix if row.input == size]
        add(f"appendix table 1a, {size}, as shipped", [latency[id(row)] for row in rows], rows)
    constant = shipped.constant_ms
    add("stacks of tables 1 to 4, as shipped less the constant", [latency_ms(r.graph, shipped, 1) - constant for r in data.stacks], data.stacks)
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
