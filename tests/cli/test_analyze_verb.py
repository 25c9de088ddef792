"""`archspace analyze`: forms, keys, groupings and options."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace import build, save
from archspace.analysis import CONVENTIONS, analyze

Archspace = Callable[..., Any]

TOTALS = {
    **dict.fromkeys(("madds", "params", "mem_elems", "mem_bytes", "acts", "nodes", "max_fragments", "max_parallel_width"), int),
    **dict.fromkeys(("critical_path", "critical_madds"), int),
    **dict.fromkeys(("fragments_per_block", "elementwise_share", "movement_share", "intensity"), float),
}
COUNTS = ("madds", "params", "mem_elems", "mem_bytes", "acts", "elementwise_elems", "movement_elems")


def analyzed(archspace: Archspace, *words: str) -> dict[str, Any]:
    code, out, err = archspace("analyze", *words, "--format", "json")
    assert (code, err) == (0, "")
    data: dict[str, Any] = json.loads(out)
    return data


def test_the_json_has_the_keys_and_types_of_the_contract(archspace: Archspace) -> None:
    data = analyzed(archspace, "shufflenet_v1", "--g", "8", "--per", "op")
    assert (data["schema"], data["model"], data["dtype"], data["input_shape"]) == (1, "shufflenet_v1", "float32", [1, 3, 224, 224])
    assert (data["config"]["family"], data["config"]["groups"], data["config"]["input"]) == ("shufflenet_v1", 8, [224, 224])
    assert {key: type(value) for key, value in data["totals"].items()} == TOTALS
    assert set(data["flops"]) == set(CONVENTIONS)
    assert {"paper", "fvcore", "torch", "torchinfo", "thop", "ptflops", "torchprofile"} <= set(data["flops"])
    assert {type(value) for value in data["flops"].values()} == {int}
    assert data["opaque"] == []
    for row in data["rows"]:
        assert {"name", "op", "block", "output_shape", *COUNTS} <= set(row)
        assert {type(row[key]) for key in COUNTS} == {int}
        assert {type(size) for size in row["output_shape"]} == {int}


@pytest.mark.parametrize("per", ["op", "block", "stage"])
@pytest.mark.parametrize("model", ["shufflenet_v1", "shufflenet_v2", "fenet", "resnet18"])
def test_the_totals_are_the_sums_of_the_rows_whatever_they_are_summed_per(per: str, model: str, archspace: Archspace) -> None:
    data = analyzed(archspace, model, "--per", per)
    totals, rows = data["totals"], data["rows"]
    for key in ("madds", "params", "mem_elems", "mem_bytes", "acts"):
        assert sum(row[key] for row in rows) == totals[key]
    for kind in ("elementwise", "movement"):
        assert sum(row[f"{kind}_elems"] for row in rows) / totals["mem_elems"] == pytest.approx(totals[f"{kind}_share"], rel=1e-12)
    assert (len(rows) if per == "op" else sum(row["nodes"] for row in rows)) == totals["nodes"]
    assert totals["intensity"] == pytest.approx(totals["madds"] / totals["mem_bytes"], rel=1e-12)


def test_blocks_and_stages_are_those_of_the_paper(archspace: Archspace) -> None:
    blocks = [row["name"] for row in analyzed(archspace, "shufflenet_v1", "--g", "8", "--per", "block")["rows"]]
    assert blocks == ["stem", *(f"stage{s}.unit{u}" for s, units in ((2, 4), (3, 8), (4, 4)) for u in range(units)), "head"]
    stages = [row["name"] for row in analyzed(archspace, "shufflenet_v1", "--g", "8", "--per", "stage")["rows"]]
    assert stages == ["stem", "stage2", "stage3", "stage4", "head"]


def test_the_command_line_says_what_python_says(archspace: Archspace) -> None:
    graph = build("shufflenet_v1", groups=8, width=0.5, input=(96, 160), batch=2)
    words = ("shufflenet_v1", "--g", "8", "--width", "0.5", "--input", "96x160", "--batch", "2", "--per", "op")
    assert analyzed(archspace, *words) == json.loads(json.dumps(analyze(graph).to_dict()))


def test_the_table_shows_rows_totals_and_conventions(archspace: Archspace) -> None:
    code, out, err = archspace("analyze", "shufflenet_v1", "--g", "8")
    assert (code, err) == (0, "")
    assert out.startswith("shufflenet_v1  input 1x3x224x224  float32\n")
    words = (
        "stage2.unit0",
        "fragments",
        "parallel",
        "element-wise",
        "movement",
        "multiply-adds   138.4M (138,365,952)",
        "critical path",
        "groups=8",
    )
    assert [word for word in words if word not in out] == []
    assert [name for name in CONVENTIONS if name not in out] == []


def test_the_table_per_stage_shows_receptive_fields_and_strides(archspace: Archspace) -> None:
    _, out, _ = archspace("analyze", "shufflenet_v1", "--g", "8", "--per", "stage")
    cells = {words[0]: words[-2:] for line in out.splitlines() if (words := line.split())}
    assert cells["stage"] == ["field", "stride"]
    # 3x3 windows alone: two strided ones in the stem, then per stage one that strides and one in each other unit.
    assert cells["stem"] == ["7x7", "4x4"]
    assert cells["stage2"] == ["63x63", "8x8"]  # 7 + 2 * 4 + 3 * 2 * 8
    assert cells["stage3"] == ["303x303", "16x16"]  # 63 + 2 * 8 + 7 * 2 * 16
    assert cells["stage4"] == ["527x527", "32x32"]  # 303 + 2 * 16 + 3 * 2 * 32
    assert cells["head"] == ["-", "-"]


def test_notes_say_which_stages_are_gated_or_not_aligned(archspace: Archspace) -> None:
    _, out, _ = archspace("analyze", "se_resnet50", "--per", "stage")
    assert "sees the whole image besides: stage1, stage2, stage3, stage4\n" in out
    _, out, _ = archspace("analyze", "shiftresnet_20_ssl_5e-4", "--per", "stage")
    assert "(not aligned): stage1, stage2, stage3\n" in out
    _, out, _ = archspace("analyze", "resnet50", "--per", "stage")
    assert "besides" not in out
    assert "not aligned" not in out


def test_the_totals_say_what_share_of_the_multiply_adds_is_on_one_path(archspace: Archspace) -> None:
    totals = analyzed(archspace, "resnet50")["totals"]
    # Everything but the projected shortcuts: 56^2 * 64 * 256, then at each halving h^2 * c * 2c with c = 256, 512, 1024.
    shortcuts = 56**2 * 64 * 256 + sum(h * h * c * 2 * c for h, c in ((28, 256), (14, 512), (7, 1024)))
    assert totals["critical_madds"] == totals["madds"] - shortcuts == 3_729_522_688
    _, out, _ = archspace("analyze", "resnet50")
    assert "multiply-adds   4.089G (4,089,184,256), 91.2 % on the heaviest path\n" in out


def test_per_op_shows_every_op_with_its_kind(archspace: Archspace) -> None:
    _, out, _ = archspace("analyze", "shufflenet_v1", "--g", "8", "--per", "op")
    for node in build("shufflenet_v1", groups=8).nodes[1:]:
        assert node.name in out
    assert "ChannelShuffle" in out


def test_csv_reads_back_as_the_rows_of_the_json(archspace: Archspace) -> None:
    data = analyzed(archspace, "fenet", "--per", "op")
    _, out, _ = archspace("analyze", "fenet", "--per", "op", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == len(data["rows"])
    for got, row in zip(rows, data["rows"], strict=True):
        assert got == {key: "x".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in row.items()}


def test_csv_per_stage_leaves_cells_empty_where_nothing_is_seen_by_place(archspace: Archspace) -> None:
    _, out, _ = archspace("analyze", "shufflenet_v1", "--per", "stage", "--format", "csv")
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(out))}
    assert (rows["stage4"]["receptive_field"], rows["stage4"]["stride"]) == ("527x527", "32x32")
    assert (rows["head"]["receptive_field"], rows["head"]["stride"]) == ("", "")


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_prints_its_integer_alone(name: str, archspace: Archspace) -> None:
    code, out, err = archspace("analyze", "resnet50", "--convention", name)
    assert (code, err) == (0, "")
    assert out == f"{analyze(build('resnet50')).flops(name)}\n"


def test_the_six_tools_print_what_was_measured_on_resnet50(archspace: Archspace) -> None:
    flops = analyzed(archspace, "resnet50")["flops"]
    measured = {  # the tools' own output at 224, compared again in the tests of the oracle
        "torch": 8_178_368_512,
        "thop": 4_133_742_592,
        "ptflops": 4_132_436_968,
        "fvcore": 4_111_512_576,
        "torchprofile": 4_100_300_288,
        "torchinfo": 4_089_238_376,
        "paper": 4_089_184_256,
    }
    assert {name: flops[name] for name in measured} == measured


def test_a_convention_in_json_and_csv_names_itself(archspace: Archspace) -> None:
    record = {"model": "resnet", "convention": "torch", "flops": 8_178_368_512}
    _, out, _ = archspace("analyze", "resnet50", "--convention", "torch", "--format", "json")
    assert json.loads(out) == record
    _, out, _ = archspace("analyze", "resnet50", "--convention", "torch", "--format", "csv")
    assert out == "model,convention,flops\nresnet,torch,8178368512\n"


def test_an_input_of_height_by_width_is_read_in_that_order(archspace: Archspace) -> None:
    assert analyzed(archspace, "shufflenet_v2", "--input", "480x640")["input_shape"] == [1, 3, 480, 640]


def test_the_batch_scales_activations_and_not_parameters(archspace: Archspace) -> None:
    one, four = (analyzed(archspace, "shufflenet_v2", "--batch", batch) for batch in ("1", "4"))
    assert four["input_shape"] == [4, 3, 224, 224]
    assert (four["totals"]["madds"], four["totals"]["acts"]) == (4 * one["totals"]["madds"], 4 * one["totals"]["acts"])
    assert four["totals"]["params"] == one["totals"]["params"]


@pytest.mark.parametrize(("dtype", "size"), [("float16", 2), ("bfloat16", 2), ("int8", 1), ("float64", 8)])
def test_the_dtype_changes_bytes_and_what_follows_from_them_alone(dtype: str, size: int, archspace: Archspace) -> None:
    base, other = (analyzed(archspace, "shufflenet_v2", "--dtype", name) for name in ("float32", dtype))
    assert other["totals"].pop("mem_bytes") == size * other["totals"]["mem_elems"]
    assert other["totals"].pop("intensity") == pytest.approx(base["totals"].pop("intensity") * 4 / size, rel=1e-12)
    del base["totals"]["mem_bytes"]
    assert base["totals"] == other["totals"]
    assert base["flops"] == other["flops"]
    assert [row["mem_bytes"] for row in other["rows"]] == [size * row["mem_elems"] for row in base["rows"]]


@pytest.mark.parametrize(("device", "batch"), [("gtx1080ti", 8), ("sd810", 1)])
def test_a_device_adds_the_predicted_latency_with_its_interval(device: str, batch: int, archspace: Archspace) -> None:
    from archspace import predict

    latency = analyzed(archspace, "shufflenet_v1", "--g", "8", "--device", device)["latency"]
    predicted = predict(build("shufflenet_v1", groups=8), device)
    assert (latency["device"], latency["batch"], latency["latency_ms"]) == (device, batch, predicted.ms)
    assert latency["low_ms"] < latency["latency_ms"] < latency["high_ms"]
    _, out, _ = archspace("analyze", "shufflenet_v1", "--g", "8", "--device", device)
    assert f"latency         {predicted}" in out


def test_a_batch_asked_for_is_the_one_predicted(archspace: Archspace) -> None:
    latency = analyzed(archspace, "shufflenet_v1", "--device", "gtx1080ti", "--batch", "2")["latency"]
    assert latency["batch"] == 2
    assert latency["extrapolates"] == ["batch 2, fitted at 8"]
    assert (latency["interval_holds"], latency["lower_bound"]) == (False, False)
    _, out, _ = archspace("analyze", "shufflenet_v1", "--device", "gtx1080ti", "--batch", "2")
    assert "(gtx1080ti, batch 2, extrapolates: no interval)\n                extrapolates: batch 2, fitted at 8\n" in out


def test_without_a_device_there_is_no_latency(archspace: Archspace) -> None:
    assert "latency" not in analyzed(archspace, "shufflenet_v1")


def test_a_file_gets_what_stdout_would_have_got(archspace: Archspace, tmp_path: Path) -> None:
    for form in ("table", "json", "csv"):
        path = tmp_path / f"out.{form}"
        words = ("analyze", "shufflenet_v2", "--format", form)
        code, out, err = archspace(*words, "-o", str(path))
        assert (code, out, err) == (0, "", f"wrote {path}\n")
        assert path.read_text(encoding="utf-8") == archspace(*words).out


def test_force_overwrites(archspace: Archspace, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old", encoding="utf-8")
    assert archspace("analyze", "shufflenet_v2", "-o", str(path)).code == 2
    assert path.read_text(encoding="utf-8") == "old"
    assert archspace("analyze", "shufflenet_v2", "-o", str(path), "--force").code == 0
    assert path.read_text(encoding="utf-8").startswith("shufflenet_v2  input")


def test_a_stored_graph_is_analysed_like_the_one_it_came_from(archspace: Archspace, tmp_path: Path) -> None:
    save(build("shufflenet_v1", groups=8), tmp_path / "net.json")
    assert analyzed(archspace, str(tmp_path / "net.json")) == analyzed(archspace, "shufflenet_v1", "--g", "8")
    larger = analyzed(archspace, str(tmp_path / "net.json"), "--input", "256x320", "--batch", "2")
    fresh = analyzed(archspace, "shufflenet_v1", "--g", "8", "--input", "256x320", "--batch", "2")
    assert larger["input_shape"] == [2, 3, 256, 320]
    assert (larger["totals"], larger["rows"]) == (fresh["totals"], fresh["rows"])
