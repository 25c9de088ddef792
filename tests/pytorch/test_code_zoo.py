"""Generated code of the zoo: the module's state dict, its outputs and start values, and what linters and people say of the text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import torch
from torch import nn

from archspace.ir import Graph
from archspace.ir.features import feature_info
from archspace.pytorch import code_files, to_module
from archspace.zoo import MEMBERS, ZOO, build

RUFF = [sys.executable, "-m", "ruff"]
RULES = ["--isolated", "--line-length", "140"]  # the line length of the project, ruff's own rules


@pytest.fixture
def fresh_modules() -> Iterator[None]:
    """What a generated folder calls its modules is free before and after."""
    for name in ("model", "shift"):
        sys.modules.pop(name, None)
    yield
    for name in ("model", "shift"):
        sys.modules.pop(name, None)


def write(graph: Graph, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, text in code_files(graph).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def network_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The network's class, imported as a user would: from its folder."""
    monkeypatch.syspath_prepend(str(folder))
    module = import_module("model")
    return [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, nn.Module) and one.__module__ == "model"][-1]


def small(family: str, **options: Any) -> Graph:
    """The default member at a small input."""
    return build(family, input=(64, 64), **options)


def assert_network_is_module(graph: Graph, network: nn.Module) -> None:
    module = to_module(graph, seed=0)
    assert list(network.state_dict()) == list(module.state_dict())
    network.load_state_dict(module.state_dict())
    x = torch.randn(graph.input_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found, expected = network.eval()(x), module.eval()(x)
    for mine, its in zip(*(y if isinstance(y, tuple) else (y,) for y in (found, expected)), strict=True):
        assert torch.equal(mine, its)


@pytest.mark.usefixtures("fresh_modules")
@pytest.mark.parametrize("family", ZOO)
def test_a_familys_code_has_the_modules_state_dict_and_outputs(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small(family)
    with torch.device("meta"):
        network = network_in(write(graph, tmp_path / family), monkeypatch)()
    assert_network_is_module(graph, network.to_empty(device="cpu"))


def test_code_of_every_family_passes_linter_and_formatter(tmp_path: Path) -> None:
    for family in ZOO:
        write(build(family), tmp_path / family)
        write(build(family, features=True), tmp_path / f"{family}_features")
    for words in (["check", *RULES], ["format", "--check", *RULES]):
        done = run([*RUFF, *words, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_code_of_every_member_is_clean_and_has_the_graphs_parameters(tmp_path: Path) -> None:
    for member in MEMBERS:
        graph = build(member)
        files = code_files(graph)
        (tmp_path / member).mkdir()
        (tmp_path / member / "model.py").write_text(files["model.py"], encoding="utf-8")
        space: dict[str, Any] = {"__name__": "model"}
        text = files["model.py"].replace("from shift import", "from archspace.pytorch.layers import")
        exec(compile(text, member, "exec", dont_inherit=True), space)
        kinds = [one for one in space.values() if isinstance(one, type) and issubclass(one, nn.Module) and one.__module__ == "model"]
        with torch.device("meta"):
            network = kinds[-1]()
        assert sum(p.numel() for p in network.parameters()) == sum(graph.counts(node).params for node in graph), member
        scopes = {node.name for node in graph}
        assert all(name.rpartition(".")[0] in scopes for name in network.state_dict()), member
    for words in (["check", *RULES], ["format", "--check", *RULES]):
        assert run([*RUFF, *words, "."], cwd=tmp_path, check=False).returncode == 0


@pytest.mark.usefixtures("fresh_modules")
@pytest.mark.parametrize("family", ["shufflenet_v2", "fenet", "nasnet_a"])
def test_a_backbones_code_returns_the_stages_maps_and_says_what_they_are(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = small(family, features=True)
    network = network_in(write(graph, tmp_path / family), monkeypatch)()
    assert_network_is_module(graph, network)
    assert network.feature_info == list(feature_info(graph))


@pytest.mark.usefixtures("fresh_modules")
@pytest.mark.parametrize(("family", "options"), [("shufflenet_v1", {}), ("fenet", {"learned_shifts": True}), ("vgg", {"width": 0.125})])
def test_a_seed_starts_the_weights_as_in_memory(
    family: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = small(family, **options)
    network, module = network_in(write(graph, tmp_path / family), monkeypatch)(seed=3), to_module(graph, seed=3)
    for (name, mine), (same, its) in zip(network.state_dict().items(), module.state_dict().items(), strict=True):
        assert name == same
        assert torch.equal(mine, its), name


@pytest.mark.usefixtures("fresh_modules")
def test_code_trains_exports_and_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small("shufflenet_v2", width=0.5, num_classes=4)
    network = network_in(write(graph, tmp_path / "net"), monkeypatch)(seed=0)
    x = torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    network(x).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    network.eval()
    with torch.no_grad():
        expected = network(x)
        assert torch.equal(torch.compile(network, backend="eager", fullgraph=True)(x), expected)
        torch.testing.assert_close(torch.export.export(network, (x,)).module()(x), expected, rtol=0, atol=1e-6)


# What it reads like ---------------------------------------------------------------------------------------------------------------


def test_blocks_of_equal_structure_are_one_class_with_arguments() -> None:
    text = code_files(build("shufflenet_v2"))["model.py"]
    assert [line for line in text.splitlines() if line.startswith("class ")] == [
        f"class {name}(nn.Module):"
        for name in (
            "ChannelShuffle", "ConvBNReLU", "Stem", "DepthwiseConvBN", "Shortcut", "Branch", "DownUnit", "Unit", "Conv5", "Head",
            "ShuffleNetV2",
        )
    ]  # fmt: skip
    assert '        self.stage3 = stack(unit0=DownUnit(116, 116, 116), **{f"unit{i}": Unit(116) for i in range(1, 8)})' in text
    assert "        keep, x = x.chunk(2, dim=1)\n        x = self.branch(x)\n        x = torch.cat([keep, x], dim=1)\n" in text
    assert "nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)" in text


def test_values_that_follow_from_an_argument_are_written_so() -> None:
    text = code_files(build("mobilenet_v2"))["model.py"]
    assert "self.dw = ConvBNReLU6(6 * channels, 6 * channels, 3, groups=6 * channels)" in text
    dense = code_files(build("densenet"))["model.py"]
    assert 'self.stage1 = stack(**{f"unit{i}": Unit(64 + 32 * i) for i in range(6)})' in dense


def test_no_line_of_the_code_names_the_package_but_to_say_who_wrote_it() -> None:
    for family in ("shufflenet_v2", "fenet", "nasnet_a", "mobilenet_v2"):
        for name, text in code_files(build(family)).items():
            if name.endswith(".py"):
                assert sum("archspace" in line for line in text.splitlines()) == 1


def test_the_readme_says_what_it_is_what_it_costs_and_how_to_use_it() -> None:
    text = code_files(build("shufflenet_v2", width=0.5), others=("weights.pt",))["README.md"]
    assert "(40,476,448)" in text  # multiply-adds, as tests/zoo/golden.csv has them
    for words in (
        "1x3x224x224",
        "width=0.5",
        "from model import ShuffleNetV2",
        'torch.load("weights.pt", weights_only=True)',
        "torch.export",
    ):
        assert words in text
