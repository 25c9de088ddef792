"""The Python interface: the names that `archspace` promises, and its examples."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspace

NAMES = [
    "ArchspaceError", "Builder", "Graph", "Space",
    "analyze", "build", "calibrate", "compare_spaces", "deploy", "describe", "devices", "experiment", "from_export",
    "from_onnx", "from_torch", "improve", "lint", "load",
    "load_weights",
    "measure", "predict", "prior", "save",
    "search", "to_module", "verify", "write_results",
]  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert archspace.__all__ == NAMES == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_resolves_is_documented_and_is_listed(name: str) -> None:
    value = getattr(archspace, name)
    assert callable(value)
    assert value.__name__ == name
    assert value.__doc__
    assert name in dir(archspace)


def test_a_name_that_is_asked_for_lazily_is_the_one_of_its_module() -> None:
    from archspace.latency import predict
    from archspace.pytorch import to_module
    from archspace.rules import lint
    from archspace.space import Space
    from archspace.study import search

    assert (archspace.lint, archspace.predict, archspace.to_module, archspace.search, archspace.Space) == (
        lint,
        predict,
        to_module,
        search,
        Space,
    )
    lazy = {"from_export", "from_onnx", "from_torch", "lint", "load_weights", "predict", "search", "Space", "to_module", "write_results"}
    lazy |= {"calibrate", "compare_spaces", "deploy", "describe", "devices", "experiment", "improve", "measure", "prior", "verify"}
    assert set(archspace._LAZY) == lazy


def test_other_names_fail_as_any_modules_do() -> None:
    with pytest.raises(AttributeError, match="module 'archspace' has no attribute 'biuld'"):
        _ = archspace.biuld


def test_the_version_is_that_of_a_release() -> None:
    assert [part.isdigit() for part in archspace.__version__.split(".")] == [True] * 3


def test_every_error_can_be_caught_as_one() -> None:
    for call in (lambda: archspace.build("nonet"), lambda: archspace.build("resnet", width=0), lambda: archspace.load("no/such/file.json")):
        with pytest.raises(archspace.ArchspaceError):
            call()


def test_a_graph_is_built_and_analysed() -> None:
    graph = archspace.build("shufflenet_v1", groups=8, width=0.5, input=(224, 224), batch=1)
    report = archspace.analyze(graph)
    assert isinstance(graph, archspace.Graph)
    assert (report.totals.madds, report.totals.params, report.totals.mem_elems) == (40_469_760, 1_011_448, 20_200_800)
    assert sum(row.counts.madds for row in report.rows) == report.totals.madds
    assert report.to_dict()["totals"]["madds"] == report.totals.madds


def test_a_graph_is_saved_and_loaded(tmp_path: Path) -> None:
    graph = archspace.build("shufflenet_v2", width=0.5)
    archspace.save(graph, tmp_path / "graph.json")
    assert archspace.load(tmp_path / "graph.json") == graph


def test_a_graphs_latency_is_predicted_with_an_interval() -> None:
    latency = archspace.predict(archspace.build("shufflenet_v1", groups=8, width=0.5), device="gtx1080ti")
    assert 0 < latency.low_ms < latency.ms < latency.high_ms
    assert latency.rows
    assert isinstance(latency.extrapolates, tuple)


def test_a_graph_becomes_a_torch_module() -> None:
    import torch

    graph = archspace.build("shufflenet_v1", groups=8, width=0.25, input=(64, 64), num_classes=10)
    module = archspace.to_module(graph)
    assert isinstance(module, torch.nn.Module)
    with torch.no_grad():
        assert module.eval()(torch.zeros(graph.input_shape)).shape == (1, 10)
    assert sum(p.numel() for p in module.parameters()) == archspace.analyze(graph).totals.params


def test_a_space_is_loaded_and_searched_under_a_bound(tmp_path: Path) -> None:
    space = archspace.Space.load(Path(__file__).parents[1] / "spaces" / "shufflenet_v1.toml")
    result = archspace.search(
        space, bounds={"madds": 140e6}, objectives={"stage_channels": "maximize"}, trials=12, directory=tmp_path / "study"
    )
    assert len(result.records) == 12
    assert result.winners
    assert all(record.metrics["madds"] <= 140e6 for record in result.winners)
