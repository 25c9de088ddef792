"""Activations, normalisation, add, multiply, dropout: shapes as they came, every element touched once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspace.errors import LawError
from archspace.ir import Counts
from archspace.ir.ops import KINDS, OPS, Activation, Add, BatchNorm2d, Dropout, Multiply, Op, Shape, Softmax

ACTIVATIONS = [kind for kind in OPS.values() if issubclass(kind, Activation)]
N = 2 * 6 * 4 * 5
X = (2, 6, 4, 5)


def count(op: Op, *shapes: Shape) -> Counts:
    return op.counts(shapes, op.out_shape(*shapes))


def broadcast(a: Shape, b: Shape) -> Shape | None:
    """torch's rule, axis by axis from the last; None where they do not fit."""
    axes = max(len(a), len(b))
    a, b = ((1,) * (axes - len(shape)) + shape for shape in (a, b))
    sizes = [max(p, q) if 1 in (p, q) or p == q else 0 for p, q in zip(a, b, strict=True)]
    return tuple(sizes) if all(sizes) else None


def test_there_are_seven_activations_in_the_zoo_and_four_more() -> None:
    names = {kind.__name__ for kind in ACTIVATIONS}
    assert names & set(KINDS) == {"GELU", "Hardsigmoid", "Hardswish", "ReLU", "ReLU6", "SiLU", "Sigmoid"}
    assert names - set(KINDS) == {"ELU", "LeakyReLU", "Mish", "Tanh"}


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_an_activation_reads_and_writes_each_element_once(kind: type[Op]) -> None:
    assert kind().out_shape(X) == X
    assert count(kind(), X) == Counts(in_elems=N, out_elems=N, elementwise_elems=2 * N)


def test_softmax_is_element_wise_along_an_axis_of_its_input() -> None:
    assert Softmax(1).out_shape(X) == X
    assert count(Softmax(), X) == Counts(in_elems=N, out_elems=N, elementwise_elems=2 * N)
    for dim in (-4, 3):
        assert Softmax(dim).out_shape(X) == X
    for dim in (-5, 4):
        with pytest.raises(LawError) as caught:
            Softmax(dim).out_shape(X)
        assert str(caught.value) == f"Softmax: dim must be an axis of the input, but got dim={dim}, input shape {X}"


def test_dropout_is_the_identity_at_inference_and_costs_nothing() -> None:
    assert Dropout(0.2).out_shape(X) == X
    assert count(Dropout(0.2), X) == Counts()
    assert count(Dropout(0.0), X) == Counts()


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_dropout_keeps_something(p: float) -> None:
    with pytest.raises(LawError, match=r"^Dropout: p must be in \[0, 1\), but got"):
        Dropout(p).out_shape(X)


def test_an_unfused_batch_norm_reads_four_vectors_and_learns_two() -> None:
    assert BatchNorm2d(6).out_shape(X) == X
    assert count(BatchNorm2d(6), X) == Counts(params=2 * 6, in_elems=N, weight_elems=4 * 6, out_elems=N, elementwise_elems=2 * N + 4 * 6)


def test_batch_norm_must_have_the_inputs_channels() -> None:
    with pytest.raises(LawError) as caught:
        BatchNorm2d(8).out_shape(X)
    assert str(caught.value) == "BatchNorm2d: num_features must equal the input's channels, but got num_features=8, input channels 6"


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 4), (2, 6, 4, 5, 3)])
def test_batch_norm_2d_takes_images_alone(shape: Shape) -> None:
    with pytest.raises(LawError, match="4-D"):
        BatchNorm2d(6).out_shape(shape)


@pytest.mark.parametrize("kind", [Add, Multiply])
def test_a_function_of_two_equal_tensors_reads_both_and_writes_one(kind: type[Op]) -> None:
    assert count(kind(), X, X) == Counts(in_elems=2 * N, out_elems=N, elementwise_elems=3 * N)


@pytest.mark.parametrize("kind", [Add, Multiply])
def test_a_gate_per_channel_is_read_once(kind: type[Op]) -> None:
    gate = (2, 6, 1, 1)
    assert kind().out_shape(X, gate) == kind().out_shape(gate, X) == X
    assert count(kind(), X, gate) == Counts(in_elems=N + 12, out_elems=N, elementwise_elems=2 * N + 12)


@given(st.lists(st.integers(1, 3), max_size=5), st.lists(st.integers(1, 3), max_size=5))
def test_two_tensors_broadcast_as_torchs_do(first: list[int], second: list[int]) -> None:
    a, b = tuple(first), tuple(second)
    expected = broadcast(a, b)
    if expected is None:
        with pytest.raises(LawError) as caught:
            Add().out_shape(a, b)
        assert str(caught.value) == f"Add: the inputs must have equal or broadcastable shapes, but got {a} and {b}"
    else:
        assert Add().out_shape(a, b) == expected


def test_axes_are_aligned_from_the_last() -> None:
    assert Multiply().out_shape(X, (4, 1)) == Multiply().out_shape((5,), X) == X
    with pytest.raises(LawError, match=r"equal or broadcastable shapes, but got \(2, 6, 4, 5\) and \(2, 6\)"):
        Multiply().out_shape(X, (2, 6))
