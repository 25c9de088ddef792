"""`archspace reuse`: the matrix as a table, JSON, CSV, a page and a picture."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from archspace import build, save
from archspace.analysis.reuse import reuse_matrix
from archspace.cli.reuse import reuse_heatmap

Archspace = Callable[..., Any]
V2 = "shufflenet_v2"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows_of(out: str) -> list[list[str]]:
    """The cells of the table's lines: number, target, and a cell per source."""
    return [line.split() for line in out.splitlines() if re.match(r" *\d+ ", line) and not line.startswith(" #")]


def test_the_table_has_a_row_per_target_and_a_column_per_source(archspace: Archspace) -> None:
    """Stage 2 of ShuffleNet v2 has 116 channels, and each unit keeps half of what it gets: 58, 29, 14.5 (the first channel stays)."""
    rows = rows_of(archspace("reuse", V2).out)
    assert [row[1] for row in rows] == list(reuse_matrix(build(V2)).blocks)
    assert rows[4] == ["5", "stage2.unit3", "·", "15", "29", "58", "116"]
    assert [len(row) for row in rows] == [2 + i for i in range(1, len(rows) + 1)]


def test_the_columns_of_the_table_stand_under_their_numbers(archspace: Archspace) -> None:
    lines = archspace("reuse", V2).out.splitlines()
    head = next(line for line in lines if line.startswith(" #"))
    for source, line in enumerate(line for line in lines if re.match(r" *\d+ ", line)):
        end = re.search(rf"\b{source + 1}\b", head)
        assert end is not None
        assert len(line) == end.end()  # the last cell of a row is its own block's


def test_shares_are_per_cent_of_the_targets_channels(archspace: Archspace) -> None:
    rows = rows_of(archspace("reuse", V2, "--shares").out)
    assert rows[3] == ["4", "stage2.unit2", "·", "25", "50", "100"]
    assert rows[4][3] == "12.9"  # 15 of 116


def test_of_many_blocks_the_table_has_the_nearest_sources_and_says_so(archspace: Archspace) -> None:
    done = archspace("reuse", "densenet121")
    rows = rows_of(done.out)
    blocks = reuse_matrix(build("densenet121")).blocks
    assert len(rows) == len(blocks) > 20
    # A dense layer of DenseNet-121 adds 32 channels to all before it.
    assert rows[3] == ["4", "stage1.unit2", "160", "128", "96", "64"]
    assert max(map(len, rows)) == 2 + 10
    assert f"at most 9 blocks back here. All {len(blocks)}: --format csv" in done.out


def test_json_has_both_matrices_by_source_and_target(archspace: Archspace) -> None:
    data = json.loads(archspace("reuse", V2, "--format", "json").out)
    reuse = reuse_matrix(build(V2))
    assert (data["blocks"], data["axes"]) == (list(reuse.blocks), ["source", "target"])
    assert data["channels"] == [list(row) for row in reuse.channels]
    assert data["shares"] == [list(row) for row in reuse.shares()]
    source, target = data["blocks"].index("stage2.unit0"), data["blocks"].index("stage2.unit1")
    assert (data["channels"][source][target], data["shares"][source][target]) == (58, 0.5)
    assert all(0 <= share <= 1 for row in data["shares"] for share in row)


def test_csv_has_a_row_per_pair(archspace: Archspace) -> None:
    rows = list(csv.DictReader(io.StringIO(archspace("reuse", V2, "--format", "csv").out)))
    blocks = len(reuse_matrix(build(V2)).blocks)
    assert len(rows) == blocks * (blocks + 1) // 2
    assert {"source": "stage2.unit0", "target": "stage2.unit2", "channels": "29", "share": "0.25"} in rows


def test_the_heat_map_has_targets_as_rows_and_sources_as_columns() -> None:
    heatmap = reuse_heatmap(reuse_matrix(build(V2)), V2)
    assert heatmap.rows == heatmap.columns
    target, source = heatmap.rows.index("stage2.unit1"), heatmap.columns.index("stage2.unit0")
    assert (heatmap.values[target][source], heatmap.texts[target][source]) == (0.5, "58")
    assert heatmap.hover[target][source] == "stage2.unit0 → stage2.unit1: 58 of 116 channels (50.0 %)"
    assert heatmap.values[source][target] is None
    assert heatmap.title == "Channel reuse in shufflenet_v2"


def test_long_names_leave_room_for_the_picture() -> None:
    heatmap = reuse_heatmap(reuse_matrix(build(V2)), "x" * 500)
    assert heatmap.title.endswith("x...")
    assert len(heatmap.title) < 100


def test_a_name_in_html_gets_a_page(archspace: Archspace, tmp_path: Path) -> None:
    done = archspace("reuse", V2, "--width", "0.5", "-o", "reuse.html")
    assert (done.code, done.out, done.err) == (0, "", "wrote reuse.html\n")
    page = (tmp_path / "reuse.html").read_text(encoding="utf-8")
    assert "Channel reuse in shufflenet_v2 width=0.5" in page
    assert "24 of 48 channels (50.0 %)" in page  # stage 2 of the network of half the width has 48 channels
    assert re.findall(r"<(?:script|link)[^>]*\s(?:src|href)\s*=", page) == []


@pytest.mark.parametrize("name", ["reuse.png", "REUSE.PNG"])
def test_a_name_in_png_gets_a_picture(name: str, archspace: Archspace, tmp_path: Path) -> None:
    assert archspace("reuse", V2, "-o", name).code == 0
    with Image.open(tmp_path / name) as image:
        assert image.format == "PNG"
        assert min(image.size) > 1000


def test_a_stored_graph_gives_its_own_name(archspace: Archspace, tmp_path: Path) -> None:
    save(build(V2), tmp_path / "mine.json")
    assert archspace("reuse", "mine.json", "-o", "reuse.html").code == 0
    assert "Channel reuse in shufflenet_v2<br>" in (tmp_path / "reuse.html").read_text(encoding="utf-8").replace("\\u003c", "<").replace(
        "\\u003e", ">"
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "reuse takes one MODEL, but got 0: none"),
        ((V2, "resnet18"), "reuse takes one MODEL, but got 2"),
        (("shufflenet_v3",), "unknown network 'shufflenet_v3'. Did you mean"),
        ((V2, "-o", "x.png", "--format", "json"), "a file in .png gets a heat map, but --format json asks for numbers"),
        ((V2, "-o", "nowhere/x.png"), "its folder nowhere must exist"),
        ((V2, "-o", "."), "this is a folder"),
        ((V2, "--nearest", "3"), "unknown option of shufflenet_v2 'nearest'"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_written(
    words: tuple[str, ...], complaint: str, archspace: Archspace, tmp_path: Path
) -> None:
    done = archspace("reuse", *words)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["map.html", "map.png", "map.csv"])
def test_nothing_is_overwritten_unasked(name: str, archspace: Archspace, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    done = archspace("reuse", V2, "-o", name)
    assert done.code == 2
    assert "exists already" in done.err
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
    assert archspace("reuse", V2, "-o", name, "--force").code == 0
    assert (tmp_path / name).read_bytes() != b"mine"


@pytest.mark.parametrize(("module", "package", "name"), [("plotly", "plotly", "map.html"), ("PIL", "pillow", "map.png")])
def test_a_missing_package_is_one_line(module: str, package: str, name: str, tmp_path: Path) -> None:
    program = (
        f"import sys\nsys.modules[{module!r}] = None\nfrom archspace.cli import main\nsys.exit(main(['reuse', {V2!r}, '-o', {name!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"archspace: this needs the package {package!r}, which is not installed.")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
