"""Lowering of the kinds that no network of the zoo has: shapes, weights and multiply-adds as promised, and what they compute."""

from __future__ import annotations

import pytest
import torch
from further_examples import BUILT, IMAGE, REFUSED, Example, label, single_op, tensors
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archspace.analysis import analyze
from archspace.errors import LawError
from archspace.ir import Builder, Graph, ops
from archspace.ir.graph import Node
from archspace.ir.ops import Op
from archspace.pytorch import LOWERINGS, to_module
from archspace.pytorch.lower_further import FURTHER_LOWERINGS


def run(op: Op, *inputs: Tensor) -> Tensor:
    module = to_module(single_op(op, tuple(tuple(t.shape) for t in inputs)), seed=0).eval()
    out: Tensor = module(*inputs)
    return out


def image() -> Tensor:
    return torch.randn(IMAGE, generator=torch.Generator().manual_seed(0))


def test_the_further_table_has_one_row_per_further_kind() -> None:
    assert set(FURTHER_LOWERINGS) == {ops.OPS[name] for name in ops.FURTHER} | {ops.Parameter}
    assert set(LOWERINGS) == set(ops.OPS.values())


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")  # torch's choice of kernel
@pytest.mark.parametrize("example", BUILT, ids=label)
def test_a_further_kind_gives_the_shape_and_the_parameters_that_it_promises(example: Example) -> None:
    graph = single_op(*example)
    module = to_module(graph, seed=0).eval()
    assert tuple(module(*tensors(*example)).shape) == graph["op"].shape
    assert sum(p.numel() for p in module.parameters()) == graph.counts(graph["op"]).params


@pytest.mark.parametrize("example", BUILT, ids=label)
def test_torchs_flop_counter_sees_twice_the_multiply_adds_on_the_meta_device(example: Example) -> None:
    graph = single_op(*example)
    module = to_module(graph, seed=0).eval().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        out = module(*[t.to("meta") for t in tensors(*example)])
    assert tuple(out.shape) == graph["op"].shape
    assert counter.get_total_flops() == 2 * graph.counts(graph["op"]).madds == analyze(graph).flops("torch")


@pytest.mark.parametrize("example", REFUSED, ids=label)
def test_what_a_graph_does_not_hold_is_refused_with_its_place(example: Example) -> None:
    with pytest.raises(LawError, match=r"^op: .*cannot be built\. Replace the node"):
        to_module(single_op(*example))


def test_functions_compute_what_their_ops_say() -> None:
    x, y = image(), image().flip(0)
    assert torch.equal(run(ops.Slice(2, 1, 7, 2), x), x[:, :, 1:7:2])
    assert torch.equal(run(ops.Select(1, -1), x), x[:, -1])
    assert torch.equal(run(ops.Permute((0, 2, 3, 1)), x), x.permute(0, 2, 3, 1))
    assert torch.equal(run(ops.Repeat((2, 1, 1, 2, 3)), x), x.repeat(2, 1, 1, 2, 3))
    assert torch.equal(run(ops.Reshape((3, 64), folds_batch=True), x), x.reshape(4, 3, 64))
    assert torch.equal(run(ops.Stack(-1), x, y), torch.stack((x, y), -1))
    assert torch.equal(run(ops.Reduce("var", (2, 3), correction=0), x), x.var((2, 3), correction=0))
    assert torch.equal(run(ops.Reduce("norm", (1,), keepdim=True), x), x.norm(dim=1, keepdim=True))
    assert torch.equal(run(ops.Pointwise("add", (2,)), x), x + 2)
    assert torch.equal(run(ops.Pointwise("add", (2,)), x, y), x + 2 * y)
    assert torch.equal(run(ops.Pointwise("rsub", (1,)), x), 1 - x)
    assert torch.equal(run(ops.Pointwise("div", (2, "floor")), x), torch.div(x, 2, rounding_mode="floor"))
    assert torch.equal(run(ops.Pointwise("clamp", (None, 0.5)), x), x.clamp(max=0.5))
    assert torch.equal(run(ops.Pointwise("to", ("float64",)), x), x.double())
    assert torch.equal(run(ops.PadNd((1, 0), value=float("-inf")), x), functional.pad(x, (1, 0), value=float("-inf")))
    assert torch.equal(run(ops.Interpolate((), (2.0,), "bilinear"), x), functional.interpolate(x, scale_factor=2, mode="bilinear"))
    assert torch.equal(run(ops.Einsum("nchw,nchw->nc"), x, y), torch.einsum("nchw,nchw->nc", x, y))


def test_a_batch_norm_of_any_rank_uses_its_running_statistics() -> None:
    x = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
    module, reference = to_module(single_op(ops.BatchNormNd(6), ((4, 6, 5),)), seed=0), nn.BatchNorm1d(6)
    torch.testing.assert_close(module(x), reference(x), rtol=0, atol=0)
    torch.testing.assert_close(module.eval()(x), reference.eval()(x), rtol=0, atol=0)
    assert set(module.state_dict()) == {f"op.{key}" for key in reference.state_dict()}


def test_an_instance_norm_of_any_rank_is_torchs() -> None:
    x = image()
    torch.testing.assert_close(run(ops.InstanceNorm(6, affine=True), x), nn.InstanceNorm2d(6, affine=True)(x), rtol=0, atol=0)


@pytest.mark.parametrize(("op", "reference"), [
    (ops.LSTM(5, 7, 2, bidirectional=True), nn.LSTM(5, 7, 2, bidirectional=True)),
    (ops.GRU(5, 7, batch_first=True), nn.GRU(5, 7, batch_first=True)),
    (ops.RNN(5, 7, nonlinearity="relu"), nn.RNN(5, 7, nonlinearity="relu")),
], ids=["LSTM", "GRU", "RNN"])  # fmt: skip
def test_a_recurrent_layer_gives_its_outputs_alone_and_takes_torchs_weights(op: Op, reference: nn.Module) -> None:
    x = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(0))
    module = to_module(single_op(op, ((4, 2, 5),)))
    module.op.load_state_dict(reference.state_dict())
    assert torch.equal(module(x), reference(x)[0])


def test_initial_states_are_inputs() -> None:
    x, h, c = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) for shape in ((4, 2, 5), (1, 2, 7), (1, 2, 7)))
    reference = nn.LSTM(5, 7)
    module = to_module(single_op(ops.LSTM(5, 7), ((4, 2, 5), (1, 2, 7), (1, 2, 7))))
    module.op.load_state_dict(reference.state_dict())
    assert torch.equal(module(x, h, c), reference(x, (h, c))[0])


def embedded() -> Graph:
    """Two tensors of the network's own, one learned, one not, and a second use of the first."""
    b = Builder("vit")
    x = b.input((2, 4, 8))
    with b.scope("embed"):
        x = b.add("add", ops.Add(), x, b.add("position", ops.Parameter((1, 4, 8))))
    x = b.add("masked", ops.Multiply(), x, b.add("mask", ops.Parameter((4, 1), learned=False)))
    again = b.append(Node("again", ops.Parameter((1, 4, 8)), (), (1, 4, 8), "", "embed.position", 0))
    return b.build(b.add("sum", ops.Add(), x, again))


def test_a_tensor_of_the_networks_own_is_a_parameter_or_buffer_of_its_name() -> None:
    graph = embedded()
    module = to_module(graph, seed=0)
    assert {name: p.shape for name, p in module.named_parameters()} == {"embed.position": (1, 4, 8)}
    assert {name: b.shape for name, b in module.named_buffers()} == {"mask": (4, 1)}
    assert analyze(graph).totals.params == 32
    position = module.state_dict()["embed.position"]
    assert position.std() > 0
    x = torch.ones(2, 4, 8)
    torch.testing.assert_close(module(x), (x + position) * 0 + position)  # a buffer starts at zero


def test_a_tensor_of_the_networks_own_may_not_have_a_taken_name() -> None:
    b = Builder("g")
    x = b.input((1, 2))
    with pytest.raises(LawError, match="'code' is not"):
        to_module(b.build(b.add("add", ops.Add(), x, b.add("code", ops.Parameter((2,))))))


@pytest.mark.parametrize("op", [ops.LSTM(5, 7), ops.Embedding(9, 4), ops.ConvNd(5, 4, (1,)), ops.PReLU(5), ops.LayerNorm((5,))], ids=label)
def test_further_weights_depend_on_the_seed_alone(op: Op) -> None:
    graph = single_op(op, ((4, 5, 5),))
    first, again, other = (to_module(graph, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    fixed = isinstance(op, ops.PReLU | ops.LayerNorm)
    assert all(torch.equal(first[key], other[key]) for key in first) == fixed
