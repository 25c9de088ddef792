"""Which ops a runtime runs as one kernel: rule sets as data, and the fused kernels of a graph.

What a kernel reads and writes is what decides its time on a fast device, so a fused chain counts the tensors at its ends and
nothing between. A chain grows while the tensor between two ops is read by nobody else. The one fork allowed is a split: when all
readers of a tensor are channel slices, they are written by the kernel that makes it ("Concat", "Channel Shuffle" and "Channel
Split" are merged into a single element-wise operation: ShuffleNet v2, section 3), across block borders too.

An op that touches no memory by its own counts (flatten, dropout, a slice or concat in place, a shift of no channel) is no kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain as joined
from types import MappingProxyType

from archspace.errors import UnknownNameError
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph
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
from archspace.ir.ops.base import Shape, prod
from archspace.latency.kernel import Kernel, Run, Work, work_of
from archspace.latency.layout import is_unaligned, reorders
from archspace.latency.op_types import op_type

Ops = frozenset[type[Op]]
NONE: Ops = frozenset()


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


def fusion_rules(name: str) -> FusionRules:
    """The rule set of that name. Raises UnknownNameError with near names."""
    if name not in FUSIONS:
        raise UnknownNameError("fusion rule set", name, FUSIONS)
    return FUSIONS[name]


def fused_kernels(graph: Graph, rules: FusionRules | str) -> tuple[Kernel, ...]:
    """The kernels of a graph in the order of their leading nodes. Raises UnknownNameError for an unknown rule set."""
    return tuple([Kernel(*run) for run in fused(graph, rules)])


def fused(graph: Graph, rules: FusionRules | str) -> list[Run]:
    """The same as plain tuples."""
    if isinstance(rules, str):
        rules = fusion_rules(rules)
    if rules.launches is not None:
        return _followed(graph, rules.launches)
    nodes, block = graph.nodes, rules.block
    placed = [
        _placed(node.op, node.shape, nodes[node.inputs[0]].shape)
        if len(node.inputs) == 1
        else _placed(node.op, node.shape, *[nodes[p].shape for p in node.inputs])
        for node in nodes
    ]
    runs: list[Run] = []
    chains = _chains(graph, rules, placed)
    for chain, links in chains:
        i = chain[0]
        if links is not None:
            names, work = tuple([nodes[i].name for i in chain]), _work(rules.whole, block, links)
        elif len(chain) > 1:
            names, work = tuple([nodes[i].name for i in chain]), _straight_work(rules.whole, block, *[placed[i] for i in chain])
        else:
            names, work = (nodes[i].name,), _straight_work(rules.whole, block, placed[i])
        runs.append((names, nodes[i].block, work))
    if block is None:
        return runs
    leads = [chain[0] for chain, _ in chains]
    for i, into_blocks in reorders(graph, block):
        node = nodes[i]
        runs.append(((f"{node.name} (layout)",), node.block, _reorder(node.shape, block, into_blocks=into_blocks)))
        leads.append(i)
    return [runs[k] for k in sorted(range(len(runs)), key=leads.__getitem__)]


def _followed(graph: Graph, runtime: str) -> list[Run]:
    if runtime == "inductor":
        from archspace.latency import inductor

        return inductor.launched(graph)
    from archspace.latency import autocast

    return autocast.launched(graph, full_scores=runtime == "autocast")


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """An op on shapes. `_placed` gives one object for all equal ones: a chain of them is known by what it holds."""

    op: Op
    shape: Shape
    shapes: tuple[Shape, ...]
    kind: type[Op]  # as which it fuses
    counts: Counts
    is_accessing: bool  # it touches memory


@lru_cache(maxsize=8192)
def _placed(op: Op, shape: Shape, *shapes: Shape) -> _Placed:
    kind = type(op)
    if kind.__name__ in FURTHER and issubclass(kind, Activation):
        kind = ReLU  # every activation fuses as it does
    counts = op.counts(shapes, shape)
    return _Placed(op, shape, shapes, kind, counts, bool(counts.mem_elems))


# An op on shapes, which of its inputs come from outside of its chain (a bit each), and whether its output is read there.
Link = tuple[_Placed, int, bool]


def _chains(graph: Graph, rules: FusionRules, placed: Sequence[_Placed]) -> list[tuple[list[int], tuple[Link, ...] | None]]:
    """The positions of each kernel's nodes, and their links; None where each hands on to the next alone (`_straight_work`)."""
    nodes, follows, views, whole = graph.nodes, rules.follows, rules.views, rules.whole
    readers = Counter(joined.from_iterable([node.inputs for node in nodes]))
    readers.update(graph.outputs)  # whoever called the network
    slicers = Counter(joined.from_iterable([node.inputs for node in nodes if type(node.op) is ChannelSlice]))
    chains: list[list[int]] = []
    chain_of: list[list[int] | None] = [None] * len(nodes)
    inside = [0] * len(nodes)  # reads of a tensor by its own kernel
    winding: set[int] = set()  # leading nodes of chains that more than one tensor enters or leaves
    for i, one in enumerate(placed):
        kind = one.kind
        if kind in views or not (one.is_accessing or kind in whole):
            continue
        leaders, inputs = follows.get(kind, NONE), nodes[i].inputs
        for p in inputs if leaders else ():
            chain = chain_of[p]
            if chain is None or type(placed[p].op) not in leaders:
                continue
            if readers[p] == 1 or (kind is ChannelSlice and readers[p] == slicers[p]):
                if len(inputs) > 1 or readers[p] > 1:
                    winding.add(chain[0])
                chain.append(i)
                inside[p] += 1
                break
        else:
            chain = [i]
            chains.append(chain)
            if len(inputs) > 1 and len(inputs) > len(set(inputs)):
                winding.add(i)
        chain_of[i] = chain

    def links(chain: list[int]) -> tuple[Link, ...]:
        """Each tensor from outside is taken once."""
        found, read = [], set(chain)
        for i in chain:
            taken = 0
            for bit, p in enumerate(nodes[i].inputs):
                if p not in read:
                    read.add(p)
                    taken |= 1 << bit
            found.append((placed[i], taken, not readers[i] or readers[i] > inside[i]))
        return tuple(found)

    return [(chain, links(chain) if chain[0] in winding else None) for chain in chains]


@lru_cache(maxsize=8192)
def _straight_work(whole: Ops, block: int | None, *chain: _Placed) -> Work:
    """The work of a chain in which each op hands on to the next alone: the first takes all its inputs, the last is read outside."""
    all_of_first = (1 << len(chain[0].shapes)) - 1
    return _work(whole, block, tuple([(one, 0 if k else all_of_first, k == len(chain) - 1) for k, one in enumerate(chain)]))


@lru_cache(maxsize=8192)
def _work(whole: Ops, block: int | None, links: tuple[Link, ...]) -> Work:
    """The work of a chain."""
    lead = links[0][0]
    in_elems = out_elems = weight_elems = madds = 0
    for k, (one, taken, is_written) in enumerate(links):
        op = one.op
        counts = _copying(op, one.shape, one.counts) if type(op) in whole else one.counts
        if isinstance(op, ChannelGather):
            in_elems += counts.in_elems  # it reads the channels that it names
        elif len(one.shapes) == 1:
            in_elems += counts.in_elems if taken else 0  # a slice or a shift reads a part of the tensor
        else:
            in_elems += sum([prod(shape) for bit, shape in enumerate(one.shapes) if taken >> bit & 1])
        if is_written:
            out_elems += counts.out_elems
        if k and isinstance(op, BatchNorm2d):
            # Folded: four vectors become the convolution's bias, which it may have already.
            weight_elems += 0 if getattr(lead.op, "bias", False) else op.num_features
        else:
            weight_elems += counts.weight_elems
        madds += counts.madds
    unaligned = is_unaligned(lead.op, lead.shape, block)
    return work_of(lead.op, op_type(lead.op), in_elems, out_elems, weight_elems, madds, unaligned)


@lru_cache(maxsize=1024)
def _reorder(shape: Shape, block: int, *, into_blocks: bool) -> Work:
    """One pass over a tensor; the last block of channels is padded."""
    plain = prod(shape)
    blocked = prod((shape[0], -(-shape[1] // block) * block, *shape[2:]))
    read, written = (plain, blocked) if into_blocks else (blocked, plain)
    return work_of(Reshape(shape), "layout", read, written, 0, 0)


def _copying(op: Op, shape: Shape, counts: Counts) -> Counts:
    """The counts of a shift that reads what it moves and writes everything."""
    if isinstance(op, SparseShift):
        moved = op.moved_channels
    elif isinstance(op, FixedShift) and not op.inplace:
        moved = len(op.moved_channels)
    else:
        return counts
    return replace(counts, in_elems=prod((shape[0], moved, *shape[2:])), out_elems=prod(shape))
