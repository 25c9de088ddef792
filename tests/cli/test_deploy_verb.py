"""`archspace deploy`: files in and out, the table of before and after, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from trained import trained

from archspace import analyze, deploy, load, predict, save
from archspace.ir import Builder
from archspace.ir.ops import BatchNorm2d, ChannelShuffle, ChannelSlice, Concat, Conv2d, ReLU, SparseShift
from archspace.latency.fusion import fused_kernels
from archspace.pytorch import load_module, save_module
from archspace.pytorch.deploy import agreement
from archspace.pytorch.deploy.files import network_of, read_network

Archspace = Callable[..., Any]


def network() -> Any:
    """A unit that splits, shifts, joins and shuffles, and a batch norm that cannot fold."""
    b = Builder("small")
    x = b.add("stem", Conv2d(3, 8, 3, padding=1), b.input((1, 3, 8, 8)))
    x = b.add("act", ReLU(), b.add("bn", BatchNorm2d(8), x))
    for i in range(2):
        keep = b.add(f"keep{i}", ChannelSlice(0, 4), x)
        y = b.add(f"conv{i}", Conv2d(4, 4, 1), b.add(f"split{i}", ChannelSlice(4, 8), x))
        y = b.add(f"shift{i}", SparseShift(4, 2, learned=True), b.add(f"act{i}", ReLU(), b.add(f"bn{i}", BatchNorm2d(4), y)))
        x = b.add(f"shuffle{i}", ChannelShuffle(2), b.add(f"concat{i}", Concat(), keep, y))
    return b.build(b.add("last", BatchNorm2d(8), x))


GRAPH = network()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network as .pt2."""
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    save_module(trained(GRAPH), GRAPH, path)
    return path


def folder(path: Path) -> Path:
    """A trained network as a folder of graph.json and weights.pt."""
    path.mkdir()
    save(GRAPH, path / "graph.json")
    torch.save(trained(GRAPH).state_dict(), path / "weights.pt")
    return path


def refused(archspace: Archspace, *words: str) -> str:
    code, out, err = archspace("deploy", *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return str(err)


def test_the_table_counts_before_and_after_and_says_what_was_not_folded(archspace: Archspace, tmp_path: Path) -> None:
    code, out, err = archspace("deploy", str(folder(tmp_path / "in")))
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[3:9]] == ["madds", "params", "mem_elems", "movement_share", "nodes", "kernels"]
    assert "3 of 4 batch norms folded; not folded: 1 (last): it follows" in out
    assert list(tmp_path.iterdir()) == [tmp_path / "in"]


def test_the_json_has_the_counts_of_both_graphs(archspace: Archspace, program: Path, tmp_path: Path) -> None:
    target = tmp_path / "deployed"
    code, out, err = archspace("deploy", str(program), "-o", str(target), "--format", "json")
    assert (code, err) == (0, f"wrote {target}\n")
    data = json.loads(out)
    deployed = load(target / "graph.json")
    for key, graph in (("before", GRAPH), ("after", deployed)):
        totals = analyze(graph).totals
        assert data[key] == {
            "madds": totals.madds,
            "params": totals.params,
            "mem_elems": totals.mem_elems,
            "movement_share": totals.movement_share,
            "nodes": totals.nodes,
            "kernels": len(fused_kernels(graph, "none")),
        }
    assert data["passed"]
    assert data["difference"] < 1e-6
    assert [row["node"] for row in data["not_folded"]] == ["last"]
    assert deployed == deploy(GRAPH, trained(GRAPH).state_dict())[0]


def test_a_device_adds_the_latency_before_and_after(archspace: Archspace, program: Path) -> None:
    deployed, _ = deploy(GRAPH, trained(GRAPH).state_dict())
    before, after = predict(GRAPH, "gtx1080ti"), predict(deployed, "gtx1080ti")
    code, out, _ = archspace("deploy", str(program), "--device", "gtx1080ti", "--format", "json")
    data = json.loads(out)
    assert (code, data["device"]) == (0, "gtx1080ti")
    assert (data["before"]["latency_ms"], data["after"]["latency_ms"]) == (before.ms, after.ms)
    assert after.ms < before.ms
    _, out, _ = archspace("deploy", str(program), "--device", "gtx1080ti")
    assert f"latency before: {before}\n" in out
    assert f"latency after: {after}\n" in out
    assert [data["latency"][when]["extrapolates"] for when in ("before", "after")] == [list(one.extrapolates) for one in (before, after)]
    assert [reason for reason in after.extrapolates if f"latency after extrapolates: {reason}\n" not in out] == []
    assert f"x{after.ms / before.ms:.2f}" in next(line for line in out.splitlines() if line.startswith("latency_ms"))
    assert "unknown device 'gtx1080'. Did you mean 'gtx1080ti'?" in refused(archspace, str(program), "--device", "gtx1080")


def test_what_is_written_computes_the_same_whichever_way_it_is_read(archspace: Archspace, program: Path, tmp_path: Path) -> None:
    assert archspace("deploy", str(program), "-o", str(tmp_path / "one.pt2")).code == 0
    assert archspace("deploy", str(folder(tmp_path / "in")), "-o", str(tmp_path / "many")).code == 0
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["graph.json", "model.pt2", "weights.pt"]
    x = torch.randn((5, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = trained(GRAPH)(x)
        graph, state = read_network(tmp_path / "many")
        for module in (
            load_module(tmp_path / "one.pt2")[0],
            load_module(tmp_path / "many" / "model.pt2")[0],
            network_of(graph, state, "many"),
            network_of(*read_network(tmp_path / "one.pt2"), "one"),
        ):
            assert float((module(x) - expected).abs().max() / expected.abs().max()) < 1e-6


def test_a_folder_with_a_program_alone_is_read_as_well(archspace: Archspace, program: Path, tmp_path: Path) -> None:
    source = folder(tmp_path / "in")
    (source / "weights.pt").unlink()
    (source / "model.pt2").write_bytes(program.read_bytes())
    assert archspace("deploy", str(source)).code == 0


def test_csv_has_a_line_per_network(archspace: Archspace, program: Path) -> None:
    lines = archspace("deploy", str(program), "--format", "csv").out.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["network", "before", "after"]


def test_nothing_is_overwritten_unasked(archspace: Archspace, program: Path, tmp_path: Path) -> None:
    target = tmp_path / "deployed.pt2"
    target.write_text("mine")
    assert "exists already, and nothing is overwritten unasked" in refused(archspace, str(program), "-o", str(target))
    assert target.read_text() == "mine"
    source = folder(tmp_path / "in")
    assert "graph.json: exists already" in refused(archspace, str(program), "-o", str(source))
    assert "this is a file" in refused(archspace, str(program), "-o", str(source / "weights.pt"))
    assert archspace("deploy", str(program), "-o", str(target), "--force").code == 0
    assert load_module(target)[1].name == "small"


def test_outputs_that_differ_are_exit_code_one_and_nothing_is_written(
    archspace: Archspace, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "LIMIT", -1.0)
    code, out, err = archspace("deploy", str(program), "-o", str(tmp_path / "deployed.pt2"))
    assert code == 1
    assert "in float64 the outputs differ by" in out
    assert err.endswith("not written: the outputs differ\n")
    assert list(tmp_path.iterdir()) == []


class Trap:
    """What a pickle may do when it is loaded: here, make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_never_loaded(archspace: Archspace, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    source = folder(tmp_path / "in")
    torch.save({"stem.weight": Trap(trap)}, source / "weights.pt")
    assert "a pickle of other objects is never loaded, since it can run any code" in refused(archspace, str(source))
    (source / "weights.pt").write_bytes(pickle.dumps(Trap(trap)))
    assert "a pickle of other objects is never loaded" in refused(archspace, str(source))
    torch.save(Trap(trap), tmp_path / "model.pt2")
    assert "this archive holds none. A pickle is never loaded" in refused(archspace, str(tmp_path / "model.pt2"))
    (tmp_path / "plain.pt2").write_bytes(pickle.dumps(Trap(trap)))
    assert "but this is none. A pickle is never loaded" in refused(archspace, str(tmp_path / "plain.pt2"))
    assert not trap.exists()


def test_a_pickle_among_a_programs_weights_is_never_loaded(archspace: Archspace, program: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    crafted = tmp_path / "crafted.pt2"
    with ZipFile(program) as source, ZipFile(crafted, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("weights_config.json"):
                table = json.loads(data)
                for row in table["config"].values():
                    row["use_pickle"] = True
                data = json.dumps(table).encode()
            elif "/weights/" in name:
                data = pickle.dumps(Trap(trap))
            target.writestr(name, data)
    assert "a pickle of other objects is never loaded" in refused(archspace, str(crafted))
    assert not trap.exists()


def test_a_program_that_archspace_did_not_write_is_deployed_too(archspace: Archspace, tmp_path: Path) -> None:
    layers = torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU()
    module = torch.nn.Sequential(*layers).eval()
    layers[1].running_mean.uniform_()
    layers[1].running_var.uniform_(0.5, 2)
    x = torch.rand(2, 3, 8, 8)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "net.pt2")
    assert archspace("deploy", str(tmp_path / "net.pt2"), "-o", str(tmp_path / "deployed.pt2")).code == 0
    deployed, graph = load_module(tmp_path / "deployed.pt2")
    assert [type(node.op).__name__ for node in graph] == ["Input", "Conv2d", "ReLU"]
    with torch.no_grad():
        assert (deployed(x) - module(x)).abs().max() <= 1e-5 * module(x).abs().max()


def test_foreign_and_truncated_files_are_refused(archspace: Archspace, program: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pt2"
    cut.write_bytes(program.read_bytes()[:-2000])
    assert "is truncated: its table of contents is missing" in refused(archspace, str(cut))
    cut.write_bytes(program.read_bytes()[:300])
    assert "but this is none. A pickle is never loaded" in refused(archspace, str(cut))
    assert "cannot be read" in refused(archspace, str(tmp_path / "nothing.pt2"))
    source = folder(tmp_path / "in")
    weights = (source / "weights.pt").read_bytes()
    (source / "weights.pt").write_bytes(weights[: len(weights) // 2])
    assert "weights.pt: must be a whole file of weights" in refused(archspace, str(source))
    torch.save([torch.ones(1)], source / "weights.pt")
    assert "must hold a state dict, tensors by name, but holds something else" in refused(archspace, str(source))
    torch.save({"stem.weight": torch.ones(1)}, source / "weights.pt")
    assert "the weights must fit the graph, but do not: Missing key(s)" in refused(archspace, str(source))
    (source / "weights.pt").unlink()
    assert "must hold weights.pt or model.pt2 beside graph.json, but has neither" in refused(archspace, str(source))
    (source / "graph.json").unlink()
    assert "graph.json: cannot be read: No such file or directory" in refused(archspace, str(source))


@pytest.mark.parametrize("change", ["table", "bytes"])
def test_a_program_whose_weights_are_not_as_torch_writes_them_is_refused(
    archspace: Archspace, program: Path, tmp_path: Path, change: str
) -> None:
    crafted = tmp_path / "crafted.pt2"
    with ZipFile(program) as source, ZipFile(crafted, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("weights_config.json") and change == "table":
                data = b'{"config": {"stem.weight": []}}'
            elif "/weights/weight_" in name and change == "bytes":
                data = data[:4]
            target.writestr(name, data)
    assert "must be a whole file of weights" in refused(archspace, str(crafted))
