"""`archspace latency`: rows, totals, several networks, pages, and the comparison with what is measured."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import archspace as package
from archspace import Builder, build, predict, save
from archspace.cli.latency import backend_of
from archspace.cli.latency_tables import in_ms
from archspace.errors import LawError
from archspace.ir.ops import Conv2d, Opaque, ReLU
from archspace.latency import breakdown, load_profile
from archspace.latency.profile import DEVICES

Archspace = Callable[..., Any]
V2 = "shufflenet_v2"
GPU = ("--device", "gtx1080ti")
CAUSES = ("compute_ms", "memory_ms", "overhead_ms", "constant_ms")


def told(archspace: Archspace, *words: str) -> dict[str, Any]:
    code, out, err = archspace("latency", *words, "--format", "json")
    assert (code, err) == (0, "")
    data: dict[str, Any] = json.loads(out)
    return data


def cells(out: str, first: str) -> list[str]:
    """The words of the line that begins so."""
    return next(line for line in out.splitlines() if line.startswith(first)).split()


@pytest.fixture
def opaque(tmp_path: Path) -> str:
    """A network of which one op does unknown work, as a file."""
    b = Builder("half_known")
    x = b.add("conv", Conv2d(3, 64, 3, padding=1), b.input((1, 3, 32, 32)))
    save(b.build(b.add("odd", Opaque("aten.fft", (1, 64, 32, 32)), x)), tmp_path / "net.json")
    return str(tmp_path / "net.json")


@pytest.mark.parametrize("per", ["op", "block", "stage"])
def test_the_json_has_the_keys_of_the_contract_and_its_rows_add_up(per: str, archspace: Archspace) -> None:
    data = told(archspace, V2, *GPU, "--per", per)
    predicted = predict(build(V2), "gtx1080ti")
    assert (data["schema"], data["device"], data["per"]) == (1, "gtx1080ti", per)
    assert data["profile"]["interval_pct"] == predicted.interval_pct
    assert data["profile"]["error"]["networks"] == load_profile("gtx1080ti").error.networks
    (model,) = data["models"]
    assert (model["model"], model["input_shape"], model["batch"], model["ratio"]) == (V2, [1, 3, 224, 224], 8, 1)
    assert model["config"]["family"] == V2
    assert [model[key] for key in ("latency_ms", "low_ms", "high_ms")] == [predicted.ms, predicted.low_ms, predicted.high_ms]
    assert (model["opaque"], model["lower_bound"], model["measured"], model["extrapolates"]) == ([], False, None, [])
    for rows in (model["rows"], model["op_types"]):
        assert sum(row["latency_ms"] for row in rows) == pytest.approx(predicted.ms, rel=1e-12)
        assert sum(row["share"] for row in rows) == pytest.approx(1, rel=1e-12)
        assert sum(row["kernels"] for row in rows) == len(predicted.rows)
        for cause in CAUSES:
            assert sum(row[cause] for row in rows) == pytest.approx(model["causes"][cause], rel=1e-12)
    assert sum(model["causes"].values()) == pytest.approx(predicted.ms, rel=1e-12)
    assert model["causes"]["constant_ms"] == predicted.constant_ms


def test_a_row_per_op_says_what_runs_as_the_kernel(archspace: Archspace) -> None:
    first, *_, last = told(archspace, V2, *GPU)["models"][0]["rows"]
    assert (first["op_type"], first["block"], first["kernels"]) == ("dense", "stem", 1)
    assert first["name"] == first["nodes"][0] == "stem.conv1.conv"
    assert len(first["nodes"]) == 3  # convolution, batch norm and activation are one kernel in the paper's library
    assert (last["name"], last["op_type"], last["block"], last["nodes"], last["kernels"]) == ("(constant)", "", "", [], 0)


def test_the_table_has_blocks_op_types_the_total_and_its_interval(archspace: Archspace) -> None:
    code, out, err = archspace("latency", V2, *GPU)
    latency = predict(build(V2), "gtx1080ti")
    text = in_ms(latency.ms)
    assert (code, err) == (0, "")
    assert out.startswith(f"{V2}  input 3x224x224  batch 8  gtx1080ti\n")
    assert cells(out, "total")[1:3] == [str(len(latency.rows)), text(latency.ms)]
    assert cells(out, "(constant)")[2] == text(latency.constant_ms)
    assert cells(out, "stage2.unit0")
    assert cells(out, "depthwise")
    assert f"latency         {latency}\n80 % interval   {text(latency.low_ms)} to {text(latency.high_ms)} ms\n" in out
    share = f"{100 * latency.constant_ms / latency.ms:.1f} %"
    assert f"constant {share}" in out
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_the_costliest_come_first_and_the_others_are_one_row(archspace: Archspace) -> None:
    rows = told(archspace, V2, *GPU, "--per", "block", "--top", "3")["models"][0]["rows"]
    names = [row["name"] for row in rows]
    assert names[3:] == ["(16 other blocks)", "(constant)"]  # stem, 16 units, conv5 and head, less three
    everything = {row["name"]: row["latency_ms"] for row in told(archspace, V2, *GPU, "--per", "block")["models"][0]["rows"]}
    blocks = sorted((value for name, value in everything.items() if name != "(constant)"), reverse=True)
    assert [row["latency_ms"] for row in rows[:3]] == blocks[:3]
    assert rows[3]["latency_ms"] == pytest.approx(sum(blocks[3:]), rel=1e-12)
    _, out, _ = archspace("latency", V2, *GPU, "--top", "3")
    assert cells(out, "(16 other blocks)")


def test_several_networks_stand_in_one_table_with_ratios_and_intervals(archspace: Archspace) -> None:
    code, out, err = archspace("latency", "shufflenet_v1@g=3", V2, "fenet", *GPU)
    first, second, _ = (predict(graph, "gtx1080ti") for graph in (build("shufflenet_v1", groups=3), build(V2), build("fenet")))
    assert (code, err) == (0, "")
    text = in_ms(second.ms)
    ratio = f"x{second.ms / first.ms:.2f}"
    assert cells(out, V2)[1:6] == [text(second.ms), text(second.low_ms), "to", text(second.high_ms), ratio]
    assert cells(out, "shufflenet_v1@g=3")[5] == "x1.00"
    reasons = predict(build("fenet"), "gtx1080ti").extrapolates
    assert reasons  # more kernels than the fit has seen
    assert [reason for reason in reasons if f"fenet: extrapolates: {reason}\n" not in out] == []
    models = told(archspace, "shufflenet_v1@g=3", V2, *GPU)["models"]
    assert [model["ratio"] for model in models] == [1, second.ms / first.ms]


def test_rows_of_several_networks_follow_where_they_are_asked_for(archspace: Archspace) -> None:
    _, out, _ = archspace("latency", "fenet", V2, *GPU, "--per", "stage")
    assert [line.split()[0] for line in out.splitlines() if "  batch 8  " in line] == ["fenet", V2]
    _, out, _ = archspace("latency", "fenet", V2, *GPU)
    assert "  batch 8  " not in out


def test_csv_has_the_rows_of_one_network_and_the_totals_of_several(archspace: Archspace) -> None:
    _, out, _ = archspace("latency", V2, *GPU, "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(out)))
    latency = predict(build(V2), "gtx1080ti")
    assert len(lines) == len(latency.rows) + 1
    assert sum(float(line["latency_ms"]) for line in lines) == pytest.approx(latency.ms, rel=1e-12)
    assert lines[0]["nodes"] == " ".join(latency.rows[0].nodes)
    assert {line["model"] for line in lines} == {V2}
    _, out, _ = archspace("latency", V2, "fenet", *GPU, "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert [line["model"] for line in lines] == [V2, "fenet"]
    assert float(lines[0]["latency_ms"]) == latency.ms
    assert (lines[0]["lower_bound"], lines[0]["extrapolates"]) == ("False", "")
    assert lines[1]["extrapolates"] == "; ".join(predict(build("fenet"), "gtx1080ti").extrapolates) != ""


def test_a_batch_of_another_size_is_predicted_with_a_flag(archspace: Archspace) -> None:
    (model,) = told(archspace, V2, *GPU, "--batch", "2")["models"]
    assert (model["batch"], model["input_shape"][0]) == (2, 2)
    assert model["extrapolates"] == ["batch 2, fitted at 8"]
    assert model["latency_ms"] == pytest.approx(predict(build(V2), "gtx1080ti", batch=2).ms, rel=1e-12)
    _, out, _ = archspace("latency", V2, *GPU, "--batch", "2")
    assert "extrapolates    batch 2, fitted at 8\n" in out
    assert not model["interval_holds"]
    assert cells(out, "80 % interval")[-7:] == ["does", "not", "hold", "outside", "the", "fitted", "range"]
    assert "±" not in out
    _, out, _ = archspace("latency", V2, V2, *GPU, "--batch", "2")
    assert "(in brackets): outside the fitted range, where the interval does not hold\n" in out
    assert (cells(out, V2)[2][0], cells(out, V2)[4][-1]) == ("(", ")")


@pytest.mark.parametrize("words", [(), ("--per", "op"), ("--per", "stage"), ("--batch", "3")])
@pytest.mark.parametrize("names", [("nasnet_a_mobile",), ("shufflenet_v1@groups=3,width=0.5", "nasnet_a_mobile")])
def test_no_line_is_wider_than_80_columns(names: tuple[str, ...], words: tuple[str, ...], archspace: Archspace, tmp_path: Path) -> None:
    data = json.loads((DEVICES / "gtx1080ti.json").read_text(encoding="utf-8"))
    free = tmp_path / "free.json"
    free.write_text(json.dumps({**data, "coefficients": {"default": {}, "linear": {}}}), encoding="utf-8")  # a long reason
    for device in ("gtx1080ti", "rtx4090", str(free)):
        code, out, _ = archspace("latency", *names, "--device", device, *words)
        assert code == 0
        assert [line for line in out.splitlines() if len(line) > 80] == []


def test_the_help_says_that_the_batch_is_the_devices(archspace: Archspace) -> None:
    assert "Images per batch. [default: the device's]" in " ".join(archspace("latency", "--help").out.split())
    assert "Images per batch. [default: 1]" in " ".join(archspace("analyze", "--help").out.split())


def test_unknown_work_makes_the_total_a_lower_bound_and_is_never_silent(archspace: Archspace, opaque: str) -> None:
    (model,) = told(archspace, opaque, *GPU)["models"]
    assert (model["opaque"], model["lower_bound"]) == (["odd"], True)
    assert "ops of unknown kind: aten.fft" in model["extrapolates"]
    _, out, _ = archspace("latency", opaque, *GPU)
    assert "latency         at least " in out
    assert "lower bound     1 op of unknown work, priced by memory access at most: odd\n" in out
    _, out, _ = archspace("latency", V2, opaque, *GPU)
    assert cells(out, opaque)[1] == "≥"
    assert f"{opaque}: lower bound: 1 op of unknown work" in " ".join(out.split())


def test_op_types_that_the_fit_has_no_price_for_are_named(archspace: Archspace, tmp_path: Path) -> None:
    data = json.loads((DEVICES / "gtx1080ti.json").read_text(encoding="utf-8"))
    path = tmp_path / "convolutions.json"
    path.write_text(json.dumps({**data, "coefficients": {"default": {}, "dense": {"ms_per_gmadd": 200}}}), encoding="utf-8")
    (said,) = (reason for reason in predict(build("fenet"), path).extrapolates if reason.startswith("no price for: "))
    free = {part.name for part in breakdown(predict(build("fenet"), path), "type") if part.kernels and not part.ms}
    assert {word.split()[0] for word in said.removeprefix("no price for: ").split(", ")} == free != set()
    _, out, _ = archspace("latency", "fenet", "--device", str(path))
    assert f"extrapolates {said}" in " ".join(out.split())
    assert "latency         at least " in out
    _, out, _ = archspace("latency", "fenet", "fenet", "--device", str(path))
    assert " ".join(out.split()).count(f"fenet: extrapolates: {said}") == 2
    (model,) = told(archspace, "fenet", "--device", str(path))["models"]
    assert (model["lower_bound"], model["interval_holds"], said in model["extrapolates"]) == (True, False, True)


def test_a_network_that_takes_no_time_has_no_shares(archspace: Archspace, tmp_path: Path) -> None:
    b = Builder("nothing")
    save(b.build(b.add("act", ReLU(), b.input((4, 10)))), tmp_path / "nothing.json")
    device = json.loads((DEVICES / "gtx1080ti.json").read_text(encoding="utf-8"))
    device |= {"constant_ms": 0, "ms_per_input_mpixel": 0, "coefficients": {"default": {}}}
    (tmp_path / "free.json").write_text(json.dumps(device), encoding="utf-8")
    words = (str(tmp_path / "nothing.json"), "--device", str(tmp_path / "free.json"))
    (model,) = told(archspace, *words)["models"]
    assert (model["latency_ms"], model["ratio"], model["rows"][0]["share"]) == (0, None, None)
    assert cells(archspace("latency", *words).out, "act") == ["act", "1", *"-----"]
    assert archspace("latency", *words[:1], *words).code == 0
    for names in (words, (words[0], *words)):
        assert archspace("latency", *names, "-o", str(tmp_path / "page.html"), "--force").code == 0


def test_options_of_the_model_are_its_name(archspace: Archspace) -> None:
    (model,) = told(archspace, "shufflenet_v1", "--g", "8", "--width", "0.5", *GPU)["models"]
    assert model["model"] == "shufflenet_v1 g=8 width=0.5"
    assert model["latency_ms"] == predict(build("shufflenet_v1", groups=8, width=0.5), "gtx1080ti").ms


def test_the_projects_settings_may_name_the_device(archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.archspace]\ndevice = "sd810"\n', encoding="utf-8")
    assert told(archspace, V2)["device"] == "sd810"
    assert told(archspace, V2, *GPU)["device"] == "gtx1080ti"
    (tmp_path / "pyproject.toml").write_text('[tool.archspace]\ndevice = "sd81"\n', encoding="utf-8")
    code, _, err = archspace("latency", V2)
    assert code == 2
    assert "pyproject.toml: [tool.archspace] device: unknown device 'sd81'. Did you mean 'sd810'?" in err


def test_times_are_written_with_four_digits_of_the_total() -> None:
    assert [in_ms(whole)(whole / 8) for whole in (0.04, 3.2, 48.0, 480.0, 48_000.0)] == ["0.00500", "0.400", "6.00", "60.0", "6000"]
    assert in_ms(0.0)(0.0) == "-"


# The page.


def test_a_file_in_html_gets_a_page_that_needs_nothing_else(archspace: Archspace, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert archspace("latency", V2, *GPU, "-o", str(path)) == (0, "", f"wrote {path}\n")
    page = path.read_text(encoding="utf-8")
    assert "stage2.unit0" in page
    assert "per-kernel overhead" in page
    assert "<script src=" not in page
    code, _, err = archspace("latency", V2, "fenet", *GPU, "-o", str(path))
    assert (code, "exists already" in err) == (2, True)
    assert archspace("latency", V2, "fenet", *GPU, "-o", str(path), "--force").code == 0
    assert "Share of each op type" in path.read_text(encoding="utf-8")


# Compared with what is measured: a stand-in takes the place of the timing.


@dataclass(frozen=True)
class Row:
    """What the timing says of one network."""

    model: str
    measured_ms: float
    spread_pct: float = 0.5
    noise_pct: float = 1.25
    busy_pct: float | None = 7.0
    rounds: int = 15
    clock: str = "thread"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the timing was asked; it finds every network twice as fast as it is predicted for the GPU, and cannot run FE-Net."""
    calls: list[dict[str, Any]] = []

    def measure(models: Any, **options: Any) -> tuple[Row, ...]:
        calls.append({"models": [one.name for one in models], "batches": {one.input_shape[0] for one in models}, **options})
        if any(one.name == "fenet" for one in models):
            warnings.warn("fenet: eager cannot run it", UserWarning, stacklevel=1)
        return tuple(
            Row(one.name, 0.5 * predict(one.graph, "gtx1080ti", batch=one.input_shape[0]).ms) for one in models if one.name != "fenet"
        )

    monkeypatch.setattr(package, "measure", measure, raising=False)
    return calls


MEASURED = ("--compare-measured", "--backend", "eager")


def test_measured_and_predicted_stand_side_by_side(archspace: Archspace, asked: list[dict[str, Any]]) -> None:
    (model,) = told(archspace, V2, *GPU, *MEASURED)["models"]
    assert asked == [{"models": [V2], "backends": ("eager",), "on": "cpu", "batches": {8}, "threads": 1}]
    assert model["measured"] == {
        "measured_ms": pytest.approx(0.5 * model["latency_ms"]),
        "backend": "eager",
        "on": "cpu",
        "threads": 1,
        "spread_pct": 0.5,
        "noise_pct": 1.25,
        "busy_pct": 7,
        "rounds": 15,
        "clock": "thread",
        "error_pct": pytest.approx(100),  # 1 / 0.5 - 1
        "within_interval": False,  # half of it is far below
        "ratio": 1,
    }
    _, out, _ = archspace("latency", V2, *GPU, *MEASURED)
    assert "ms here (eager on cpu, threads 1): predicted +100.0 %, outside the interval noise floor" in " ".join(out.split())
    assert "noise floor     1.2 % in these 15 rounds; another run may lie a few percent off\n" in out
    assert "others used     7 % of the machine meanwhile\n" in out


def test_several_networks_are_measured_in_one_go_and_told_apart(archspace: Archspace, asked: list[dict[str, Any]]) -> None:
    specs = ("shufflenet_v1@g=3", "shufflenet_v1@g=8")
    models = told(archspace, *specs, *GPU, *MEASURED, "--batch", "4", "--on", "cuda")["models"]
    assert [call | {"models": tuple(call["models"])} for call in asked] == [
        {"models": specs, "backends": ("eager",), "on": "cuda", "batches": {4}, "threads": 1}
    ]
    assert models[1]["measured"]["ratio"] == pytest.approx(models[1]["ratio"])
    _, out, _ = archspace("latency", *specs, *GPU, *MEASURED)
    whole = [predict(build("shufflenet_v1", groups=groups), "gtx1080ti").ms for groups in (3, 8)]
    assert cells(out, specs[1])[5:10] == [
        f"x{whole[1] / whole[0]:.2f}",
        f"{0.5 * whole[1]:.3f}",
        f"x{whole[1] / whole[0]:.2f}",
        "+100.0",
        "%",
    ]
    assert "measured: here, eager on cpu, threads 1; off: predicted against measured" in out
    assert "noise floor: 1.2 % in these 15 rounds; another run may lie a few percent off\nothers used: 7 % of the machine" in out
    _, out, _ = archspace("latency", *specs, *GPU, *MEASURED, "--format", "csv")
    assert [float(line["measured_error_pct"]) for line in csv.DictReader(io.StringIO(out))] == pytest.approx([100, 100])


@pytest.mark.usefixtures("asked")
def test_a_network_that_cannot_be_run_is_named_and_predicted_all_the_same(archspace: Archspace) -> None:
    code, out, err = archspace("latency", "fenet", V2, *GPU, *MEASURED)
    assert (code, err) == (2, "warning: fenet: eager cannot run it\n")
    assert "+100.0 %" in out
    _, out, _ = archspace("latency", "fenet", V2, *GPU, *MEASURED, "--format", "json")
    assert [model["measured"] is None for model in json.loads(out)["models"]] == [True, False]


NETS = """
import torch
from torch import nn
from torch.nn import functional
class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, 16, 8, 8), nn.BatchNorm2d(16)
        self.token, self.positions = nn.Parameter(torch.zeros(1, 1, 16)), nn.Parameter(torch.zeros(1, 17, 16))
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    def forward(self, x):
        x = self.norm(self.patch(x)).flatten(2).transpose(1, 2)
        return self.layer(torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions)[:, 0]
class Odd(Vit):
    def forward(self, x):
        norm = self.norm
        y = functional.batch_norm(self.patch(x), norm.running_mean, norm.running_var, norm.weight, norm.bias)
        return torch.hypot(y, y)
"""


def test_python_models_are_measured_as_they_are_at_the_devices_batch(
    archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS, encoding="utf-8")
    words = (*GPU, "--compare-measured", "--backend", "folded", "--input", "32")
    code, out, err = archspace("latency", "nets.py:Vit", *words, "--format", "json")
    assert (code, err) == (0, "running the code of nets.py\n")
    (model,) = json.loads(out)["models"]
    assert (model["batch"], model["measured"]["backend"]) == (8, "folded")  # its token is expanded to the batch, which no graph of one is
    assert model["measured"]["measured_ms"] > 0
    code, out, err = archspace("latency", "nets.py:Odd", *words)
    assert code == 2
    assert cells(out, "80 % interval")
    assert "measured" not in out
    (said,) = [line for line in err.splitlines() if "folded" in line]
    assert said.startswith("warning: nothing is measured: folded cannot run nets.py:Odd: a batch norm that is no plain layer")
    assert "strict" not in err


def test_what_cannot_be_read_at_the_devices_batch_is_predicted_all_the_same(archspace: Archspace, tmp_path: Path) -> None:
    b = Builder("fixed")
    x = b.add("odd", Opaque("aten.fft", (1, 3, 32, 32)), b.input((1, 3, 32, 32)))
    path = tmp_path / "net.json"
    save(b.build(b.add("conv", Conv2d(3, 64, 3, padding=1), x)), path)
    code, out, err = archspace("latency", str(path), *GPU, *MEASURED)
    assert code == 2
    assert cells(out, "80 % interval")
    assert err.startswith(f"warning: {path} is not measured: fixed: odd pins the input to (1, 3, 32, 32), but (8, 3, 32, 32) is asked for")
    assert err.count("\n") == 1


def test_a_device_that_was_not_calibrated_here_does_not_say_what_to_measure_with(archspace: Archspace) -> None:
    code, _, err = archspace("latency", V2, *GPU, "--compare-measured")
    assert code == 2
    assert "gtx1080ti was not calibrated by archspace" in err
    assert "--backend eager" in err
    with pytest.raises(LawError, match="sd810 was not calibrated"):
        backend_of(load_profile("sd810"), None)
    assert backend_of(load_profile("sd810"), "folded") == "folded"
    mine = replace(load_profile("sd810"), backend="onnxruntime")
    assert (backend_of(mine, None), backend_of(mine, "eager")) == ("onnxruntime", "eager")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "latency takes at least one MODEL, but got none"),
        ((V2,), "latency needs a device, but none is given. Add --device gtx1080ti; archspace devices lists them."),
        ((V2, "--device", "gtx1080"), "unknown device 'gtx1080'. Did you mean 'gtx1080ti'?"),
        ((V2, "--device", "none.json"), "none.json: cannot be read"),
        ((V2, *GPU, "--batch", "0"), "0 is not in the range x>=1"),
        ((V2, *GPU, "--batch", "-2"), "-2 is not in the range x>=1"),
        ((V2, *GPU, "--top", "0"), "0 is not in the range x>=1"),
        ((V2, *GPU, "--per", "layer"), "'layer' is not one of 'op', 'block', 'stage'"),
        ((V2, *GPU, "--devise", "x"), "unknown option of shufflenet_v2 'devise'. Did you mean 'device'?"),
        ((V2, "fenet", *GPU, "--width", "2"), "each of several MODELs has its options in its spec, but got --width"),
        ((V2, *GPU, "--backend", "eager"), "--backend and --on say how --compare-measured runs the networks"),
        ((V2, *GPU, "-o", "x.html", "--format", "csv"), "a file in .html gets figures, but --format csv asks for numbers"),
        ((V2, "fenet", *GPU, "-o", "x.html", "--top", "3"), "a page of several networks has a bar for each"),
        ((V2, *GPU, "-o", "nowhere/x.html"), "its folder nowhere must exist"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    words: tuple[str, ...], message: str, archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = archspace("latency", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
