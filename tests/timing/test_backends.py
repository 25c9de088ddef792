"""Backends: all compute the same, fold and copy what they say, and say in one line what they cannot run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from archspace.errors import ArchspaceError, LawError, UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.ops import Conv2d, Linear, MaxPool2d, SparseShift
from archspace.onnx import from_onnx
from archspace.timing import BACKENDS, Subject, runner, running
from archspace.timing.onnx_session import onnx_bytes
from archspace.timing.subject import folded
from archspace.zoo import build

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Convolution, batch norm with statistics of its own, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)
        with torch.no_grad():
            for tensor in (*self.parameters(), self.norm.running_mean, self.norm.running_var):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(torch.relu(self.norm(self.conv(x)) - 9).mean((2, 3)))
        return result


class Failing(Net):
    """A module whose forward raises."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("nothing here\nand a second line")


class Unwritable(Net):
    """What ONNX has no op for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(super().forward(x))


def small(family: str, **options: Any) -> Graph:
    return build(family, input=(32, 32), num_classes=10, **options)


def outputs(network: Any, backend: str, inputs: tuple[torch.Tensor, ...] = ()) -> np.ndarray[Any, Any]:
    with running(1):
        returned: Any = runner(network, backend, inputs).call()
    first = returned[0] if isinstance(returned, list) else returned
    return np.asarray(first.numpy() if hasattr(first, "numpy") else first)


@pytest.mark.parametrize("backend", ["folded", "onnxruntime", pytest.param("compile", marks=pytest.mark.slow)])
def test_a_backend_computes_what_the_module_does(backend: str) -> None:
    module = Net().eval()
    with torch.no_grad():
        expected = module(X).numpy()
    assert np.ptp(expected) > 1  # a constant would agree with anything
    assert outputs(module, "eager", (X,)) == pytest.approx(expected)
    assert outputs(module, backend, (X,)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    "graph",
    [
        small("shufflenet_v1", groups=2, width=0.5),
        small("mobilenet_v2", width=0.25),
        small("fenet", width=0.25),  # sparse shifts
        small("shiftnet"),
    ],
    ids=lambda graph: graph.name,
)
def test_a_graph_runs_alike_on_torch_and_on_onnxruntime(graph: Graph) -> None:
    expected = outputs(graph, "eager")
    for backend in ("folded", "onnxruntime"):
        assert outputs(graph, backend) == pytest.approx(expected, rel=1e-3, abs=1e-4 * float(np.abs(expected).max()))


def test_folding_takes_the_batch_norms_and_leaves_the_rest() -> None:
    graph = small("shufflenet_v2", width=0.5)
    subject = Subject("v2", graph)
    before = {name: type(layer) for name, layer in subject.module().named_modules() if name}
    after = {name: type(layer) for name, layer in subject.folded().named_modules() if name}
    norms = {name for name, kind in before.items() if kind is nn.BatchNorm2d}
    assert norms
    assert {name for name in before if name not in after and before[name] is not nn.Module} == norms
    assert all(after[name] is kind for name, kind in before.items() if name in after)


def test_a_norm_that_does_not_fold_stays() -> None:
    graph = small("densenet")  # batch norm before the convolution
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in folded(graph, Subject("d", graph).module()).modules())


def test_copies_take_weights_and_inputs_of_their_own_in_turn() -> None:
    class Place(nn.Module):
        """Says where its weights and its input lie."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4))

        def forward(self, x: torch.Tensor) -> tuple[int, int]:
            return self.weight.data_ptr(), x.data_ptr()

    with running(1):
        call = runner(Place(), "eager", (X,), copies=3).call
        places = [call() for _ in range(6)]
    weights, inputs = zip(*places, strict=True)
    assert len(set(weights)) == len(set(inputs)) == 3
    assert places[:3] == places[3:]


def test_copies_of_a_session_compute_the_same() -> None:
    with running(1):
        call: Any = runner(Net(), "onnxruntime", (X,), copies=3).call
        assert len({call()[0].numpy().tobytes() for _ in range(6)}) == 1


def test_the_module_that_was_given_stays_as_it_is() -> None:
    module = Net().train()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    for backend in ("eager", "folded", "onnxruntime"):
        outputs(module, backend, (X,))
    assert module.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())


def test_what_runs_needs_no_gradient_and_the_number_of_threads_comes_back() -> None:
    before = torch.get_num_threads()
    with running(before + 1):
        assert torch.get_num_threads() == before + 1
        assert not torch.is_grad_enabled()
        result: Any = runner(Net(), "eager", (X,)).call()
        assert result.is_inference()
    assert torch.get_num_threads() == before
    with pytest.raises(KeyError), running(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("op", [Conv2d(8, 16, 1), Conv2d(8, 8, 3, padding=1, groups=8), MaxPool2d(3, stride=2)])
def test_a_graph_of_one_op_is_a_session(op: Any) -> None:
    b = Builder("one")
    graph = b.build(b.add("op", op, b.input((1, 8, 14, 14))))
    assert outputs(graph, "onnxruntime") == pytest.approx(outputs(graph, "eager"), abs=1e-5)


def test_a_shift_of_some_channels_is_written_without_scatters_of_single_elements() -> None:
    b = Builder("shift")
    subject = Subject("shift", b.build(b.add("op", SparseShift(8, 4), b.input((1, 8, 14, 14)))))
    assert b"ScatterElements" not in onnx_bytes(subject.module(), subject.inputs)
    assert outputs(subject, "onnxruntime") == pytest.approx(outputs(subject, "eager"))


def test_an_onnx_file_runs_as_it_is_and_is_built_from_its_graph_for_torch(tmp_path: Path) -> None:
    b = Builder("linear")
    graph = b.build(b.add("fc", Linear(6, 4), b.input((1, 6))))
    path = tmp_path / "net.onnx"
    source = Subject("linear", graph)
    path.write_bytes(onnx_bytes(source.module(), source.inputs))
    subject = Subject("file", path, graph=from_onnx(path))
    assert subject.input_shape == (1, 6)
    assert outputs(subject, "onnxruntime") == pytest.approx(outputs(graph, "eager"), abs=1e-6)
    assert outputs(subject, "eager").shape == (1, 4)
    larger = Subject("file", path, (torch.zeros(3, 6),), from_onnx(path))
    with pytest.raises(LawError, match=r"onnxruntime cannot run file: the file fixes .* at 1x6, but 3x6 was asked for"):
        runner(larger, "onnxruntime")


@pytest.mark.parametrize(
    ("network", "backend", "words"),
    [
        (Failing(), "eager", "eager cannot run Failing: KeyError: 'nothing here"),
        (Failing(), "onnxruntime", "onnxruntime cannot run Failing: KeyError: 'nothing here"),
        (Failing(), "folded", "folded cannot run Failing: Failing: forward must run"),
        (Unwritable(), "onnxruntime", "onnxruntime cannot run Unwritable: UnsupportedOperatorError: Exporting the operator"),
    ],
)
def test_what_a_backend_cannot_run_is_one_line(network: nn.Module, backend: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LawError, match=words) as raised, running(1):
        runner(network, backend, (X,))
    assert len(str(raised.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")  # the exporters print pages


def test_compiling_without_a_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*args: Any, **options: Any) -> Any:
        def call(*inputs: Any) -> None:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nin torch._inductor.config.cpp.cxx")

        return call

    monkeypatch.setattr(torch, "compile", no_compiler)
    with (
        pytest.raises(LawError, match=r"compile cannot run Net: RuntimeError: InvalidCxxCompiler: No working C\+\+ compiler found$"),
        running(1),
    ):
        runner(Net(), "compile", (X,))


@pytest.mark.parametrize(
    ("network", "backend", "on", "words"),
    [
        (Net(), "onnx", "cpu", "unknown backend 'onnx'"),
        (Net(), "eager", "tpu", "unknown device to measure on 'tpu'"),
        (Net(), "onnxruntime", "cuda", "onnxruntime is timed on the cpu alone, but was asked for on cuda. Others: eager, folded, compile"),
    ],
)
def test_what_there_is_not_is_said(network: nn.Module, backend: str, on: str, words: str) -> None:
    with pytest.raises(ArchspaceError, match=words):
        runner(network, backend, (X,), on=on)


def test_a_device_that_torch_does_not_find_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LawError, match=r"measuring on cuda needs a GPU and a torch built for it, but torch .* finds none. Use cpu."):
        runner(Net(), "eager", (X,), on="cuda")


def test_a_module_without_inputs_and_a_file_without_its_graph_are_refused() -> None:
    with pytest.raises(LawError, match=r"Net: a module is timed on inputs with a batch axis. Give them: Subject\(name, module"):
        runner(Net())
    with pytest.raises(LawError, match=r"net: an \.onnx file is timed with its graph beside it"):
        Subject("net", Path("net.onnx"), (X,))


def test_graphs_are_told_apart_by_their_hash() -> None:
    one, same, other = (Subject("v2", small("shufflenet_v2", width=w)).graph_hash for w in (0.5, 0.5, 1.0))
    assert one == same != other
    assert len(one) == 12
    assert Subject("net", Net(), (X,)).graph_hash == ""


def test_an_unknown_backend_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'compile'"):
        runner(Net(), "compiled", (X,))
    assert list(BACKENDS) == ["eager", "folded", "compile", "onnxruntime"]


@pytest.mark.slow
def test_more_modules_of_a_class_than_torch_compiles_by_default_are_all_compiled() -> None:
    limit = torch._dynamo.config.recompile_limit
    torch._dynamo.reset()
    counters.clear()
    with running(1):
        calls = [runner(nn.Sequential(nn.Linear(4, 4 + i), nn.ReLU()), "compile", (torch.zeros(1, 4),)).call for i in range(limit + 2)]
        assert [np.asarray(call()).shape[1] for call in calls] == list(range(4, 4 + limit + 2))
    assert counters["frames"]["ok"] == limit + 2
