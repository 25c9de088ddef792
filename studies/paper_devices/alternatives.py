"""What else could have shipped: the baselines, the forms less their parts, other readings of fusion, other tiles."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from data import Data, by_size, mape_pct
from forms import ALL, BYTES, FORMS, PRODUCTS, Form, fitted, sample, unseen, without

from archspace.ir.ops import Add, BatchNorm2d, ChannelShuffle, Concat, Conv2d
from archspace.latency.baselines import baselines, work_of
from archspace.latency.fit import CONSTANT, predicted_ms
from archspace.latency.fusion import ACTIVATIONS, FUSIONS, FusionRules
from archspace.latency.judge import judge
from archspace.latency.tiles import Tile


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
