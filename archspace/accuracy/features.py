"""What of a network's graph says something about its accuracy: analytic features, read in one pass over the nodes.

Everything is of one image. A map is a tensor with more than one position: (batch, channels, height, width), or, as ConvNeXt has it,
(batch, height, width, channels). Vectors (behind the global pool, inside squeeze-and-excitation) are no maps: what computes them adds
parameters, but neither depth nor shares. Shares are parts of the maps' multiply-adds; what is said per layer is divided by the depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from math import log, prod
from typing import Any

from archspace.errors import LawError
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import (
    Add,
    AvgPool2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    FixedShift,
    GroupedShift,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    SparseShift,
)


@dataclass(frozen=True, slots=True)
class Features:
    """The features of one network. Those that begin with `log_` are natural logarithms."""

    log_madds: float
    log_body_params: float  # parameters without the weights of the classifier
    log_acts: float
    log_depth: float  # convolutions on the longest path
    log_last_channels: float  # of the last map that is computed
    log_last_width: float  # channels that the last shift, or convolution with a kernel above 1x1, reads
    log_input_side: float  # pixels, the geometric mean of height and width
    log_field: float  # what the output sees along one axis over the input's side: by the longest path, borders apart
    madds_stride: float  # mean log stride at which multiply-adds are done
    params_stride: float  # mean log stride at which weights are used
    dense_share: float  # convolutions of one group with a kernel above 1x1
    grouped_share: float
    depthwise_share: float  # as if every depthwise kernel were 3x3: how thin the products between them are, whatever the kernels
    log_depthwise_kernel: float  # mean over depthwise convolutions; 0 without
    unmixed_share: float  # grouped 1x1 convolutions of a network that shuffles nowhere
    gates_per_layer: float  # squeeze-and-excitation and its like
    adds_per_layer: float  # residuals
    concats_per_layer: float
    kept_per_layer: float  # channels that a split hands to a concat as they are, over that concat's, at most KEPT_SHARE of it
    shifts_per_layer: float  # a shift counts as the share of the channels that it moves


KEPT_SHARE = 0.5  # ShuffleNet v2's: nothing is credited to a split that keeps more
NAMES = tuple([f.name for f in fields(Features)])


@dataclass(frozen=True, slots=True)
class Reading:
    """A network's features, and what they do not say of it."""

    features: Features
    classes: int  # outputs of the last layer on vectors; without one, channels of the last map (SqueezeNet)
    read_share: float  # multiply-adds of the graph that are in convolutions and linears

    @property
    def values(self) -> tuple[float, ...]:
        """The features in the order of `NAMES`."""
        return astuple(self.features)


def read(graph: Graph, counts: Counts) -> Reading:
    """The features of a network on images, given its total counts. Raises LawError for other inputs, and where no map is computed."""
    shape = graph.input_shape
    if len(shape) != 4:
        raise LawError(f"{graph.name}: a prior is of a network on images (batch, channels, height, width), but its input has shape {shape}")
    nodes, found = graph.nodes, _Found(shape[2] * shape[3])
    depths, reaches = [0] * len(nodes), [1.0] * len(nodes)  # reach: pixels that a position sees along one axis
    for i, node in enumerate(nodes):
        inputs = node.inputs
        if not inputs:
            continue
        if len(inputs) == 1:
            depth, reach = depths[inputs[0]], reaches[inputs[0]]
        else:
            depth, reach = max([depths[j] for j in inputs]), max([reaches[j] for j in inputs])
        reader = READERS.get(type(node.op))
        if reader is not None:
            layers, pixels = reader(found, node.op, node, [nodes[j] for j in inputs])
            depth, reach = depth + layers, reach + pixels
        depths[i], reaches[i] = depth, reach
    depth = max([depths[j] for j in graph.outputs], default=0)
    on_maps = sum(found.madds.values())
    if not depth or not on_maps:
        raise LawError(f"{graph.name}: a prior is of a convolutional network, but no convolution computes a map that an output reads")
    if not found.classes:
        found.classes, found.classifier = found.last_channels, found.last_weights
    return Reading(
        found.features(counts, shape[0], depth, max([reaches[j] for j in graph.outputs])),
        found.classes,
        min(1.0, shape[0] * (on_maps + found.on_vectors) / counts.madds) if counts.madds else 1.0,
    )


@dataclass(slots=True)
class _Found:
    """What the pass has summed up so far. Maps are told apart by their positions."""

    positions_in: int
    madds: dict[int, int] = field(default_factory=dict)  # positions of a map -> multiply-adds that compute such maps
    weights: dict[int, int] = field(default_factory=dict)
    strides: dict[int, float] = field(default_factory=dict)  # positions of a map -> input pixels per position along one axis
    on_vectors: int = 0
    classes: int = 0
    classifier: int = 0  # weights
    last_channels: int = 1
    last_weights: int = 0
    last_width: int = 1
    dense: int = 0
    grouped: int = 0
    depthwise: int = 0  # at 3x3 each
    unmixed: int = 0
    kernels: int = 0  # depthwise convolutions, and their log sizes
    kernel_logs: float = 0.0
    shuffles: bool = False
    gates: int = 0
    adds: int = 0
    concats: int = 0
    kept: float = 0.0
    shifts: float = 0.0

    def stride(self, positions: int) -> float:
        """Input pixels per position of a map along one axis."""
        stride = self.strides.get(positions)
        if stride is None:
            stride = self.strides[positions] = (self.positions_in / positions) ** 0.5
        return stride

    def multiply(self, positions: int, channels: int, weights: int) -> int:
        """Note a layer; returns its multiply-adds. One that computes a vector is the classifier until another comes."""
        if positions == 1:
            self.on_vectors += weights
            self.classes, self.classifier = channels, weights
            return weights
        self.last_weights = weights
        madds = positions * weights
        self.madds[positions] = self.madds.get(positions, 0) + madds
        self.weights[positions] = self.weights.get(positions, 0) + weights
        self.last_channels = channels
        return madds

    def features(self, counts: Counts, batch: int, depth: int, reach: float) -> Features:
        """What has been found, as features."""
        on_maps, weights, side = sum(self.madds.values()), sum(self.weights.values()), self.positions_in**0.5
        logs = {positions: log(self.stride(positions)) for positions in self.madds}
        return Features(
            log_madds=log(counts.madds / batch),
            log_body_params=log(max(1, counts.params - self.classifier)),
            log_acts=log(counts.acts / batch),
            log_depth=log(depth),
            log_last_channels=log(self.last_channels),
            log_last_width=log(self.last_width),
            log_input_side=log(side),
            log_field=log(reach / side),
            madds_stride=sum([logs[p] * m for p, m in self.madds.items()]) / on_maps,
            params_stride=sum([logs[p] * w for p, w in self.weights.items()]) / weights,
            dense_share=self.dense / on_maps,
            grouped_share=self.grouped / on_maps,
            depthwise_share=self.depthwise / on_maps,
            log_depthwise_kernel=self.kernel_logs / self.kernels if self.kernels else 0.0,
            unmixed_share=0.0 if self.shuffles else self.unmixed / on_maps,
            gates_per_layer=self.gates / depth,
            adds_per_layer=self.adds / depth,
            concats_per_layer=self.concats / depth,
            kept_per_layer=self.kept / depth,
            shifts_per_layer=self.shifts / depth,
        )


# One function per kind of op: notes what it finds, and returns what the op adds to the depth and to the reach of its output.
Step = tuple[int, float]
NOTHING: Step = (0, 0.0)


def _conv(found: _Found, op: Conv2d, node: Node, sources: Sequence[Node]) -> Step:
    _, channels, h, w = node.shape
    cin, groups, size = op.in_channels, op.groups, op.kernel_size
    kh, kw = size if isinstance(size, tuple) else (size, size)
    madds = found.multiply(h * w, channels, channels * (cin // groups) * kh * kw)
    if h * w == 1:
        return NOTHING
    is_point = kh == kw == 1
    if groups == 1:
        found.dense += 0 if is_point else madds
    elif groups == cin:
        found.depthwise += 9 * channels * h * w
        found.kernels += 1
        found.kernel_logs += log(kh * kw) / 2
    else:
        found.grouped += madds
        found.unmixed += madds if is_point else 0
    if is_point:
        return 1, 0.0
    found.last_width = cin
    _, _, h, w = sources[0].shape
    return 1, (max(kh, kw) - 1) * found.stride(h * w)


def _linear(found: _Found, op: Linear, node: Node, sources: Sequence[Node]) -> Step:
    positions = prod(node.shape[1:-1])
    found.multiply(positions, op.out_features, op.in_features * op.out_features)
    return (1, 0.0) if positions > 1 else NOTHING


def _pool(found: _Found, op: MaxPool2d | AvgPool2d, node: Node, sources: Sequence[Node]) -> Step:
    _, _, h, w = sources[0].shape
    size = op.kernel_size
    return 0, ((size if isinstance(size, int) else max(size)) - 1) * found.stride(h * w)


def _add(found: _Found, op: Add, node: Node, sources: Sequence[Node]) -> Step:
    a, b = sources
    found.adds += a.shape == b.shape and len(a.shape) == 4
    return NOTHING


def _multiply(found: _Found, op: Multiply, node: Node, sources: Sequence[Node]) -> Step:
    """A gate is a vector that scales the channels of a map, and that is computed: layer scale, a parameter, is none."""
    vector, image = sorted(sources, key=lambda source: prod(source.shape))
    small, large = vector.shape, image.shape
    if len(small) == len(large) == 4 and vector.inputs and small != large:
        found.gates += small[2:] == (1, 1) or small[1:3] == (1, 1)
    return NOTHING


def _concat(found: _Found, op: Concat, node: Node, sources: Sequence[Node]) -> Step:
    if len(node.shape) == 4 and op.dim == 1:
        found.concats += 1
        found.kept += min(KEPT_SHARE, sum([s.shape[1] for s in sources if type(s.op) is ChannelSlice]) / node.shape[1])
    return NOTHING


def _shift(found: _Found, op: SparseShift | GroupedShift | FixedShift, node: Node, sources: Sequence[Node]) -> Step:
    _, channels, h, w = node.shape
    moved = op.moved_channels
    share = (len(moved) if isinstance(moved, tuple) else moved) / channels
    found.shifts += share
    found.last_width = channels
    return 0, 2 * found.stride(h * w) if share else 0.0


def _shuffle(found: _Found, op: ChannelShuffle, node: Node, sources: Sequence[Node]) -> Step:
    found.shuffles = True
    return NOTHING


READERS: Mapping[type[Op], Callable[[_Found, Any, Node, Sequence[Node]], Step]] = {
    Add: _add,
    AvgPool2d: _pool,
    ChannelShuffle: _shuffle,
    Concat: _concat,
    Conv2d: _conv,
    FixedShift: _shift,
    GroupedShift: _shift,
    Linear: _linear,
    MaxPool2d: _pool,
    Multiply: _multiply,
    SparseShift: _shift,
}
