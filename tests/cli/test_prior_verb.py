"""`archspace prior`: the table, JSON and CSV, published errors beside, and what is said of the prior."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace import build, prior, save
from archspace.accuracy import quality_text

Archspace = Callable[..., Any]


def test_the_table_has_a_row_per_network_with_what_papers_print_of_it(archspace: Archspace) -> None:
    code, out, err = archspace("prior", "shufflenet_v2_1x", "fenet_1x", "shufflenet_v2@width=0.8")
    assert (code, err) == (0, "")
    cells = [line.split() for line in out.splitlines()]
    error = prior(build("shufflenet_v2_1x"))
    row = next(line for line in cells if line and line[0] == "shufflenet_v2_1x")
    assert row[1:4] == ["145.8M", "2.28M", f"{error.error_pct:.1f}"]
    assert row[5:8] == [f"{error.low_pct:.1f}", "to", f"{error.high_pct:.1f}"]
    assert row[9:] == ["30.6", "%"]  # ShuffleNet v2, table 8
    assert next(line for line in cells if line and line[0] == "fenet_1x")[-2] == "27.1"  # SSL, table 5
    assert next(line for line in cells if line and line[0] == "shufflenet_v2@width=0.8")[-1] == "-"
    assert quality_text() in out


def test_one_network_gets_its_own_interval_in_the_note(archspace: Archspace) -> None:
    out = archspace("prior", "shufflenet_v2", "--width", "0.5").out
    assert quality_text(prior(build("shufflenet_v2", width=0.5))) in out
    assert "38.9 to 39.7 %" in out  # the authors' code, and table 8: a member by its options


def test_what_is_out_of_range_is_said_of_each(archspace: Archspace) -> None:
    out = archspace("prior", "shufflenet_v2", "resnet20_cifar").out
    assert "resnet20_cifar extrapolates: classes: 10, fitted on ImageNet's 1000" in out
    assert "shufflenet_v2 extrapolates" not in out


def test_json_has_the_quality_and_the_flags(archspace: Archspace) -> None:
    data = json.loads(archspace("prior", "resnet20_cifar", "--format", "json").out)
    assert data["schema"] == 1
    assert (data["recipe"], data["quality"]) == ("paper", quality_text())
    (one,) = data["models"]
    assert one["low_pct"] < one["prior_error_pct"] < one["high_pct"]
    assert one["published_low_pct"] is None
    assert any("classes: 10" in what for what in one["extrapolates"])


def test_csv_has_a_line_per_network(archspace: Archspace) -> None:
    found = list(csv.DictReader(io.StringIO(archspace("prior", "shufflenet_v2_1x", "mobilenet_v2_1x", "--format", "csv").out)))
    assert [row["model"] for row in found] == ["shufflenet_v2_1x", "mobilenet_v2_1x"]
    assert (found[1]["published_low_pct"], found[1]["published_high_pct"]) == ("28.0", "28.2")
    assert found[0]["extrapolates"] == ""


def test_a_batch_is_no_other_network(archspace: Archspace) -> None:
    one, eight = (json.loads(archspace("prior", "shufflenet_v2_1x", "--batch", n, "--format", "json").out)["models"][0] for n in ("1", "8"))
    assert one == eight


def test_another_recipe_is_named(archspace: Archspace) -> None:
    out = archspace("prior", "shufflenet_v2", "--recipe", "modern").out
    assert f"{prior(build('shufflenet_v2'), recipe='modern').error_pct:.1f} %" in out
    assert "trained by the recipe 'modern': 300 epochs and more" in out


def test_a_stored_graph_has_no_published_error_but_a_prior(archspace: Archspace, tmp_path: Path) -> None:
    save(build("shufflenet_v2"), tmp_path / "graph.json")
    data = json.loads(archspace("prior", str(tmp_path / "graph.json"), "--format", "json").out)
    assert data["models"][0]["prior_error_pct"] == round(prior(build("shufflenet_v2")).error_pct, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "prior takes at least one MODEL, but got none"),
        (("shufflenet_v1", "shufflenet_v2", "--width", "2"), "each of several MODELs has its options in its spec, but got --width"),
        (("shuflenet_v2",), "Did you mean 'shufflenet_v2'?"),
        (("shufflenet_v2", "--recipe", "best"), "'best' is not one of 'paper', 'plain'"),
    ],
)
def test_wrong_usage_is_one_line(words: tuple[str, ...], said: str, archspace: Archspace) -> None:
    code, out, err = archspace("prior", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
