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
from archspace.ir.features import backbone, feature_info
from archspace.ir.graph import Graph, Node, require_graph
from archspace.ir.ops import (
    GELU,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelGather,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    FixedShift,
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

    @property
    @torch.jit.unused
    def feature_info(self) -> list[dict[str, Any]]:
        """What the outputs of a backbone are, in timm's words (`archspace.ir.features.feature_info`); empty for other networks."""
        return [dict(info) for info in self.meta.get("feature_info", ())]

    def shift_penalty(self, order: int = 2) -> Tensor:
        """R(alpha, beta) summed over the learned shifts, a scalar to add to the loss (SSL paper, equation 4; zero without such shifts).

        Order 2 (squares) is what section 5.1 trains with, order 1 is equation 4 as printed. Raises LawError for another order.
        """
        return layers.shift_penalty(self, order)

    def __reduce__(self) -> tuple[Any, ...]:
        _, arguments = super().__reduce__()
        return _restore, arguments


# torch.jit.script compiles every property but these.
Network.__jit_unused_properties__ = [*fx.GraphModule.__jit_unused_properties__, "feature_info"]


def _restore(body: dict[str, Any], imports: str) -> Network:
    # fx restores a plain GraphModule: the subclass must be put back on.
    plain = reduce_graph_module(body, imports)
    assert isinstance(plain, fx.GraphModule)
    network = Network(plain, plain.graph, "Network")
    network.meta.update(body.get("meta", {}))
    return network


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
    ChannelGather: lambda op: layers.ChannelGather(op.channels),
    ChannelShuffle: lambda op: layers.ChannelShuffle(op.groups),
    ChannelSlice: lambda op: Call(torch.narrow, (1, op.start, op.stop - op.start)),
    Concat: lambda op: Call(torch.cat, kwargs={"dim": op.dim}, packed=True),
    Conv2d: lower_conv2d,
    Dropout: lambda op: nn.Dropout(op.p),
    FixedShift: lambda op: layers.FixedShift(op.alpha, op.beta, op.inplace),
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


def to_module(graph: Graph, *, seed: int | None = None, features: bool = False) -> Network:
    """The trainable module of a graph, on the CPU in float32, in training mode, with weights as `init.init_weights` starts them.

    Arguments of `forward` are the graph's inputs in order; any batch size is taken. A node with parameters or settings is the submodule
    of its dotted name (`module.stage2.unit0.pw1.conv`), a Parameter the tensor of its name, others are calls under their name in
    `module.code`. With several outputs a
    tuple is returned. With `seed` the weights depend on it alone; without, on torch's global random state.
    With `features` it is the graph's backbone (`archspace.ir.features`): forward returns the last map of every stage, and `feature_info`
    says what they are.
    Raises LawError for a node that cannot be built, or whose name cannot be a submodule's, and for a backbone without stages.
    """
    require_graph("to_module", graph)
    graph = backbone(graph) if features else graph
    root = nn.Module()
    code = fx.Graph()
    values: list[fx.Node] = []
    # Constructors draw weights that init_weights replaces: the global random state must not notice.
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        for node in graph:
            values.append(_emit(code, root, node, [values[i] for i in node.inputs]))
            # What a call does not say, and the importer reads.
            values[-1].meta |= {"block": node.block, "copies": getattr(node.op, "copies", True)}
    outputs = [values[i] for i in graph.outputs]
    code.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
    code.lint()
    module = Network(root, code, "Network")
    if len(outputs) > 1:
        module.meta["feature_info"] = feature_info(graph)
    init_weights(module, seed)
    return module


def lower(node: Node) -> Lowered:
    """What a node becomes. Raises LawError, with the place, for what cannot be built."""
    try:
        lowered = LOWERINGS[type(node.op)](node.op)
    except LawError as error:
        raise error.at(node.name) from None
    if isinstance(lowered, nn.Module) and node.params is not None and not node.shares:
        raise LawError(
            f"{node.name}: a node must have weights of its own, or all of another's, to be built, "
            "but these are computed, fixed or shared in part. Replace the node, or build the graph without it."
        )
    if isinstance(lowered, nn.Module) and not node.shares:
        for part in node.name.split("."):
            _check_free(nn.Module(), part, node.name)
    return lowered


def argument_name(name: str) -> str:
    """The Python name of a node, as `forward` knows its inputs by: 'images.left' is images_left."""
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if iskeyword(name) or name == "self" else name


def _emit(code: fx.Graph, root: nn.Module, node: Node, inputs: list[fx.Node]) -> fx.Node:
    name = argument_name(node.name)
    lowered = lower(node)
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
