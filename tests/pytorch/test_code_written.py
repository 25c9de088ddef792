"""The table CODE: every op kind is written as what it is lowered to."""

from __future__ import annotations

import ast
import inspect
import sys
from math import inf
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import torch
from further_examples import BUILT, REFUSED, tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.ir import Builder, Graph, ops
from archspace.pytorch import LOWERINGS, code_files, layers, to_module
from archspace.pytorch.code import pieces
from archspace.pytorch.code.arguments import literal
from archspace.pytorch.code.layout import LINE, Bracket, laid_out
from archspace.pytorch.code.pieces import Layer
from archspace.pytorch.code.sources import sources_of
from archspace.pytorch.code.written import CODE, written

# An op of every kind that can be built whose fields are not the defaults, with the shapes of its inputs.
IMAGE = (2, 18, 5, 7)
EXAMPLES: tuple[tuple[ops.Op, tuple[tuple[int, ...], ...]], ...] = (
    (ops.AdaptiveAvgPool2d((2, 3)), (IMAGE,)),
    (ops.Add(), (IMAGE, IMAGE)),
    (ops.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (IMAGE,)),
    (ops.BatchNorm2d(18, eps=1e-3, momentum=0.2), (IMAGE,)),
    (ops.ChannelGather((3, 20, 0, 35)), (IMAGE, IMAGE)),
    (ops.ChannelGather(tuple(range(35, -1, -1))), (IMAGE, IMAGE)),
    (ops.ChannelShuffle(3), (IMAGE,)),
    (ops.ChannelSlice(4, 9), (IMAGE,)),
    (ops.ChannelSlice(0, 9), (IMAGE,)),
    (ops.ChannelSlice(9, 18), (IMAGE,)),
    (ops.ChannelSlice(0, 7), (IMAGE,)),
    (ops.ChannelSlice(7, 18), (IMAGE,)),
    (ops.Concat(dim=2), (IMAGE, (2, 18, 1, 7), IMAGE)),
    (ops.Conv2d(18, 12, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=6, bias=True), (IMAGE,)),
    (ops.Dropout(0.3), (IMAGE,)),
    (ops.FixedShift((1, 0, -2) * 6, (0, 0, 1) * 6, inplace=True), (IMAGE,)),
    (ops.FixedShift((1, 0, -2) * 60, (0, 0, 1) * 60), ((2, 180, 5, 7),)),
    (ops.Flatten(2), (IMAGE,)),
    (ops.GELU(), (IMAGE,)),
    (ops.GroupedShift(18), (IMAGE,)),
    (ops.Hardsigmoid(), (IMAGE,)),
    (ops.Hardswish(), (IMAGE,)),
    (ops.Linear(7, 4, bias=False), (IMAGE,)),
    (ops.MaxPool2d((2, 3), stride=(2, 3), padding=(1, 0), ceil_mode=True), (IMAGE,)),
    (ops.Multiply(), (IMAGE, (2, 18, 1, 1))),
    (ops.Pad((1, 2, 3, 4)), (IMAGE,)),
    (ops.ReLU(), (IMAGE,)),
    (ops.ReLU6(), (IMAGE,)),
    (ops.Reshape((9, 2, 35)), (IMAGE,)),
    (ops.SiLU(), (IMAGE,)),
    (ops.Sigmoid(), (IMAGE,)),
    (ops.Softmax(1), (IMAGE,)),
    (ops.SparseShift(18, 9), (IMAGE,)),
    (ops.SparseShift(18, 9, learned=True), (IMAGE,)),
)


def kind_name(value: object) -> str:
    return type(value).__name__ if isinstance(value, ops.Op) else ""


def graph_of(op: ops.Op, shapes: tuple[tuple[int, ...], ...]) -> Graph:
    b = Builder("single")
    return b.build(b.add("op", op, *(b.input(shape, f"x{i}") for i, shape in enumerate(shapes))))


def namespace(files: dict[str, str]) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "model"}
    for name in ("shift.py", "model.py"):
        text = files.get(name, "").replace("from shift import", "from archspace.pytorch.layers import")
        exec(compile(text, name, "exec", dont_inherit=True), space)
    return space


def test_the_table_has_one_row_per_op_kind() -> None:
    assert set(CODE) == set(LOWERINGS) == set(ops.OPS.values())
    refused = {kind for kind, writing in CODE.items() if writing is pieces.refused}
    assert refused == {ops.Opaque, *(type(op) for op, _ in REFUSED)}
    shown = {type(op) for op, _ in (*EXAMPLES, *BUILT)}
    assert shown == set(CODE) - refused - {ops.Input, ops.Parameter}  # those: test_code_any_graph


@pytest.mark.parametrize(("op", "shapes"), [*EXAMPLES, *BUILT], ids=kind_name)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")  # torch's choice of kernel
def test_the_code_of_an_op_computes_what_its_lowering_does(op: ops.Op, shapes: tuple[tuple[int, ...], ...]) -> None:
    graph = graph_of(op, shapes)
    module = to_module(graph, seed=0).eval()
    network = namespace(code_files(graph))["Single"]
    network = (network(seed=0) if "seed" in inspect.signature(network).parameters else network()).eval()
    assert list(network.state_dict()) == list(module.state_dict())
    assert all(map(torch.equal, network.state_dict().values(), module.state_dict().values()))  # they start the same
    inputs = tensors(op, shapes)
    torch.testing.assert_close(network(*inputs), module(*inputs), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(("op", "shapes"), EXAMPLES, ids=kind_name)
def test_a_layers_constructor_call_makes_the_lowered_module_again(op: ops.Op, shapes: tuple[tuple[int, ...], ...]) -> None:
    lowered = LOWERINGS[type(op)](op)
    piece = written(op, lowered, shapes)
    assert isinstance(piece, Layer) == isinstance(lowered, nn.Module)
    if isinstance(piece, Layer):
        given = (f"{slot.word}=" * (slot.default is not pieces.REQUIRED) + literal(slot.value) for slot in piece.slots)
        call = f"{piece.name}({', '.join(given)})"
        again = eval(call, {"nn": nn, **vars(layers), "numbers": lambda text: tuple(map(int, text.split()))})
        assert repr(again) == repr(lowered)
        assert [(k, v.shape) for k, v in again.state_dict().items()] == [(k, v.shape) for k, v in lowered.state_dict().items()]


@pytest.mark.parametrize(("op", "shapes"), REFUSED, ids=kind_name)
def test_what_cannot_be_lowered_is_refused_in_the_same_words(op: ops.Op, shapes: tuple[tuple[int, ...], ...]) -> None:
    said = []
    for make in (code_files, to_module):
        with pytest.raises(LawError, match=r"^op: .*cannot be built\. Replace the node") as caught:
            make(graph_of(op, shapes))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_code_of_every_further_kind_passes_linter_and_formatter(tmp_path: Path) -> None:
    for i, (op, shapes) in enumerate((*EXAMPLES, *BUILT)):
        (tmp_path / f"model{i}.py").write_text(code_files(graph_of(op, shapes))["model.py"], encoding="utf-8")
    for words in (["check"], ["format", "--check"]):
        done = run(
            [sys.executable, "-m", "ruff", *words, "--isolated", "--line-length", "140", "."], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_slices_say_no_more_than_they_need() -> None:
    lines = [code_files(graph_of(op, shapes))["model.py"] for op, shapes in EXAMPLES if isinstance(op, ops.ChannelSlice)]
    returned = [line.strip() for text in lines for line in text.splitlines() if "return" in line]
    assert returned == [f"return x{tail}" for tail in ("[:, 4:9]", ".chunk(2, dim=1)[0]", ".chunk(2, dim=1)[1]", "[:, :7]", "[:, 7:]")]


# Shift layers beside the code -----------------------------------------------------------------------------------------------------


def test_shift_layers_stand_in_a_file_of_their_own_that_needs_torch_alone() -> None:
    files = code_files(graph_of(ops.SparseShift(18, 9, learned=True), (IMAGE,)))
    assert set(files) == {"model.py", "shift.py", "graph.json", "README.md"}
    assert "from shift import SparseShift" in files["model.py"]
    for name in ("model.py", "shift.py"):
        tree = ast.parse(files[name])
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {module.partition(".")[0] for module in imported} <= {"__future__", "collections", "math", "shift", "torch", "typing"}
    assert set(code_files(graph_of(ops.ReLU(), (IMAGE,)))) == {"model.py", "graph.json", "README.md"}


def test_the_copied_shift_is_the_packages_own_source() -> None:
    space: dict[str, Any] = {}
    text = code_files(graph_of(ops.SparseShift(18, 9, learned=True), (IMAGE,)))["shift.py"]
    assert inspect.getsource(layers.take_shifted).rstrip() in text
    assert "GroupedShift" not in text
    exec(compile(text, "shift.py", "exec", dont_inherit=True), space)
    copied, own = space["SparseShift"](18, 9, True), layers.SparseShift(18, 9, True)
    copied.load_state_dict(own.state_dict())
    x = torch.randn(2, 18, 5, 7, generator=torch.Generator().manual_seed(0))
    gradients: list[Tensor] = []
    for layer in (copied, own):
        layer(x).square().sum().backward()
        gradients.append(layer.alpha.grad)
    assert torch.equal(*gradients)
    with pytest.raises(ValueError, match="the penalty's order must be 1"):
        copied.penalty(3)


def test_sources_bring_what_they_use_and_stand_for_the_packages_errors() -> None:
    found = sources_of([layers.SparseShift])
    assert "import torch" in found.imports
    assert not any("archspace" in line for line in found.imports)
    assert [text.split("(")[0] for text in found.definitions][:1] == ["def take_shifted"]


# Layout ---------------------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=12), st.integers(0, 3))
def test_a_line_is_broken_only_where_it_is_too_long(items: list[str], depth: int) -> None:
    lines = laid_out(Bracket("call(", tuple(items), ")"), depth, "x = ")
    assert all(len(line) <= LINE for line in lines)
    one_line = f"{'    ' * depth}x = call({', '.join(items)})"
    assert (len(lines) == 1) == (len(one_line) <= LINE)


@pytest.mark.parametrize("value", [1, -2.5, 1e-05, inf, True, None, (1, 2), (3,), [], 'a"b\\c\n', "zeros"])
def test_literals_read_back_as_the_value(value: Any) -> None:
    assert eval(literal(value)) == (tuple(value) if isinstance(value, list) else value)
