"""What studies/proxies wrote down follows from its measurements: the correlations, what its README says, what ships."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata, spearmanr

from archspace.analysis import analyze
from archspace.pytorch.proxies import PROXIES, qualities, quality_text
from archspace.pytorch.proxies.quality import QUALITY_JSON
from archspace.zoo import build
from archspace.zoo.published import published_by_member

STUDY = Path(__file__).parents[3] / "studies" / "proxies"
RESULTS = STUDY / "results"
MEASURES = (*PROXIES, "zen_with_links", "params", "madds", "acts")
# As the README defines them: source, smallest and largest millions of multiply-adds.
SETS = {
    "zoo, 13 M": ("zoo", 10, 16),
    "zoo, 40 M": ("zoo", 36, 46),
    "zoo, 140 M": ("zoo", 128, 160),
    "zoo, 300 M": ("zoo", 250, 350),
    "zoo, 500 M": ("zoo", 450, 600),
    "zoo, at most 600 M": ("zoo", 0, 600),
    "timm, 350 to 600 M": ("timm", 350, 600),
    "timm, at most 600 M": ("timm", 0, 600),
}

Row = dict[str, str]


def read(pattern: str) -> list[Row]:
    (path,) = RESULTS.glob(pattern)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


VALUES = read("values-*.csv")
STORED = {(row["set"], row["measure"]): row for row in read("correlations-*.csv")}


def members(name: str) -> list[Row]:
    source, low, high = SETS[name]
    inside = [row for row in VALUES if row["source"] == source and low * 1e6 <= int(row["madds"]) <= high * 1e6]
    return [row for row in inside if all(row[measure] for measure in MEASURES)]


def check(name: str, measure: str, rows: list[Row]) -> None:
    """A stored row against what scipy makes of the stored values."""
    keys = (measure, "top1_err_pct", "params", "madds", "acts")
    values, errors, params, madds, acts = (np.array([float(row[key]) for row in rows]) for key in keys)
    stored = STORED[name, measure]
    assert stored["n"] == str(len(rows))
    assert float(stored["spearman"]) == pytest.approx(spearmanr(values, -errors).statistic, abs=6e-4)
    assert float(stored["kendall"]) == pytest.approx(kendalltau(values, -errors).statistic, abs=6e-4)
    assert float(stored["low"]) <= float(stored["spearman"]) <= float(stored["high"])
    for column, given in (("given_params_madds", [params, madds]), ("given_params_madds_acts", [params, madds, acts])):
        if measure in column.split("_"):
            assert stored[column] == ""
        else:
            assert float(stored[column]) == pytest.approx(partial(values, -errors, given), abs=6e-4)


def partial(x: np.ndarray, y: np.ndarray, given: list[np.ndarray]) -> float:
    """By the inverse of the correlation matrix of ranks, where the study takes residuals."""
    matrix = np.linalg.inv(np.corrcoef([rankdata(each) for each in (x, y, *given)]))
    return float(-matrix[0, 1] / np.sqrt(matrix[0, 0] * matrix[1, 1]))


@pytest.mark.parametrize("measure", MEASURES)
def test_stored_correlations_are_those_of_the_stored_values(measure: str) -> None:
    for name in SETS:
        check(name, measure, members(name))
    check("timm, at most 600 M, where it applies", measure, [row for row in VALUES if row["source"] == "timm" and row[measure]])


def test_stored_errors_and_counts_of_the_zoo_are_the_published_and_the_counted_ones() -> None:
    printed = published_by_member()
    rows = [row for row in VALUES if row["source"] == "zoo"]
    assert len(rows) == 101
    for row in rows:
        totals = analyze(build(row["name"])).totals
        assert (int(row["params"]), int(row["madds"]), int(row["acts"])) == (totals.params, totals.madds, totals.acts)
        errors = [each.top1_err_pct for each in printed[row["name"]] if each.top1_err_pct is not None]
        assert min(errors) <= float(row["top1_err_pct"]) <= max(errors)


def test_what_ships_is_what_was_found() -> None:
    shipped = {row["name"]: row for row in json.loads(QUALITY_JSON.read_text(encoding="utf-8"))["rows"]}
    assert list(shipped) == [*PROXIES, "params", "madds", "acts"]
    for name, row in shipped.items():
        overall, inside, zoo = (STORED[each, name] for each in ("timm, at most 600 M", "timm, 350 to 600 M", "zoo, at most 600 M"))
        for key, cell in (("overall", overall), ("band", inside), ("zoo", zoo)):
            assert row[key] == pytest.approx(float(cell["spearman"]), abs=0.0051)
            assert row[f"{key}_networks"] == int(cell["n"])
        given = (
            ("partial", overall, "given_params_madds"),
            ("beyond", overall, "given_params_madds_acts"),
            ("zoo_beyond", zoo, "given_params_madds_acts"),
        )
        for key, cell, column in given:
            assert row[key] == (pytest.approx(float(cell[column]), abs=0.0051) if cell[column] else None)
        times = [float(each[f"{name}_ms"]) for each in VALUES if each["source"] == "timm" and each.get(f"{name}_ms")]
        assert row["ms"] == (round(median(times)) if times else None)


@pytest.mark.parametrize("name", qualities())
def test_the_line_of_a_measure_says_its_numbers_beside_those_of_params(name: str) -> None:
    row, text = qualities()[name], quality_text(name)
    assert text.startswith(f"{name}: rank correlation with ImageNet top-1 {row.overall:.2f}".replace(" 0.", " ."))
    assert f"over {row.overall_networks} CNNs" in text
    assert (f"(params {qualities()['params'].overall:.2f})".replace(" 0.", " .") in text) == (name != "params")
    assert ("given params and multiply-adds" in text) == (row.partial is not None)
    assert ("given activations too" in text) == (row.beyond is not None)
    assert "\n" not in text


def test_the_readmes_table_is_the_stored_one() -> None:
    """Rows '| naswot | .71 (n 75) | ...': Spearman's coefficients to two digits, a column per set in the order of SETS."""
    text = (STUDY / "README.md").read_text(encoding="utf-8")
    for measure in MEASURES:
        (line,) = re.findall(rf"^\| {measure} \|(.*)\|$", text, flags=re.MULTILINE)
        cells = [cell.strip().strip("*") for cell in line.split("|")]
        expected = [STORED[name, measure] for name in SETS]
        assert [float(cell.split()[0]) for cell in cells] == [pytest.approx(float(e["spearman"]), abs=0.0051) for e in expected]
        assert [cell.split()[1] for cell in cells] == [f"({e['n']})" for e in expected]


def test_the_readmes_table_of_what_proxies_add_is_the_stored_one() -> None:
    """Rows '| zoo, at most 600 M | .53 | .37 / -.14 | ...': given params and multiply-adds, given activations too."""
    text = (STUDY / "README.md").read_text(encoding="utf-8")
    for name in ("zoo, at most 600 M", "timm, 350 to 600 M", "timm, at most 600 M", "timm, at most 600 M, where it applies"):
        (line,) = re.findall(rf"^\| {name} \|(.*)\|$", text, flags=re.MULTILINE)
        found = [[float(number) for number in cell.split("/")] for cell in line.split("|")]
        for numbers, measure in zip(found, ("acts", *PROXIES), strict=True):
            stored = STORED[name, measure]
            given = [stored[column] for column in ("given_params_madds", "given_params_madds_acts") if stored[column]]
            assert numbers == [pytest.approx(float(one), abs=0.0051) for one in given]


def test_no_proxy_is_the_best_of_any_set() -> None:
    for name in SETS:
        best = max(MEASURES, key=lambda measure: float(STORED[name, measure]["spearman"]))
        assert best in ("params", "acts"), name
