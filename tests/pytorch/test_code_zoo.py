"""Generated code of the zoo: the module's state dict, its outputs and start values, and what linters and people say of the text."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import torch
from small_networks import small_network
from torch import nn

from archspace.pytorch import code_files
from archspace.zoo import MEMBERS, ZOO, build

RUFF = [sys.executable, "-m", "ruff"]
RULES = ["--isolated", "--line-length", "140"]  # the line length of the project, ruff's own rules


def write(files: dict[str, str], folder: Path) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def assert_clean(folder: Path) -> None:
    """Linter and formatter have nothing to say of any file below."""
    for words in (["check", *RULES], ["format", "--check", *RULES]):
        done = run([*RUFF, *words, "."], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_code_of_every_family_passes_linter_and_formatter(tmp_path: Path) -> None:
    for family in ZOO:
        write(code_files(small_network(family)), tmp_path / family)
        write(code_files(small_network(family, features=True)), tmp_path / f"{family}_features")
    assert_clean(tmp_path)


@pytest.mark.slow
def test_code_of_every_member_is_clean_and_has_the_graphs_parameters(tmp_path: Path) -> None:
    for member in MEMBERS:
        graph = build(member)
        files = code_files(graph)
        write(files, tmp_path / member)
        space: dict[str, Any] = {"__name__": "model"}
        text = files["model.py"].replace("from shift import", "from archspace.pytorch.layers import")
        exec(compile(text, member, "exec", dont_inherit=True), space)
        kinds = [one for one in space.values() if isinstance(one, type) and issubclass(one, nn.Module) and one.__module__ == "model"]
        with torch.device("meta"):
            network = kinds[-1]()
        assert sum(p.numel() for p in network.parameters()) == sum(graph.counts(node).params for node in graph), member
        scopes = {node.name for node in graph}
        assert all(name.rpartition(".")[0] in scopes for name in network.state_dict()), member
    assert_clean(tmp_path)


def test_code_trains_exports_and_compiles() -> None:
    space: dict[str, Any] = {"__name__": "model"}
    exec(compile(code_files(small_network("shufflenet_v2"))["model.py"], "model.py", "exec", dont_inherit=True), space)
    network = space["ShuffleNetV2"](seed=0)
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
