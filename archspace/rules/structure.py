"""The flow of channels and pixels: what never mixes, moves for nothing, is never used or never seen."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from archspace.analysis.dead import dead_channels as find_dead_channels
from archspace.analysis.mixing import components
from archspace.analysis.provenance import RULES, BitMatrix, channels_of, own_channel, spread, union
from archspace.analysis.receptive_field import receptive_fields
from archspace.ir.ops import ChannelShuffle, Conv2d, Linear, Opaque
from archspace.ir.ops.base import prod
from archspace.rules.finding import Breach
from archspace.rules.network import Network


def unmixed_groups(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """Stacked group convolutions whose output channels never mix groups.

    Measured is in how many parts the channels fall that do not meet on the way from one group convolution to the next, on all paths between
    them. A step without mixing is no breach where some window of a few steps around it mixes all: ShuffleNet v1 has one shuffle in a unit
    of two group convolutions, and with few channels per group it takes two units.

    Why: "Outputs from a certain channel are only derived from a small fraction of input channels": no information flows between groups, and
    the representation is weaker. Without its shuffles ShuffleNet v1 loses up to 5.8 points (table 3).

    Instead: A channel shuffle between them, or one dense convolution.

    Source: Zhang et al., "ShuffleNet" (CVPR 2018), section 3.1, figure 1, table 3. Proven by channel provenance, not by the pattern of ops.

    Thresholds: steps 4 is the way through two units of two group convolutions.
    """
    before = _group_convolutions_before(network)
    after: dict[int, int] = {}
    for i, firsts in before.items():
        for first in firsts:
            after.setdefault(first, i)
    known: dict[tuple[int, int], int] = {}  # windows of neighbouring steps are the same

    def parts_between(a: int, b: int) -> int:
        if (a, b) not in known:
            known[a, b] = _parts(network, a, b)
        return known[a, b]

    for i, firsts in before.items():
        for first in firsts:
            parts = parts_between(first, i)
            if parts <= 1 or any(parts_between(a, b) == 1 for a, b in _windows(first, i, before, after, int(limits["steps"]))):
                continue
            yield Breach(
                i,
                parts,
                1,
                f"the groups of {network.node(first).name} and of this convolution fall into {parts} parts that do not mix",
                "a channel shuffle between the two",
            )


def _parts(network: Network, first: int, last: int) -> int:
    """In how many parts the input groups of one group convolution and the groups of a later one fall, on all paths; 0: out of reach."""
    graph = network.graph
    a, b = graph.nodes[first], graph.nodes[last]
    assert isinstance(a.op, Conv2d)
    assert isinstance(b.op, Conv2d)
    source = a.inputs[0]
    width = a.op.in_channels // a.op.groups
    seed = tuple([1 << c // width for c in range(a.op.in_channels)])
    found = spread(graph, {source: seed}, range(source + 1, last))[b.inputs[0]]
    if found is None:
        return 0
    c = b.op.in_channels // b.op.groups
    return components(BitMatrix(tuple([union(found[k * c : (k + 1) * c]) for k in range(b.op.groups)]), a.op.groups))


def _windows(
    first: int, last: int, before: Mapping[int, tuple[int, ...]], after: Mapping[int, int], steps: int
) -> Iterator[tuple[int, int]]:
    """The longer ways from a group convolution to a later one, of at most so many steps, that contain the step from `first` to `last`."""
    starts, ends = [first], [last]
    while len(starts) < steps and (earlier := before.get(starts[-1])):
        starts.append(max(earlier))
    while len(ends) < steps and (later := after.get(ends[-1])) is not None:
        ends.append(later)
    for i, start in enumerate(starts):
        for k, end in enumerate(ends):
            if 0 < i + k < steps:
                yield start, end


def _group_convolutions_before(network: Network) -> dict[int, tuple[int, ...]]:
    """For each group convolution those before it that reach it without a dense layer, or one that they reach themselves, between."""
    reached: dict[int, frozenset[int]] = {}  # node -> the group convolutions that reach it
    above: dict[int, set[int]] = {}  # group convolution -> all before it
    before: dict[int, tuple[int, ...]] = {}
    for i, node in enumerate(network.graph.nodes):
        arriving = frozenset().union(*(reached.get(k, frozenset()) for k in node.inputs))
        arriving -= {k for k in arriving if any(k in above[other] for other in arriving)}
        if isinstance(node.op, Conv2d) and node.op.groups > 1 and not node.op.is_depthwise and prod(node.shape[2:]) > 1:
            before[i] = tuple(sorted(arriving))
            above[i] = set(arriving).union(*(above[k] for k in arriving))
            reached[i] = frozenset({i})
        elif arriving and not isinstance(node.op, Linear | Opaque) and not (isinstance(node.op, Conv2d) and node.op.groups == 1):
            reached[i] = arriving
    return before


def idle_shuffle(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A shuffle that permutes nothing or undoes another.

    Measured is how many shuffles could go: this one, or it and those before it that it undoes.

    Why: With one group, or with as many groups as channels, a shuffle is the identity; a shuffle of g groups and one of c/g behind it, with
    nothing between that mixes channels, bring every channel back to where it was. The memory is moved all the same.

    Instead: Drop them.

    Source: Zhang et al., "ShuffleNet" (CVPR 2018), section 3.1: reshape to (g, n), transpose, flatten.

    Thresholds: none.
    """
    gone: set[int] = set()  # what could go already leaves every channel where it is
    for i, node in enumerate(network.graph.nodes):
        if not isinstance(node.op, ChannelShuffle):
            continue
        in_place = tuple(range(node.shape[1]))
        order, chain = _order(network, i), [i]
        while order != in_place and (before := _shuffle_before(network, chain[-1], gone)) is not None:
            first = _order(network, before)
            order = tuple([first[c] for c in order])
            chain.append(before)
        if order != in_place:
            continue
        gone.update(chain)
        undone = " and ".join(network.node(k).name for k in reversed(chain[1:]))
        yield Breach(
            i,
            len(chain),
            0,
            f"the shuffle undoes {undone}: no channel is elsewhere behind {'both' if len(chain) == 2 else 'all of them'}"
            if undone
            else f"a shuffle of {node.shape[1]} channels in {node.op.groups} groups permutes nothing",
            "none of the shuffles" if undone else "no shuffle",
            {k: network.counts[k].mem_elems for k in chain},
            saves_ops=True,
        )


def _order(network: Network, i: int) -> tuple[int, ...]:
    """Which input channel each output channel of a shuffle is, by the rule of its provenance."""
    node = network.node(i)
    return RULES[type(node.op)](node.op, [tuple(range(node.shape[1]))], network.graph.input_shapes(node), node.shape)


def _shuffle_before(network: Network, i: int, gone: Container[int]) -> int | None:
    """The last shuffle before one that is not `gone`, with only ops between that keep each channel where it is and feed nobody else."""
    while True:
        (i,) = network.node(i).inputs
        node = network.node(i)
        if len(network.only_readers(i)) != 1:
            return None
        if isinstance(node.op, ChannelShuffle) and i not in gone:
            return i
        in_place = i in gone or RULES[type(node.op)] is own_channel or (isinstance(node.op, Conv2d) and node.op.is_depthwise)
        if not in_place or len(node.inputs) != 1 or network.node(node.inputs[0]).shape[1] != node.shape[1]:
            return None


def dead_channels(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """Channels that are computed and never used.

    Measured is how many of the op's channels influence no output of the network.

    Why: Their multiply-adds, weights and memory access are for nothing.

    Instead: Compute the others alone.

    Source: exact backward provenance of channels; no paper is needed for this one.

    Thresholds: none.
    """
    for i, channels in find_dead_channels(network.graph).items():
        node, counts = network.node(i), network.counts[i]
        dead = len(channels)
        yield Breach(
            i,
            dead,
            0,
            f"{dead} of {channels_of(node.shape)} channels influence no output",
            "compute the others alone",
            {i: (counts.out_elems + counts.weight_elems) * dead // channels_of(node.shape)},
            saves_ops=dead == channels_of(node.shape),
        )


def small_receptive_field(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A last stage that sees less than the input.

    Measured is the share of the input's height, or of its width where that is smaller, that a position of the last feature map sees.

    Why: What no position sees whole can only be recognised from parts: only the global pool joins them, and it does not know where they
    were. Xception's larger receptive field is probably why it does well in detection (section 4), and with 1x1 convolutions only, no shift
    between them, ShiftResNet-20 falls from 91.7 to 81.5 % on CIFAR-10 (SSL, table 1).

    Instead: Larger kernels, more strides early, dilation, or shifts.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 4; Chen et al., "All You Need is a Few Shifts" (CVPR 2019), table 1.

    Thresholds: share 1: the whole input.
    """
    shape = network.graph.input_shape
    stages = [i for i, node in enumerate(network.graph.nodes) if node.stage.startswith("stage")]
    if len(shape) != 4 or not stages:
        return
    last = stages[-1]
    field = receptive_fields(network.graph)[last]
    if field is None or not field.is_local:
        return  # global or unknown work: it may see everything
    share = min(seen / side for seen, side in zip(field.size, shape[2:], strict=True))
    if share < limits["share"]:
        (h, w), (height, width) = field.size, shape[2:]
        yield Breach(
            last,
            share,
            limits["share"],
            f"a position of the last stage sees {h}x{w} of {height}x{width} pixels",
            "larger kernels, earlier strides, dilation or shifts",
        )
