"""Lowering: a graph into a torch.fx.GraphModule whose submodules bear the nodes' names."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from keyword import iskeyword
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.fx.graph_module import reduce_graph_module

from archspace.errors import LawError
from archspace.ir.graph import Graph, Node, require_graph
from archspace.ir.ops import (
    GELU,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GroupedShift,
    Hardsigmoid,
    Hardswish,
    Input,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    Opaque,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    SparseShift,
)
from archspace.pytorch import layers
from archspace.pytorch.init import init_weights
from archspace.pytorch.lower_further import FURTHER_LOWERINGS
from archspace.pytorch.lowered import Attribute, Call, Lowered, Placeholder


class Network(fx.GraphModule):
    """A graph as a trainable module: a torch.fx.GraphModule with the penalty of its learned shifts.

    It keeps no state of its own, so deepcopy, pickle (torch.save) and state_dict work as for any GraphModule.
    """

    def shift_penalty(self, order: int = 2) -> Tensor:
        """R(alpha, beta) summed over the learned shifts, a scalar to add to the loss (SSL paper, equation 4; zero without such shifts).

        Order 2 (squares) is what section 5.1 trains with, order 1 is equation 4 as printed. Raises LawError for another order.
        """
        return layers.shift_penalty(self, order)

    def __reduce__(self) -> tuple[Any, ...]:
        _, arguments = super().__reduce__()
        return _restore, arguments


def _restore(body: dict[str, Any], imports: str) -> Network:
    # fx restores a plain GraphModule: the subclass must be put back on.
    plain = reduce_graph_module(body, imports)
    assert isinstance(plain, fx.GraphModule)
    return Network(plain, plain.graph, "Network")


def lower_opaque(op: Opaque) -> NoReturn:
    """No module can be made of work that no op describes. Raises LawError."""
    raise LawError(
        f"only ops of the vocabulary can be built, but this node is Opaque (kind {op.kind!r}). "
        "Replace it by ops from archspace.ir.ops, or build the graph without it."
    )


def lower_conv2d(op: Conv2d) -> nn.Module:
    """The op's fields are the constructor's."""
    return nn.Conv2d(
        op.in_channels,
        op.out_channels,
        op.kernel_size,
        stride=op.stride,
        padding=op.padding,
        dilation=op.dilation,
        groups=op.groups,
        bias=op.bias,
    )


def lower_max_pool2d(op: MaxPool2d) -> nn.Module:
    """The op's fields are the constructor's."""
    return nn.MaxPool2d(op.kernel_size, stride=op.stride, padding=op.padding, ceil_mode=op.ceil_mode)


def lower_avg_pool2d(op: AvgPool2d) -> nn.Module:
    """The op's fields are the constructor's."""
    include = op.count_include_pad
    return nn.AvgPool2d(op.kernel_size, stride=op.stride, padding=op.padding, ceil_mode=op.ceil_mode, count_include_pad=include)


# One row per op kind: what an op becomes.
LOWERINGS: dict[type[Op], Callable[[Any], Lowered]] = {
    AdaptiveAvgPool2d: lambda op: nn.AdaptiveAvgPool2d(op.output_size),
    Add: lambda op: Call(operator.add),
    AvgPool2d: lower_avg_pool2d,
    BatchNorm2d: lambda op: nn.BatchNorm2d(op.num_features, eps=op.eps, momentum=op.momentum),
    ChannelShuffle: lambda op: layers.ChannelShuffle(op.groups),
    ChannelSlice: lambda op: Call(torch.narrow, (1, op.start, op.stop - op.start)),
    Concat: lambda op: Call(torch.cat, kwargs={"dim": op.dim}, packed=True),
    Conv2d: lower_conv2d,
    Dropout: lambda op: nn.Dropout(op.p),
    Flatten: lambda op: Call(torch.flatten, (op.start_dim,)),
    GELU: lambda op: nn.GELU(op.approximate),
    GroupedShift: lambda op: layers.GroupedShift(op.channels, op.kernel_size),
    Hardsigmoid: lambda op: nn.Hardsigmoid(),
    Hardswish: lambda op: nn.Hardswish(),
    Input: lambda op: Placeholder(),
    Linear: lambda op: nn.Linear(op.in_features, op.out_features, bias=op.bias),
    MaxPool2d: lower_max_pool2d,
    Multiply: lambda op: Call(operator.mul),
    Opaque: lower_opaque,
    Pad: lambda op: nn.ZeroPad2d(op.padding),
    ReLU: lambda op: nn.ReLU(),
    ReLU6: lambda op: nn.ReLU6(),
    Reshape: lambda op: Call(torch.reshape, ((-1, *op.shape),)),
    SiLU: lambda op: nn.SiLU(),
    Sigmoid: lambda op: nn.Sigmoid(),
    Softmax: lambda op: nn.Softmax(op.dim),
    SparseShift: lambda op: layers.SparseShift(op.channels, op.moved_channels, learned=op.learned),
    **FURTHER_LOWERINGS,
}


def to_module(graph: Graph, *, seed: int | None = None) -> Network:
    """The trainable module of a graph, on the CPU in float32, in training mode, with weights as `init.init_weights` starts them.

    Arguments of `forward` are the graph's inputs in order; any batch size is taken. A node with parameters or settings is the submodule
    of its dotted name (`module.stage2.unit0.pw1.conv`), a Parameter the tensor of its name, others are calls under their name in
    `module.code`. With several outputs a
    tuple is returned. With `seed` the weights depend on it alone; without, on torch's global random state.
    Raises LawError for a node that cannot be built, or whose name cannot be a submodule's.
    """
    require_graph("to_module", graph)
    root = nn.Module()
    code = fx.Graph()
    values: list[fx.Node] = []
    # Constructors draw weights that init_weights replaces: the global random state must not notice.
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        for node in graph:
            values.append(_emit(code, root, node, [values[i] for i in node.inputs]))
    outputs = [values[i] for i in graph.outputs]
    code.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
    code.lint()
    module = Network(root, code, "Network")
    init_weights(module, seed)
    return module


def _emit(code: fx.Graph, root: nn.Module, node: Node, inputs: list[fx.Node]) -> fx.Node:
    name = re.sub(r"\W", "_", node.name)
    name = f"{name}_" if iskeyword(name) or name == "self" else name
    try:
        lowered = LOWERINGS[type(node.op)](node.op)
    except LawError as error:
        raise error.at(node.name) from None
    if isinstance(lowered, Placeholder):
        return code.create_node("placeholder", name, name=name)
    if isinstance(lowered, Call):
        args: tuple[Any, ...] = (list(inputs),) if lowered.packed else tuple(inputs)
        args = (*lowered.before, *args, *lowered.args)
        return code.create_node("call_function", lowered.function, args, dict(lowered.kwargs), name=name)
    if node.shares:
        if isinstance(lowered, Attribute):
            return code.create_node("get_attr", node.shares, name=name)
        return code.create_node("call_module", _shared(root, node, lowered), tuple(inputs), name=name)
    if node.params is not None:
        raise LawError(
            f"{node.name}: a node must have weights of its own, or all of another's, to be built, "
            "but these are computed, fixed or shared in part. Replace the node, or build the graph without it."
        )
    _place(root, node.name, lowered)
    if isinstance(lowered, Attribute):
        return code.create_node("get_attr", node.name, name=name)
    return code.create_node("call_module", node.name, tuple(inputs), name=name)


def _shared(root: nn.Module, node: Node, lowered: nn.Module) -> str:
    """The submodule of a node that takes another's weights: that one itself, or one of its own, with other settings and these weights."""
    first = root.get_submodule(node.shares)
    if repr(first) == repr(lowered):
        return node.shares
    for name, parameter in first.named_parameters():
        setattr(lowered, name, parameter)
    _place(root, node.name, lowered)
    return node.name


def _place(root: nn.Module, name: str, lowered: nn.Module | Attribute) -> None:
    """Register a module or a tensor under its dotted name, making plain containers on the way."""
    *scopes, last = name.split(".")
    parent = root
    for scope in scopes:
        if scope not in parent._modules:
            _check_free(parent, scope, name)
            parent.add_module(scope, nn.Module())
        parent = parent.get_submodule(scope)
        if type(parent) is not nn.Module:
            raise LawError(f"{name}: a scope must not be a node itself, but {scope!r} is one. Rename the node or the scope.")
    _check_free(parent, last, name)
    if isinstance(lowered, nn.Module):
        parent.add_module(last, lowered)
    elif lowered.learned:
        parent.register_parameter(last, nn.Parameter(torch.zeros(lowered.shape)))
    else:
        parent.register_buffer(last, torch.zeros(lowered.shape))


def _check_free(parent: nn.Module, part: str, name: str) -> None:
    # fx reads what is no Python name, as 'block1-0' or '0', by getattr.
    if not re.fullmatch(r"[\w-]+", part) or iskeyword(part) or hasattr(parent, part) or part in dir(fx.GraphModule):
        raise LawError(f"{name}: a submodule's name must be a free Python name in torch.nn.Module, but {part!r} is not. Rename the node.")
