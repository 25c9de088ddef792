"""Receptive fields against the gradients of the built model: the pixels that move a position are those that its field says.

Weights are positive and so is the image, so that nothing cancels and every ReLU is open; a max pool, whose gradient picks one position of
its window, is replaced by the mean over the same window.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_graphs import graphs
from torch import Tensor, nn

from archspace.analysis.receptive_field import NEIGHBOURS, ReceptiveField, receptive_fields
from archspace.ir import Builder, Graph, Value
from archspace.ir.ops import Add, AvgPool2d, BatchNorm2d, Concat, Conv2d, GroupedShift, MaxPool2d, Op, Pad, ReLU, SparseShift
from archspace.pytorch import to_module
from archspace.pytorch.layers import sparse_displacements

FAR = 12  # pixels from the border, beyond the sum of all shifts at the largest stride


def positive_model(graph: Graph) -> nn.Module:
    """The model of a graph in float64 and eval mode, all weights positive, means instead of maxima."""
    module = to_module(graph, seed=0).double().eval()
    for name, layer in list(module.named_modules()):
        if isinstance(layer, nn.MaxPool2d):
            parent, _, last = name.rpartition(".")
            mean = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)
            setattr(module.get_submodule(parent), last, mean)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return module


def moved_by(image: Tensor, output: Tensor, place: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """The rows and the columns of the image that have a gradient by the output's channels at `place` (all of it when it has no places)."""
    value = output[..., place[0], place[1]] if output.dim() == 4 else output
    (gradient,) = torch.autograd.grad(value.sum(), image, retain_graph=True)
    seen = gradient.abs().sum((0, 1)) > 0
    return seen.any(1).nonzero().flatten().tolist(), seen.any(0).nonzero().flatten().tolist()


def bounds(field: ReceptiveField, place: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row, first and last column of a place's field."""
    (top, bottom), (left, right) = (
        (i * axis.stride + axis.low, i * axis.stride + axis.high) for i, axis in zip(place, (field.h, field.w), strict=True)
    )
    return (top, bottom), (left, right)


def dense(b: Builder, name: str, x: Value, kernel: tuple[int, int] = (1, 1), **fields: tuple[int, int]) -> Value:
    """A convolution to four channels, each of which reads every input channel."""
    return b.add(name, Conv2d(x.channels, 4, kernel, **fields), x)


@st.composite
def mixing_graphs(draw: st.DrawFn) -> Graph:
    """Windows, shifts, pads and joins on a large image; every channel that is shifted is read by all channels after it."""
    b = Builder("mixing")
    x = b.input((1, draw(st.integers(1, 4)), draw(st.integers(70, 80)), draw(st.integers(70, 80))))
    stride_left = 4
    pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
    for i in range(draw(st.integers(1, 5))):
        with b.block(f"block{i}"):
            kind = draw(st.sampled_from(["conv", "conv", "pool", "shift", "sparse", "pad", "join"]))
            s = draw(st.sampled_from([(1, 1), (2, 2), (1, 2), (2, 1)])) if stride_left > 1 else (1, 1)
            if kind == "conv":
                padding, dilation = draw(st.tuples(st.integers(0, 3), st.integers(0, 3))), draw(pairs)
                x = dense(b, "conv", x, draw(pairs), stride=s, padding=padding, dilation=dilation)
            elif kind == "pool":
                kernel, ceil = draw(pairs), draw(st.booleans())
                pool = draw(st.sampled_from([MaxPool2d, AvgPool2d]))
                x = b.add("pool", pool(kernel, s, (kernel[0] // 2, kernel[1] // 2), ceil), x)
            elif kind == "shift":
                kernel_size = draw(st.sampled_from([1, 3, 5]))
                wide = b.add("expand", Conv2d(x.channels, 27, 1), x)
                x = dense(b, "project", b.add("shift", GroupedShift(27, kernel_size), wide), stride=s)
            elif kind == "sparse":
                channels = draw(st.integers(1, 10))
                wide = b.add("expand", Conv2d(x.channels, channels, 1), x)
                shift = SparseShift(channels, draw(st.integers(0, channels)))
                x = dense(b, "project", b.add("shift", shift, wide), stride=s)
            elif kind == "pad":
                x = b.add("pad", Pad(draw(st.tuples(*[st.integers(0, 2)] * 4))), x)
                s = (1, 1)
            else:  # a residual unit or an inception module with one stride and any centres
                kernel = draw(st.sampled_from([(3, 1), (1, 3), (3, 3), (2, 2), (5, 3)]))
                even = b.add("even", Pad((0, 1 - kernel[1] % 2, 0, 1 - kernel[0] % 2)), x)
                branch = dense(b, "branch", even, kernel, stride=s, padding=((kernel[0] - 1) // 2, (kernel[1] - 1) // 2))
                shortcut = dense(b, "shortcut", x, stride=s)
                join: Op = draw(st.sampled_from([Add(), Concat()]))
                x = b.add("norm", BatchNorm2d(4 if isinstance(join, Add) else 8), b.add("join", join, branch, shortcut))
            stride_left //= max(s)
            x = b.add("act", ReLU(), x)
    return b.build(x)


@settings(deadline=None, max_examples=80)
@given(mixing_graphs())
def test_far_from_the_border_the_bounds_of_the_gradient_are_those_of_the_field(graph: Graph) -> None:
    field = receptive_fields(graph)[-1]
    assert field is not None
    image = torch.ones(graph.input_shape, dtype=torch.float64, requires_grad=True)
    output = positive_model(graph)(image)
    middle = (output.shape[2] // 2, output.shape[3] // 2)
    for place in (middle, (middle[0] - 1, middle[1] - 1)):
        box = bounds(field, place)
        assume(all(first >= FAR and last < n - FAR for (first, last), n in zip(box, graph.input_shape[2:], strict=True)))
        rows, columns = moved_by(image, output, place)
        assert ((rows[0], rows[-1]), (columns[0], columns[-1])) == box


@settings(deadline=None, max_examples=60)
@given(graphs(), st.data())
def test_no_pixel_outside_the_field_has_a_gradient_at_any_node(graph: Graph, data: st.DataObject) -> None:
    image = torch.ones(graph.input_shape, dtype=torch.float64, requires_grad=True)
    every = replace(graph, outputs=tuple(range(len(graph))))
    outputs = positive_model(every)(image)
    for node, output, field in zip(graph, outputs, receptive_fields(graph), strict=True):
        assert field is not None
        if field.is_local and field.sees_all:
            continue  # the field is that of the local path alone
        place = tuple(data.draw(st.integers(0, n - 1)) for n in node.shape[2:]) if len(node.shape) == 4 else (0, 0)
        for seen, (first, last) in zip(moved_by(image, output, place), bounds(field, place), strict=True):
            assert not seen or (first <= seen[0] and seen[-1] <= last), node.name


def test_the_neighbours_of_a_sparse_shift_are_those_of_the_layer() -> None:
    # The layer has (alpha, beta), horizontal first.
    assert tuple((beta, alpha) for alpha, beta in sparse_displacements(8, 8)) == NEIGHBOURS
