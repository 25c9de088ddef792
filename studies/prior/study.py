"""What do published results say of a network's ImageNet error? Fits the prior, judges it on unseen families, writes results and prior.json.

python studies/prior/study.py RESULTS_IMAGENET_CSV GRAPHS [--forms] [--write]
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from fit import Fitted, Form, Unseen, fit, leave_family_out, tag_of, value_of
from forms import BASELINES, compare
from judge import BANDS, coverage_80, in_band, judge, mae_pct, quantile, spearman, width_without
from rows import PAPERS, TIMM, Row, families, paper_rows, timm_rows, weighted
from tables import RECIPES, REFERENCE

from archspace.accuracy import NAMES
from archspace.accuracy.model import PRIOR_JSON, VERSION

RESULTS = Path(__file__).parent / "results"
SOURCES = (
    "archspace/zoo/published/networks.csv: top-1 errors that papers and authors' repositories print of the zoo's networks",
    "timm's results-imagenet.csv (Apache-2.0), as of 2026-08: convolutional networks trained on ImageNet-1k alone",
)
Lines = list[dict[str, str]]


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 for wrong usage."""
    words = [word for word in arguments if not word.startswith("--")]
    if len(words) != 2 or not all(Path(word).exists() for word in words):
        print("usage: study.py RESULTS_IMAGENET_CSV GRAPHS [--forms] [--write]", file=sys.stderr)
        return 2
    of_timm, why = timm_rows(Path(words[0]), Path(words[1]))
    rows = weighted([*paper_rows(), *of_timm])
    form = Form()
    fitted, unseen = fit(rows, form), leave_family_out(rows, form)
    baselines = {name: leave_family_out(rows, Form(features=(name,))) for name in BASELINES}
    write("rows", row_lines(rows, fitted, unseen, baselines))
    write("bands", band_lines(rows, form, unseen, baselines))
    write("families", family_lines(rows, form, unseen))
    write("recipes", recipe_lines(rows, fitted))
    write("left_out", [{"reason": reason, "rows": str(times)} for reason, times in sorted(why.items(), key=lambda one: -one[1])])
    if "--forms" in arguments:
        write("forms", list(compare(rows)))
    if "--write" in arguments:
        PRIOR_JSON.write_text(as_text(to_json(rows, fitted, unseen, baselines)), encoding="utf-8")
        print(f"wrote {PRIOR_JSON}")
    return 0


def predicted(form: Form, unseen: Sequence[Unseen]) -> list[float]:
    """The errors that held-out predictions stand for, training and all."""
    return [form.floor_pct + float(np.exp(min(5.0, one.network + one.recipe))) for one in unseen]


def row_lines(rows: Sequence[Row], fitted: Fitted, unseen: Sequence[Unseen], baselines: Mapping[str, Sequence[Unseen]]) -> Lines:
    """Every row: what was published, the features, what the fit says of it, and what one without its family does."""
    form = fitted.form
    errors = {"": predicted(form, unseen)} | {f"_{name.removeprefix('log_')}": predicted(form, own) for name, own in baselines.items()}
    return [
        {
            "source": row.source,
            "network": row.network,
            "tag": row.tag,
            "size": str(row.size),
            "family": row.family,
            "recipe": row.recipe,
            "weight": f"{row.weight:.6f}",
            "top1_err_pct": f"{row.error_pct:g}",
            "params": str(row.params),
            **{name: f"{value_of(row, name):.9g}" for name in NAMES},
            "fitted_pct": f"{fitted.error_pct(fitted.of_network(row)):.6f}",
            "fitted_recipe": f"{fitted.of_recipe(row):.6f}",
            "unseen_network": f"{one.network:.6f}",
            "unseen_recipe": f"{one.recipe:.6f}",
            **{f"unseen{name}_pct": f"{of[i]:.6f}" for name, of in errors.items()},
        }
        for i, (row, one) in enumerate(zip(rows, unseen, strict=True))
    ]


def band_lines(rows: Sequence[Row], form: Form, unseen: Sequence[Unseen], baselines: Mapping[str, Sequence[Unseen]]) -> Lines:
    """Spearman per band of timm's rows, in three ways of treating the recipe; the prior and the baselines alike.

    known: the recipe's effect, as other families tell it, is added to what is predicted. removed: it is taken off what was published.
    ignored: the network alone against what was published; the baselines are then the counts themselves.
    """
    published = [row.error_pct for row in rows]
    columns: dict[str, dict[str, Sequence[float]]] = {"known": {}, "removed": {}, "ignored": {}}
    targets: dict[str, dict[str, Sequence[float]]] = {way: {} for way in columns}
    for name, own in {"prior": unseen, **baselines}.items():
        columns["known"][name] = [one.network + one.recipe for one in own]
        columns["removed"][name] = columns["ignored"][name] = [one.network for one in own]
        targets["known"][name] = targets["ignored"][name] = published
        targets["removed"][name] = [
            float(np.log(error - form.floor_pct)) - one.recipe for error, one in zip(published, unseen, strict=True)
        ]
    for name in BASELINES:
        columns["removed"][name] = columns["ignored"][name] = [-value_of(row, name) for row in rows]
    errors, left = predicted(form, unseen), residuals(rows, form, unseen)
    lines = []
    for source, way in ((TIMM, "known"), (TIMM, "removed"), (TIMM, "ignored"), (PAPERS, "known")):
        for low, high in (*BANDS, (0.0, None)):
            places = in_band(rows, low, high, source)
            if len(places) < 3:
                continue
            groups, own = network_means(rows, places), [rows[i] for i in places]
            column, target = columns[way]["prior"], targets[way]["prior"]
            ends = resampled(column, target, groups)
            lines.append(
                {
                    "source": source,
                    "recipe": way,
                    "gmadds_from": f"{low:g}",
                    "gmadds_to": "" if high is None else f"{high:g}",
                    "rows": str(len(places)),
                    "networks": str(len(groups)),
                    "families": str(len({row.family for row in own})),
                    **{name: f"{spearman(of, targets[way][name], places):.3f}" for name, of in columns[way].items()},
                    "prior_networks_once": f"{once(column, target, groups):.3f}",
                    "prior_90_low": f"{ends[0]:.2f}",
                    "prior_90_high": f"{ends[1]:.2f}",
                    "mae_pct": f"{mae_pct(own, [errors[i] for i in places]):.2f}",
                    "coverage_80_share": f"{covered(rows, left, places):.2f}",
                }
            )
    return lines


def resampled(column: Sequence[float], target: Sequence[float], groups: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Where Spearman's correlation lies in 90 % of 1000 draws of as many networks, with replacement."""
    draw = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        chosen = [groups[k] for k in draw.integers(0, len(groups), len(groups))]
        found.append(once(column, target, chosen))
    low, high = np.nanquantile(found, (0.05, 0.95))
    return float(low), float(high)


def covered(rows: Sequence[Row], left: Sequence[float], places: Sequence[int]) -> float:
    """The share of networks inside the interval that comes from the families other than their own."""
    widths = {family: width_without(rows, left, family) for family in {rows[i].family for i in places}}
    return float(np.average([abs(left[i]) <= widths[rows[i].family] for i in places], weights=[rows[i].weight for i in places]))


def network_means(rows: Sequence[Row], places: Sequence[int]) -> list[list[int]]:
    """The places of each network at a size."""
    found: dict[tuple[str, int], list[int]] = {}
    for i in places:
        found.setdefault((rows[i].network, rows[i].size), []).append(i)
    return list(found.values())


def once(column: Sequence[float], target: Sequence[float], groups: Sequence[Sequence[int]]) -> float:
    """Spearman with every network at a size once: the means over its rows."""
    a = [float(np.mean([column[i] for i in group])) for group in groups]
    b = [float(np.mean([target[i] for i in group])) for group in groups]
    return spearman(a, b, range(len(groups)))


def family_lines(rows: Sequence[Row], form: Form, unseen: Sequence[Unseen]) -> Lines:
    """Every family: its rows, and how far off a fit on the others is; the farthest first."""
    errors, coverage = predicted(form, unseen), coverage_80(rows, residuals(rows, form, unseen))
    lines = []
    for family, own in families(list(rows)):
        places = [i for i, row in enumerate(rows) if row.family == family]
        of_own = [errors[i] for i in places]
        bias = np.average([errors[i] - rows[i].error_pct for i in places], weights=[rows[i].weight for i in places])
        lines.append(
            {
                "family": family,
                "rows": str(len(own)),
                "networks": str(len(network_means(rows, places))),
                "mae_pct": f"{mae_pct(own, of_own):.2f}",
                "bias_pct": f"{bias:+.2f}",
                "coverage_80_share": f"{coverage[family]:.2f}",
                "members": " ".join(sorted({row.network for row in own})),
            }
        )
    return sorted(lines, key=lambda one: -float(one["mae_pct"]))


def recipe_lines(rows: Sequence[Row], fitted: Fitted) -> Lines:
    """What a recipe and each of its tags are worth: a factor of error - floor, and points for a network with 30 % at the reference."""
    times = Counter([tag_of(row) for row in rows])
    lines = []
    for recipe, effect in fitted.recipes.items():
        names = [recipe, *[tag for tag in fitted.tags if tag.startswith(f"{recipe}:")]]
        for name in names:
            total = effect + fitted.tags.get(name, 0.0)
            number = times[name] if name in fitted.tags else sum(row.recipe == recipe for row in rows)
            points = (30 - fitted.form.floor_pct) * (np.exp(total) - 1)
            lines.append({"recipe": name, "rows": str(number), "factor": f"{np.exp(total):.3f}", "points_at_30_pct": f"{points:+.1f}"})
    return lines


def residuals(rows: Sequence[Row], form: Form, unseen: Sequence[Unseen]) -> list[float]:
    """log(error - floor), published less predicted by a fit without the family."""
    return [float(np.log(row.error_pct - form.floor_pct)) - one.network - one.recipe for row, one in zip(rows, unseen, strict=True)]


def to_json(rows: Sequence[Row], fitted: Fitted, unseen: Sequence[Unseen], baselines: Mapping[str, Sequence[Unseen]]) -> dict[str, Any]:
    """What ships. Coefficients have nine digits, so that nothing depends on the last ones of a solver."""
    form, weights = fitted.form, [row.weight for row in rows]
    used = [name for name in NAMES if fitted.coefficients.get(name)]
    values = {name: [value_of(row, name) for row in rows] for name in NAMES}
    means = {name: float(np.average(values[name], weights=weights)) for name in NAMES}
    apart = np.array([[v - means[name] for v in values[name]] for name in NAMES]).T
    scale = apart.std(0)
    standard = apart / scale
    inverse = np.linalg.inv((standard * np.array(weights)[:, None]).T @ standard + np.eye(len(NAMES))) / np.outer(scale, scale)
    leverage = np.einsum("ij,jk,ik->i", apart, inverse, apart)
    left = residuals(rows, form, unseen)
    of_family = coverage_80(rows, left)
    errors = predicted(form, unseen)
    judged = judge(rows, errors)
    return {
        "archspace_prior": VERSION,
        "target": "ImageNet-1k top-1 error in percent, one crop",
        "reference": REFERENCE,
        "floor_pct": form.floor_pct,
        "intercept": digits(fitted.intercept),
        "features": {
            name: {
                **({"coefficient": digits(fitted.coefficients[name])} if name in used else {}),
                "mean": digits(means[name]),
                "low": digits(min(values[name]), -1),
                "high": digits(max(values[name]), 1),
            }
            for name in NAMES
        },
        "distance": [[digits(x) for x in line] for line in inverse],
        "usual_distance": digits(quantile(list(leverage), weights, 0.95)),
        "half_width_log": digits(quantile([abs(r) for r in left], weights)),
        "recipes": {name: {"effect": digits(effect), "text": RECIPES[name].text} for name, effect in fitted.recipes.items()},
        "classes": 1000,
        "op_kinds": sorted(set().union(*[row.kinds for row in rows])),
        "held_out": {
            "rows": len(rows),
            "networks": len(network_means(rows, range(len(rows)))),
            "families": len(of_family),
            "mae_pct": round(judged.mae_pct, 2),
            "coverage_80_share": round(float(np.average([of_family[row.family] for row in rows], weights=weights)), 2),
            "spearman": round(judged.overall, 2),
            "bands": [band_json(rows, unseen, baselines, low, high) for low, high in BANDS],
        },
        "sources": list(SOURCES),
    }


def band_json(
    rows: Sequence[Row], unseen: Sequence[Unseen], baselines: Mapping[str, Sequence[Unseen]], low: float, high: float | None
) -> dict[str, Any]:
    """A band of timm's rows, recipes known, and the networks alone against what was published, whatever their recipes were."""
    places, published = in_band(rows, low, high), [row.error_pct for row in rows]

    def of(own: Sequence[Unseen]) -> float:
        return round(spearman([one.network + one.recipe for one in own], published, places), 2)

    return {
        "low_gmadds": low,
        "high_gmadds": high,
        "rows": len(places),
        "families": len({rows[i].family for i in places}),
        "spearman": of(unseen),
        "baselines": {name.removeprefix("log_"): of(own) for name, own in baselines.items()},
        "alone": {
            "prior": round(spearman([one.network for one in unseen], published, places), 2),
            **{
                name.removeprefix("log_"): round(spearman([-value_of(row, name) for row in rows], published, places), 2)
                for name in BASELINES
            },
        },
    }


def digits(value: float, side: int = 0) -> float:
    """Nine of them: rounded, or beyond the value on one side, so that a limit includes the row that it comes from."""
    return float(f"{value + side * 1e-8 * abs(value):.9g}")


def as_text(data: Mapping[str, Any]) -> str:
    """JSON with a line per row of a table."""
    text = json.dumps(data, indent=1)
    lines, depth = [], 0
    for line, after in pairwise([*text.splitlines(), ""]):
        indent = len(line) - len(line.lstrip())
        if depth and indent > depth:
            lines[-1] += line.strip() + (" " if line.endswith(",") else "")
            continue
        if depth and indent == depth:
            lines[-1] += line.strip()
            depth = 0
            continue
        lines.append(line)
        closes = indent + 1 <= len(after) - len(after.lstrip())
        depth = indent if indent >= 2 and closes else 0
    return "\n".join(lines) + "\n"


def write(name: str, lines: Lines) -> None:
    """A table of results, printed too where it is short."""
    path = RESULTS / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    shown = [",".join([value for key, value in line.items() if key != "members"]) for line in lines] if len(lines) < 100 else []
    print(f"\n{path.name}: {len(lines)} rows", *shown, sep="\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
