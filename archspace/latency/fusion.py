"""Which ops a runtime runs as one kernel: rule sets as data, and the fused kernels of a graph.

What a kernel reads and writes is what decides its time on a fast device, so a fused chain counts the tensors at its ends and
nothing between. A chain grows while the tensor between two ops is read by nobody else. The one fork allowed is a split: when all
readers of a tensor are channel slices, they are written by the kernel that makes it ("Concat", "Channel Shuffle" and "Channel
Split" are merged into a single element-wise operation: ShuffleNet v2, section 3), across block borders too.

An op that touches no memory by its own counts (flatten, dropout, a slice or concat in place, a shift of no channel) is no kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from archspace.errors import UnknownNameError
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import (
    FURTHER,
    KINDS,
    Activation,
    Add,
    BatchNorm2d,
    ChannelGather,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    FixedShift,
    Linear,
    Op,
    ReLU,
    Reshape,
    SparseShift,
)
from archspace.ir.ops.base import prod
from archspace.latency.layout import is_unaligned, reorders
from archspace.latency.op_types import op_type

Ops = frozenset[type[Op]]


@dataclass(frozen=True, slots=True)
class FusionRules:
    """How a runtime groups ops.

    `follows`: op kind -> the kinds right behind which it joins their kernel. `views`: kinds that this runtime never copies. `whole`:
    shifts whose unmoved channels this runtime copies, since the input is not theirs to overwrite. `block`: channels in a block of the
    layout that convolutions work on (`layout`); None is the plain one. `launches`: a runtime that is followed pass by pass instead,
    because the width and the order of its tensors decide what it runs.
    """

    follows: Mapping[type[Op], Ops] = field(default_factory=dict)
    views: Ops = frozenset()
    whole: Ops = frozenset()
    block: int | None = None
    launches: str | None = None


ACTIVATIONS: Ops = frozenset(kind for kind in KINDS.values() if issubclass(kind, Activation))
_CONV_BN: Mapping[type[Op], Ops] = {BatchNorm2d: frozenset({Conv2d})}
_PAPER: Mapping[type[Op], Ops] = {
    **_CONV_BN,
    **dict.fromkeys(ACTIVATIONS, frozenset({Conv2d, BatchNorm2d, Linear, Add})),
    Add: frozenset({Conv2d, BatchNorm2d}),
    ChannelShuffle: frozenset({Concat, Conv2d, BatchNorm2d, *ACTIVATIONS}),
    ChannelSlice: frozenset({Concat, ChannelShuffle}),
}
# A convolution takes its activation, the tensor that is added to it, and the activation of the sum.
_ORT: Mapping[type[Op], Ops] = {
    **_CONV_BN,
    **dict.fromkeys(ACTIVATIONS, frozenset({Conv2d, BatchNorm2d, Add})),
    Add: frozenset({Conv2d, BatchNorm2d}),
}
_SHIFTS: Ops = frozenset({SparseShift, FixedShift})

FUSIONS: Mapping[str, FusionRules] = MappingProxyType(
    {
        # Every op that touches memory is a kernel.
        "none": FusionRules(),
        # PyTorch without a compiler: the same, and a channel split is a view.
        "torch_eager": FusionRules(views=frozenset({ChannelSlice}), whole=_SHIFTS),
        # The same with batch norm in the convolution's weights and bias.
        "folded": FusionRules(follows=_CONV_BN, views=frozenset({ChannelSlice}), whole=_SHIFTS),
        # PyTorch without a compiler under automatic mixed precision, on a GPU.
        "torch_amp": FusionRules(launches="autocast"),
        "torch_amp_2.4": FusionRules(launches="autocast_2.4"),  # up to that version
        # torch.compile on a CPU: products are calls of libraries, and what lies between them is fused into loops.
        "inductor": FusionRules(launches="inductor"),
        # ONNX Runtime with all graph optimisations, as the graphs that it saves show.
        "onnxruntime": FusionRules(follows=_ORT, whole=_SHIFTS, block=16),  # on a CPU with AVX-512
        "onnxruntime_avx2": FusionRules(follows=_ORT, whole=_SHIFTS, block=8),
        "onnxruntime_plain": FusionRules(follows=_ORT, whole=_SHIFTS),  # no blocked layout: Arm
        # ShuffleNet v2, section 2 ("tensor fusion, which is used to reduce the overhead of small operations") and section 3 (concat,
        # shuffle and split are one). That a shuffle joins any producer and an add its convolution is inferred: studies/paper_devices.
        "paper": FusionRules(follows=_PAPER),
    }
)


@dataclass(frozen=True, slots=True)
class Kernel:
    """Ops that run as one. Elements and multiply-adds are for the graph's batch."""

    names: tuple[str, ...]  # its nodes, the leading one first
    op: Op  # the leading one's
    op_type: str
    block: str  # the leading one's
    in_elems: int  # tensors from outside the kernel, each once
    out_elems: int  # tensors that are read outside it
    weight_elems: int
    madds: int
    is_unaligned: bool = False  # its channels do not fit what the runtime's fast path works on
    is_batched: bool = True  # False: it works on weights alone, once for all images
    is_part: bool = False  # what the kernel before it computes besides: nothing is launched for it

    @property
    def channels_per_group(self) -> tuple[int, int]:
        """Input and output channels per group of what the leading op multiplies with; (1, 1) when it multiplies with nothing."""
        op = self.op
        if isinstance(op, Conv2d):
            return op.in_channels // op.groups, op.out_channels // op.groups
        if isinstance(op, Linear):
            return op.in_features, op.out_features
        if self.madds and type(op).__name__ in FURTHER:
            from archspace.latency.fusion_further import further_channels

            return further_channels(op, self.madds, self.out_elems)
        return 1, 1


def fusion_rules(name: str) -> FusionRules:
    """The rule set of that name. Raises UnknownNameError with near names."""
    if name not in FUSIONS:
        raise UnknownNameError("fusion rule set", name, FUSIONS)
    return FUSIONS[name]


def fused_kernels(graph: Graph, rules: FusionRules | str) -> tuple[Kernel, ...]:
    """The kernels of a graph in the order of their leading nodes. Raises UnknownNameError for an unknown rule set."""
    if isinstance(rules, str):
        rules = fusion_rules(rules)
    if rules.launches is not None:
        return _followed(graph, rules.launches)
    nodes = graph.nodes
    readers = [0] * len(nodes)
    slicers = [0] * len(nodes)
    for node in nodes:
        for i in node.inputs:
            readers[i] += 1
            slicers[i] += type(node.op) is ChannelSlice
    for i in graph.outputs:
        readers[i] += 1  # whoever called the network

    chains: list[list[int]] = []  # positions of the nodes of each kernel
    chain_of: dict[int, list[int]] = {}
    inside = [0] * len(nodes)  # reads of a tensor by its own kernel
    counts: list[Counts] = []
    for i, node in enumerate(nodes):
        kind = type(node.op)
        if kind.__name__ in FURTHER and issubclass(kind, Activation):
            kind = ReLU  # every activation fuses as it does
        counts.append(node.op.counts(tuple([nodes[p].shape for p in node.inputs]), node.shape))
        if kind in rules.views or not (counts[i].mem_elems or kind in rules.whole):
            continue
        chain = [i]
        for p in node.inputs if kind in rules.follows else ():
            lone = readers[p] == 1 or (kind is ChannelSlice and readers[p] == slicers[p])
            if lone and p in chain_of and type(nodes[p].op) in rules.follows[kind]:
                chain = chain_of[p]
                chain.append(i)
                inside[p] += 1
                break
        else:
            chains.append(chain)
        chain_of[i] = chain
    kernels = [_kernel(nodes, counts, chain, readers, inside, rules) for chain in chains]
    if rules.block is None:
        return tuple(kernels)
    leads = [chain[0] for chain in chains]
    for i, into_blocks in reorders(graph, rules.block):
        kernels.append(_reorder(nodes[i], rules.block, into_blocks=into_blocks))
        leads.append(i)
    return tuple([kernels[k] for k in sorted(range(len(kernels)), key=leads.__getitem__)])


def _followed(graph: Graph, runtime: str) -> tuple[Kernel, ...]:
    if runtime == "inductor":
        from archspace.latency import inductor

        return inductor.launched(graph)
    from archspace.latency import autocast

    return autocast.launched(graph, full_scores=runtime == "autocast")


def _kernel(
    nodes: tuple[Node, ...], counts: list[Counts], chain: list[int], readers: list[int], inside: list[int], rules: FusionRules
) -> Kernel:
    lead = nodes[chain[0]]
    read: set[int] = set()
    in_elems = out_elems = weight_elems = madds = 0
    for i in chain:
        node, count = nodes[i], counts[i]
        if type(node.op) in rules.whole:
            count = _copying(node, count)
        if isinstance(node.op, ChannelGather):
            in_elems += count.in_elems  # it reads the channels that it names
        elif len(node.inputs) == 1:
            p = node.inputs[0]
            if p not in read and p not in chain:
                in_elems += count.in_elems  # a slice or a shift reads a part of the tensor
                read.add(p)
        else:
            for p in node.inputs:
                if p not in read and p not in chain:
                    in_elems += prod(nodes[p].shape)
                    read.add(p)
        if not readers[i] or readers[i] > inside[i]:
            out_elems += count.out_elems
        if i != chain[0] and isinstance(node.op, BatchNorm2d):
            # Folded: four vectors become the convolution's bias, which it may have already.
            weight_elems += 0 if getattr(lead.op, "bias", False) else node.op.num_features
        else:
            weight_elems += count.weight_elems
        madds += count.madds
    names = tuple([nodes[i].name for i in chain])
    unaligned = is_unaligned(lead, rules.block)
    return Kernel(names, lead.op, op_type(lead.op), lead.block, in_elems, out_elems, weight_elems, madds, unaligned)


def _reorder(node: Node, block: int, *, into_blocks: bool) -> Kernel:
    """One pass over a tensor; the last block of channels is padded."""
    plain = prod(node.shape)
    blocked = prod((node.shape[0], -(-node.shape[1] // block) * block, *node.shape[2:]))
    read, written = (plain, blocked) if into_blocks else (blocked, plain)
    return Kernel((f"{node.name} (layout)",), Reshape(node.shape), "layout", node.block, read, written, 0, 0)


def _copying(node: Node, count: Counts) -> Counts:
    """The counts of a shift that reads what it moves and writes everything."""
    op = node.op
    if isinstance(op, SparseShift):
        moved = op.moved_channels
    elif isinstance(op, FixedShift) and not op.inplace:
        moved = len(op.moved_channels)
    else:
        return count
    return replace(count, in_elems=prod((node.shape[0], moved, *node.shape[2:])), out_elems=prod(node.shape))
