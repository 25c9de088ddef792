"""SynFlow: how much signal flows through the absolute weights (Tanaka et al., NeurIPS 2020), on a logarithmic scale."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import frexp, log
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from archspace.errors import LawError
from archspace.ir.ops import Shape
from archspace.pytorch import functions, layers
from archspace.pytorch.proxies.working import BATCH_NORM, OTHER_NORMS, WEIGHTED, check_shape, finite, traced_copy

NAME = "synflow"

# What is the identity for the signal: norms are left out, activations are so for large positive values, dropout is off.
IDENTITIES = (
    BATCH_NORM,
    *OTHER_NORMS,
    nn.Identity,
    nn.modules.dropout._DropoutNd,
    nn.ReLU,
    nn.ReLU6,
    nn.Hardswish,
    nn.SiLU,
    nn.GELU,
    nn.Mish,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
)
GATES = (nn.Sigmoid, nn.Hardsigmoid, nn.Tanh)  # open: what they are for large positive values
LINEAR = (  # modules that take one tensor and are homogeneous on positive ones
    *WEIGHTED,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._LPPoolNd,
    nn.ZeroPad2d,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.Flatten,
    layers.ChannelShuffle,
    layers.ChannelGather,
    layers.GroupedShift,
    layers.SparseShift,
    layers.FixedShift,
)
IDENTITY_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
    (functional.relu, torch.relu, functional.relu6, functional.silu, functional.hardswish, functional.gelu, functional.dropout)
)
GATE_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset((torch.sigmoid, functional.sigmoid, functional.hardsigmoid, torch.tanh))
PRODUCTS: frozenset[Callable[..., Any]] = frozenset((operator.mul, torch.mul, torch.matmul, operator.matmul))
LINEAR_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
    (
        operator.add,
        operator.iadd,
        operator.getitem,
        torch.add,
        functions.add,
        functions.strided,
        torch.amax,
        torch.broadcast_to,
        torch.cat,
        torch.chunk,
        torch.clone,
        torch.flatten,
        torch.flip,
        torch.max,
        torch.mean,
        torch.narrow,
        torch.permute,
        torch.reshape,
        torch.roll,
        torch.select,
        torch.split,
        torch.squeeze,
        torch.stack,
        torch.sum,
        torch.tile,
        torch.transpose,
        torch.unsqueeze,
        functional.adaptive_avg_pool2d,
        functional.avg_pool2d,
        functional.interpolate,
        functional.max_pool2d,
        functional.pad,
    )
)
LINEAR_METHODS = frozenset(
    ("add", "chunk", "contiguous", "flatten", "mean", "permute", "reshape", "split", "squeeze", "sum", "transpose", "unsqueeze", "view")
)


def synflow(module: nn.Module, input_shape: Shape, seed: int = 0) -> float:
    """The natural logarithm of sum |theta * dR/dtheta| over the weights; more is better. input_shape: (n, c, h, w), of which n is not used.

    Tanaka et al., equation 2 (with algorithm 1's loss): R = 1^T (prod_l |theta_l|) 1, the sum of the outputs of the network with absolute
    weights on an image of ones. Batch norms are left out and the score is summed over all weights of convolution and linear, as in
    Abdelfattah et al. (ICLR 2021). The network is linearised: activations are the identity, as they are for large positive values, gates
    (sigmoid) are open, and biases, zero when a network starts, are left out. R is then homogeneous in the weights of any cut, so that
    every tensor can be kept in float64 near 1 with a power of two beside it: no depth over- or underflows.
    The module's weights alone decide; `seed` is for the interface. Raises LawError for a network that is not linear in its weights then.
    """
    check_shape(NAME, input_shape)
    network = traced_copy(NAME, module)
    weights = [layer.weight for layer in network.modules() if isinstance(layer, WEIGHTED)]
    weights = list(dict.fromkeys(weights))
    if not weights:
        raise LawError(f"{NAME}: the network must have convolutions or linear layers, but has none. Use another proxy.")
    network.double().requires_grad_(False)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, WEIGHTED):
                layer.weight.abs_().requires_grad_(True)
                if layer.bias is not None:
                    layer.bias.zero_()
    with torch.random.fork_rng(devices=[]):
        value, exponent = _Scaled(network).total(torch.ones((1, *input_shape[1:]), dtype=torch.float64))
    if not value.requires_grad or float(value.detach()) == 0.0:
        raise LawError(
            f"{NAME}: a path of weights must lead from input to output, but none does. Its weights may be zero: start them first."
        )
    gradients = torch.autograd.grad(value, weights, allow_unused=True)
    score = sum(float((w.detach() * g).sum()) for w, g in zip(weights, gradients, strict=True) if g is not None)
    return finite(NAME, log(score) + exponent * log(2) if score > 0 else float("nan"), "weights must be finite")


class _Scaled(fx.Interpreter):
    """Runs a linearised network; every tensor is its value times two to the power of an exponent that is kept beside it."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.extra_traceback = False  # errors are one line
        self.network = network
        self.exponents: dict[fx.Node, int] = {}

    def total(self, x: Tensor) -> tuple[Tensor, int]:
        """The sum of all outputs, a scalar, and its exponent."""
        returned = self.run(x)
        outputs = [returned] if isinstance(returned, Tensor) else list(returned)
        output = next(node for node in self.network.graph.nodes if node.op == "output")
        exponents = [self.exponents[node] for node in output.all_input_nodes]
        highest = max(exponents)
        return torch.stack([y.sum() * _power(e - highest) for y, e in zip(outputs, exponents, strict=True)]).sum(), highest

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "output":
            return super().run_node(n)
        if n.op in ("placeholder", "get_attr"):
            self.exponents[n] = 0
            value = super().run_node(n)
            return value.abs() if value.is_floating_point() else value  # tensors of the network's own: layer scales, say
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        does = self._does(n)
        if does is None:
            raise LawError(
                f"{n.name}: {NAME} is defined for networks that are linear in their weights but for activations and gates, but this is "
                f"{_described(n, self)}. Use another proxy, or build the graph without it."
            )
        if does == "identity":
            self.exponents[n] = self.exponents[n.all_input_nodes[0]]
            return args[0]
        if does == "gate":
            self.exponents[n] = 0
            return torch.ones_like(args[0])
        if does == "product":
            self.exponents[n] = sum(self.exponents[one] for one in n.args if isinstance(one, fx.Node))
        else:
            highest = max(self.exponents[one] for one in n.all_input_nodes)
            self.exponents[n] = highest
            args = fx.node.map_arg(n.args, lambda one: _aligned(self.env[one], self.exponents[one] - highest))
        result = getattr(self, n.op)(n.target, args, kwargs)
        if not isinstance(result, Tensor):  # parts of one tensor: getitem picks one
            return result
        step = frexp(float(result.detach().abs().max()))[1] if result.numel() else 0
        self.exponents[n] += step
        return result * _power(-step) if step else result

    def _does(self, n: fx.Node) -> str | None:
        if n.op == "call_method":
            return "linear" if n.target in LINEAR_METHODS else None
        if n.op == "call_module":
            layer = self.fetch_attr(str(n.target))
            kinds = {"identity": IDENTITIES, "gate": GATES, "linear": LINEAR}
            return next((does for does, types in kinds.items() if isinstance(layer, types)), None)
        tables = {
            "identity": IDENTITY_FUNCTIONS,
            "gate": GATE_FUNCTIONS,
            "product": PRODUCTS,
            "linear": LINEAR_FUNCTIONS,
        }
        return next((does for does, table in tables.items() if n.target in table), None)


def _aligned(value: Any, step: int) -> Any:
    return value * _power(step) if isinstance(value, Tensor) and step else value


def _power(exponent: int) -> float:
    """Two to a power; zero where float64 ends, which is nothing beside what it is added to."""
    return 2.0**exponent if exponent > -1000 else 0.0


def _described(n: fx.Node, run: _Scaled) -> str:
    if n.op == "call_module":
        return type(run.fetch_attr(str(n.target))).__name__
    return str(getattr(n.target, "__name__", n.target))
