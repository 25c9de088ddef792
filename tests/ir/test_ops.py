"""What holds for every op kind: the table is complete, kinds are values, laws are stated, counts are exact and grow with the batch."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import iter_modules

import pytest
from further_examples import BUILT, REFUSED
from hypothesis import given
from hypothesis import strategies as st

from archspace.errors import LawError
from archspace.ir import Counts, ops
from archspace.ir.ops import OPS, Op, Shape

# One legal op of every kind with the shapes that it takes, batch 1.
EXAMPLES: dict[str, tuple[Op, tuple[Shape, ...]]] = {
    "AdaptiveAvgPool2d": (ops.AdaptiveAvgPool2d((2, 3)), ((1, 6, 8, 8),)),
    "Add": (ops.Add(), ((1, 6, 8, 8), (1, 6, 8, 8))),
    "AvgPool2d": (ops.AvgPool2d(3, stride=2, padding=1), ((1, 6, 8, 8),)),
    "BatchNorm2d": (ops.BatchNorm2d(6), ((1, 6, 8, 8),)),
    "ChannelGather": (ops.ChannelGather((6, 0, 5, 1)), ((1, 6, 8, 8), (1, 2, 8, 8))),
    "ChannelShuffle": (ops.ChannelShuffle(3), ((1, 6, 8, 8),)),
    "ChannelSlice": (ops.ChannelSlice(2, 5), ((1, 6, 8, 8),)),
    "Concat": (ops.Concat(), ((1, 6, 8, 8), (1, 2, 8, 8))),
    "Conv2d": (ops.Conv2d(6, 4, 3, stride=2, groups=2, bias=True), ((1, 6, 8, 8),)),
    "Dropout": (ops.Dropout(0.2), ((1, 6),)),
    "FixedShift": (ops.FixedShift((0, 1, 0, -2, 0, 0), (0, 0, 0, 1, -1, 0), inplace=True), ((1, 6, 8, 8),)),
    "Flatten": (ops.Flatten(), ((1, 6, 8, 8),)),
    "GELU": (ops.GELU(), ((1, 6, 8, 8),)),
    "GroupedShift": (ops.GroupedShift(10), ((1, 10, 8, 8),)),
    "Hardsigmoid": (ops.Hardsigmoid(), ((1, 6, 8, 8),)),
    "Hardswish": (ops.Hardswish(), ((1, 6, 8, 8),)),
    "Input": (ops.Input((1, 6, 8, 8)), ()),
    "Linear": (ops.Linear(6, 4), ((1, 5, 6),)),
    "MaxPool2d": (ops.MaxPool2d(3, stride=2), ((1, 6, 8, 8),)),
    "Multiply": (ops.Multiply(), ((1, 6, 8, 8), (1, 6, 1, 1))),
    "Opaque": (ops.Opaque("fft", (1, 6, 8, 5)), ((1, 6, 8, 8),)),
    "Pad": (ops.Pad((0, 1, 2, 3)), ((1, 6, 8, 8),)),
    "Parameter": (ops.Parameter((1, 6)), ()),
    "ReLU": (ops.ReLU(), ((1, 6, 8, 8),)),
    "ReLU6": (ops.ReLU6(), ((1, 6, 8, 8),)),
    "Reshape": (ops.Reshape((2, 3, 64)), ((1, 6, 8, 8),)),
    "SiLU": (ops.SiLU(), ((1, 6, 8, 8),)),
    "Sigmoid": (ops.Sigmoid(), ((1, 6, 8, 8),)),
    "Softmax": (ops.Softmax(1), ((1, 6),)),
    "SparseShift": (ops.SparseShift(6, 2), ((1, 6, 8, 8),)),
}
# The first example of each further kind, batch 1.
for op, shapes in reversed((*BUILT, *REFUSED)):
    if type(op).__name__ in ops.FURTHER:
        EXAMPLES[type(op).__name__] = (op, tuple((1, *shape[1:]) for shape in shapes))
EXAMPLES["DynamicConv2d"] = (ops.DynamicConv2d(2, 1), ((1, 6, 8, 8), (1, 6, 3, 3)))
IMAGE_OPS = (
    "AdaptiveAvgPool2d", "AvgPool2d", "ChannelShuffle", "Conv2d", "FixedShift", "GroupedShift", "MaxPool2d", "Pad", "SparseShift",
    "PixelShuffle", "PixelUnshuffle", "Unfold",
)  # fmt: skip
MANY_INPUTS = (
    "Add", "ChannelGather", "Concat", "Multiply", "Opaque",
    "DynamicConv2d", "Einsum", "GRU", "Index", "LSTM", "MatMul", "Overwrite", "Pointwise", "RNN", "ScaledDotProductAttention", "Stack",
)  # fmt: skip
NO_INPUTS = ("Input", "Parameter")
# Their batch does not follow from their inputs, or one of those is a weight without a batch.
SHAPE_IS_A_FIELD = ("Input", "Opaque", "Index", "Parameter", "DynamicConv2d")


def counted(kind: str, batch: int = 1) -> Counts:
    op, shapes = EXAMPLES[kind]
    batched = tuple((batch, *shape[1:]) for shape in shapes)
    return op.counts(batched, op.out_shape(*batched))


def kinds_in_the_modules() -> dict[str, type[Op]]:
    """Every subclass of Op that the package's modules define and nothing in them inherits from."""
    found = {}
    for info in iter_modules(ops.__path__):
        module = import_module(f"{ops.__name__}.{info.name}")
        found.update(
            {name: kind for name, kind in getmembers(module, isclass) if issubclass(kind, Op) and kind.__module__ == module.__name__}
        )
    bases = {base for kind in found.values() for base in kind.__mro__[1:]}
    return {name: kind for name, kind in found.items() if kind not in bases}


def test_every_concrete_op_is_in_the_table_under_its_own_name() -> None:
    assert kinds_in_the_modules() == OPS
    assert all(kind.__name__ == name for name, kind in OPS.items())


def test_every_kind_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(OPS)
    assert all(type(op) is OPS[kind] for kind, (op, _) in EXAMPLES.items())


@pytest.mark.parametrize("kind", OPS)
def test_an_op_is_a_value(kind: str) -> None:
    op = EXAMPLES[kind][0]
    same = type(op)(**{f.name: getattr(op, f.name) for f in fields(op)})
    assert same == op
    assert hash(same) == hash(op)
    assert len({same, op}) == 1
    with pytest.raises((FrozenInstanceError, TypeError)):
        op.colour = "red"  # type: ignore[attr-defined]
    assert not hasattr(op, "__dict__")


@pytest.mark.parametrize("kind", OPS)
def test_an_unknown_field_fails_when_the_op_is_made(kind: str) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'kernal_size'"):
        OPS[kind](kernal_size=3)


@pytest.mark.parametrize("kind", OPS)
def test_counts_are_exact_integers_that_are_not_negative(kind: str) -> None:
    counts = counted(kind)
    for name in (field.name for field in fields(Counts)):
        assert type(getattr(counts, name)) is int
        assert getattr(counts, name) >= 0
    assert counts.mem_elems == counts.in_elems + counts.weight_elems + counts.out_elems
    assert counts.elementwise_elems + counts.movement_elems <= counts.mem_elems
    assert counts.elementwise_elems == 0 or counts.movement_elems == 0


@given(st.sampled_from(sorted(set(OPS) - set(SHAPE_IS_A_FIELD))), st.integers(2, 64))
def test_the_batch_scales_all_counts_but_those_of_the_weights(kind: str, batch: int) -> None:
    one, many = counted(kind), counted(kind, batch)
    for name in ("madds", "acts", "in_elems", "out_elems", "movement_elems"):
        assert getattr(many, name) == batch * getattr(one, name), name
    assert (many.params, many.weight_elems) == (one.params, one.weight_elems)
    # The element-wise part may hold weights too, which do not grow: e(batch) = weights + batch * rest.
    weights = 2 * one.elementwise_elems - counted(kind, 2).elementwise_elems
    assert 0 <= weights <= one.weight_elems
    assert many.elementwise_elems == weights + batch * (one.elementwise_elems - weights)


@pytest.mark.parametrize("kind", sorted(set(OPS) - {*MANY_INPUTS, *NO_INPUTS}))
def test_an_op_of_one_input_takes_neither_none_nor_two(kind: str) -> None:
    op, (shape,) = EXAMPLES[kind]
    for shapes in ((), (shape, shape)):
        with pytest.raises(LawError, match=f"{kind} takes one input, but got {len(shapes)}"):
            op.out_shape(*shapes)


@pytest.mark.parametrize("kind", ["Add", "Multiply"])
def test_an_op_of_two_inputs_takes_neither_one_nor_three(kind: str) -> None:
    op, (shape, _) = EXAMPLES[kind]
    for shapes in ((shape,), (shape,) * 3):
        with pytest.raises(LawError, match=f"{kind} takes two inputs, but got {len(shapes)}"):
            op.out_shape(*shapes)


@pytest.mark.parametrize("kind", IMAGE_OPS)
def test_an_op_on_images_takes_four_axes(kind: str) -> None:
    op, (shape,) = EXAMPLES[kind]
    for wrong in (shape[:3], (*shape, 2)):
        with pytest.raises(LawError) as caught:
            op.out_shape(wrong)
        assert str(caught.value) == f"{kind} takes a 4-D input (batch, channels, height, width), but got shape {wrong}"


@pytest.mark.parametrize("kind", OPS)
@pytest.mark.parametrize("axes", range(5))
def test_any_number_of_axes_gives_a_shape_or_a_law_error(kind: str, axes: int) -> None:
    op, shapes = EXAMPLES[kind]
    try:
        out = op.out_shape(*[shape[:axes] for shape in shapes])
    except LawError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert all(type(size) is int and size >= 1 for size in out)


def test_an_input_states_its_shape_and_costs_nothing() -> None:
    assert ops.Input((2, 3, 8, 8)).out_shape() == (2, 3, 8, 8)
    assert ops.Input((2, 3, 8, 8)).counts((), (2, 3, 8, 8)) == Counts()
    with pytest.raises(LawError, match="Input takes no inputs, but got 1"):
        ops.Input((1,)).out_shape((1,))
    with pytest.raises(LawError, match="Input: size must be at least 1, but got 0"):
        ops.Input((1, 0)).out_shape()


def test_opaque_work_counts_its_memory_access_alone() -> None:
    shapes = ((1, 6, 8, 8), (1, 6, 8, 5))
    assert ops.Opaque("fft", (1, 6, 8, 5)).out_shape(*shapes) == (1, 6, 8, 5)
    counts = ops.Opaque("fft", (1, 6, 8, 5)).counts(shapes, (1, 6, 8, 5))
    assert counts == Counts(in_elems=6 * 8 * 8 + 6 * 8 * 5, out_elems=6 * 8 * 5)


def test_opaque_work_has_a_possible_shape() -> None:
    with pytest.raises(LawError, match="Opaque"):
        ops.Opaque("fft", (1, -6, 0)).out_shape((1, 6))


def test_the_total_of_counts_is_the_sum_of_each_field() -> None:
    a, b = Counts(1, 2, 3, 4, 5, 6, 7, 8), Counts(10, 20, 30, 40, 50, 60, 70, 80)
    assert Counts.total([a, b]) == Counts(11, 22, 33, 44, 55, 66, 77, 88)
    assert Counts.total(iter([a])) == a
    assert Counts.total([]) == Counts()
    assert Counts.total([a, b]).mem_elems == 44 + 55 + 66
