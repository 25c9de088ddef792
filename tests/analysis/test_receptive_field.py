"""Receptive fields by hand: published networks, every kind of op, and what happens where paths meet."""

from __future__ import annotations

import pytest

from archspace.analysis.receptive_field import SIGHT, Extent, ReceptiveField, receptive_fields, stage_fields, union
from archspace.analysis.receptive_field_further import FURTHER_SIGHT
from archspace.ir import Builder, Graph, Value
from archspace.ir.ops import (
    FURTHER,
    KINDS,
    OPS,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Flatten,
    GroupedShift,
    Input,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    Opaque,
    Pad,
    Parameter,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    SparseShift,
)
from archspace.zoo import MEMBERS, build

CONV3, POOL2 = (3, 1), (2, 2)
VGG16 = [CONV3, CONV3, POOL2] * 2 + [CONV3, CONV3, CONV3, POOL2] * 3
ALEXNET = [(11, 4), (3, 2), (5, 1), (3, 2), CONV3, CONV3, CONV3, (3, 2)]
MOBILENET = [(3, 2), *((3, s) for s in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1))]


def bottlenecks(repeats: tuple[int, ...], stride_on_3x3: bool) -> list[tuple[int, int]]:
    """ResNet: 7x7 and pool, then per unit 1x1, 3x3 (and 1x1); from the second stage on the first unit strides."""
    layers = [(7, 2), (3, 2)]
    for stage, units in enumerate(repeats):
        for unit in range(units):
            s = 2 if stage and not unit else 1
            layers += [(1, 1), (3, s)] if stride_on_3x3 else [(1, s), (3, 1)]
    return layers


def by_hand(layers: list[tuple[int, int]]) -> tuple[int, int]:
    """(field, stride) after windows of (kernel, stride): each adds kernel - 1 strides of what is before it."""
    field, stride = 1, 1
    for kernel, s in layers:
        field, stride = field + (kernel - 1) * stride, stride * s
    return field, stride


def field_of(graph: Graph, name: str) -> ReceptiveField:
    """The field of a node that has one."""
    found = dict(zip((node.name for node in graph), receptive_fields(graph), strict=True))[name]
    assert found is not None
    return found


def after(*ops: Op, shape: tuple[int, ...] = (1, 4, 32, 48)) -> ReceptiveField:
    """The field behind a chain of ops on an image."""
    b = Builder("chain")
    x = b.input(shape)
    for i, op in enumerate(ops):
        x = b.add(f"op{i}", op, x)
    return last(b, x)


def last(b: Builder, x: Value) -> ReceptiveField:
    found = receptive_fields(b.build(x))[x.index]
    assert found is not None
    return found


# What Araujo et al. (Distill 2019) print is noted behind the number.
@pytest.mark.parametrize(
    ("member", "stage", "layers", "field", "stride"),
    [
        ("vgg16", "stage5", VGG16, 212, 32),  # Distill: vgg_16, 212
        ("alexnet_2014", "stage5", ALEXNET, 195, 32),  # Distill: alexnet_v2, 195
        ("mobilenet_v1_1x", "stage5", MOBILENET, 315, 32),  # Distill: mobilenet_v1, 315
        ("resnet50_v1", "stage4", bottlenecks((3, 4, 6, 3), stride_on_3x3=False), 483, 32),  # Distill: resnet_v1_50, 483
        ("resnet50", "stage4", bottlenecks((3, 4, 6, 3), stride_on_3x3=True), 427, 32),  # the stride comes after the 3x3's reach
        ("resnet50", "stage3", bottlenecks((3, 4, 6), stride_on_3x3=True), 267, 16),
        ("resnet50", "stem", [(7, 2), (3, 2)], 11, 4),
        ("shufflenet_v1_1x_g3", "stage2", [(3, 2), (3, 2), (3, 2), CONV3, CONV3, CONV3], 63, 8),
        ("shufflenet_v2_1x", "stage2", [(3, 2), (3, 2), (3, 2), CONV3, CONV3, CONV3], 63, 8),
        ("shiftresnet_20_1x1", "stage3", [CONV3, (3, 2), (3, 2)], 9, 4),  # no shifts: the pools of the shortcuts alone
        ("shiftresnet_20_grouped", "stage1", [CONV3] * 4, 9, 1),  # a shift of one pixel reaches as far as a 3x3
    ],
)
def test_the_fields_of_known_networks(member: str, stage: str, layers: list[tuple[int, int]], field: int, stride: int) -> None:
    assert by_hand(layers) == (field, stride)
    found = stage_fields(build(member))[stage]
    assert (found.size, found.stride) == ((field, field), (stride, stride))


@pytest.mark.parametrize(("depth", "field"), [(50, 483), (101, 1027), (152, 1507)])  # Distill: resnet_v1_50, _101, _152
def test_deeper_resnets_see_further(depth: int, field: int) -> None:
    assert stage_fields(build("resnet", depth=depth, stride_on_3x3=False))["stage4"].size == (field, field)


def test_the_last_convolution_of_vgg16_sees_196_pixels_at_stride_16() -> None:
    graph = build("vgg16")
    # 13 convolutions of 3x3, 2 + 2 + 3 + 3 + 3 of them at strides 1, 2, 4, 8, 16, and 4 pools of 2x2: 1 + 2(2 + 4 + 12 + 24 + 48) + 15.
    assert 1 + 2 * (2 * 1 + 2 * 2 + 3 * 4 + 3 * 8 + 3 * 16) + (1 + 2 + 4 + 8) == 196
    conv5_3 = field_of(graph, "stage5.unit2.conv.conv")
    assert (conv5_3.size, conv5_3.stride) == ((196, 196), (16, 16))
    # Convolutions are padded evenly; each 2x2 pool moves the centre by half of the stride before it.
    assert conv5_3.centre == ((1 + 2 + 4 + 8) / 2,) * 2
    assert stage_fields(graph)["stage5"].centre == ((1 + 2 + 4 + 8 + 16) / 2,) * 2


def test_position_0_of_the_input_sees_pixel_0() -> None:
    b = Builder("g")
    field = last(b, b.input((1, 3, 8, 8)))
    assert (field.low, field.high, field.size, field.stride, field.centre) == ((0, 0), (0, 0), (1, 1), (1, 1), (0.0, 0.0))
    assert (field.is_local, field.aligned, field.sees_all) == (True, True, False)


@pytest.mark.parametrize(
    ("op", "low", "high", "stride"),
    [
        (Conv2d(4, 4, 3, stride=2, padding=1), (-1, -1), (1, 1), (2, 2)),
        (Conv2d(4, 4, (1, 7), padding=(0, 3)), (0, -3), (0, 3), (1, 1)),
        (Conv2d(4, 4, (5, 3), stride=(1, 2), padding=(2, 0)), (-2, 0), (2, 2), (1, 2)),
        (Conv2d(4, 4, 3, padding=2, dilation=2), (-2, -2), (2, 2), (1, 1)),
        (Conv2d(4, 4, 3, dilation=(1, 4)), (0, 0), (2, 8), (1, 1)),
        (Conv2d(4, 4, 3, padding=1, groups=4), (-1, -1), (1, 1), (1, 1)),
        (MaxPool2d(3, 2, padding=1), (-1, -1), (1, 1), (2, 2)),
        (MaxPool2d(3, 2, ceil_mode=True), (0, 0), (2, 2), (2, 2)),
        (AvgPool2d((2, 3), (2, 1)), (0, 0), (1, 2), (2, 1)),
        (AdaptiveAvgPool2d((8, 16)), (0, 0), (3, 2), (4, 3)),  # 32 / 8 and 48 / 16 positions per cell
        (Pad((1, 2, 3, 4)), (-3, -1), (-3, -1), (1, 1)),  # left 1, top 3: position 0 is padding
        (ReLU(), (0, 0), (0, 0), (1, 1)),
        (BatchNorm2d(4), (0, 0), (0, 0), (1, 1)),
        (ChannelShuffle(2), (0, 0), (0, 0), (1, 1)),
        (ChannelSlice(0, 2), (0, 0), (0, 0), (1, 1)),
        (Softmax(1), (0, 0), (0, 0), (1, 1)),
        (Reshape((2, 2, 32, 48)), (0, 0), (0, 0), (1, 1)),  # channels apart, positions as they were
        (Flatten(3), (0, 0), (0, 0), (1, 1)),  # nothing to flatten
    ],
)
def test_what_position_0_sees_through_one_op(op: Op, low: tuple[int, int], high: tuple[int, int], stride: tuple[int, int]) -> None:
    field = after(op)
    assert (field.low, field.high, field.stride) == (low, high, stride)
    assert field.aligned
    assert not field.sees_all


def test_a_window_behind_a_stride_reaches_that_many_times_as_far() -> None:
    field = after(Conv2d(4, 4, 3, stride=(2, 4), padding=1), Conv2d(4, 4, 5, padding=2))
    # vertical: -1 - 2 * 2 to 1 + 2 * 2; horizontal: -1 - 2 * 4 to 1 + 2 * 4
    assert (field.low, field.high, field.size, field.stride) == ((-5, -9), (5, 9), (11, 19), (2, 4))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_grouped_shift_widens_the_field_by_the_half_of_its_grid_on_every_side(kernel: int) -> None:
    field = after(Conv2d(4, 32, 1, stride=2), GroupedShift(32, kernel))
    assert field.size == (1 + 2 * 2 * (kernel // 2),) * 2


@pytest.mark.parametrize(
    ("channels", "moved", "low", "high"),  # (vertical, horizontal); the first to move go left: up, level, down; then up, down; then right
    [
        (16, 0, (0, 0), (0, 0)),
        (16, 1, (-1, -1), (0, 0)),  # one goes up and left, the others stay
        (16, 3, (-1, -1), (1, 0)),
        (16, 6, (-1, -1), (1, 1)),  # the sixth is the first to the right
        (16, 16, (-1, -1), (1, 1)),
        (1, 1, (-1, -1), (-1, -1)),  # none stays
        (3, 3, (-1, -1), (1, -1)),
    ],
)
def test_a_sparse_shift_widens_the_field_as_far_as_its_channels_go(
    channels: int, moved: int, low: tuple[int, int], high: tuple[int, int]
) -> None:
    field = after(SparseShift(channels, moved), shape=(1, channels, 8, 8))
    assert (field.low, field.high) == (low, high)


def test_learned_shifts_start_within_a_pixel_of_their_place() -> None:
    assert after(SparseShift(4, 1, learned=True)).size == (3, 3)
    assert after(SparseShift(4, 0, learned=True)).size == (1, 1)


@pytest.mark.parametrize("op", [AdaptiveAvgPool2d(1), Flatten(), Opaque("fft", (1, 4, 32, 48)), Reshape((48, 32, 4))])
def test_global_operations_see_the_whole_image_from_everywhere(op: Op) -> None:
    field = after(Conv2d(4, 4, 3, padding=1), op)
    assert (field.low, field.high, field.size, field.stride) == ((0, 0), (31, 47), (32, 48), (0, 0))
    assert field.sees_all
    assert not field.is_local


def test_what_no_position_saw_a_global_operation_does_not_see_either() -> None:
    # 1x1 windows at stride 3 on 8 pixels: positions see 0, 3 and 6.
    assert after(Conv2d(4, 4, 1, stride=3), AdaptiveAvgPool2d(1), shape=(1, 4, 8, 8)).high == (6, 6)


def test_behind_a_global_operation_all_stays_global() -> None:
    field = after(AdaptiveAvgPool2d(1), Conv2d(4, 4, 1), ReLU(), Flatten(), Linear(4, 2), Softmax())
    assert (field.size, field.stride, field.is_local) == ((32, 48), (0, 0), False)


def test_a_linear_layer_or_a_softmax_along_one_axis_reads_that_axis_alone() -> None:
    for op in (Linear(48, 8), Softmax(3), Softmax(-1)):
        assert (after(op).size, after(op).stride) == ((1, 48), (1, 0))
    assert (after(Softmax(-2)).size, after(Softmax(-2)).stride) == ((32, 1), (0, 1))


def test_squeeze_and_excitation_leaves_the_field_and_says_that_all_is_seen() -> None:
    b = Builder("g")
    x = b.add("conv", Conv2d(4, 4, 3, padding=1), b.input((1, 4, 32, 32)))
    gate = b.add("sigmoid", Sigmoid(), b.add("pool", AdaptiveAvgPool2d(1), x))
    scaled = b.add("scale", Multiply(), x, gate)
    field = last(b, b.add("conv2", Conv2d(4, 4, 3, padding=1), scaled))
    assert (field.size, field.stride, field.is_local, field.sees_all, field.aligned) == ((5, 5), (1, 1), True, True, True)
    plain, gated = (stage_fields(build(name))["stage4"] for name in ("resnet50", "se_resnet50"))
    assert (plain.size, plain.sees_all, gated.size, gated.sees_all) == ((427, 427), False, (427, 427), True)


def test_a_row_that_is_broadcast_is_seen_from_every_height() -> None:
    b = Builder("g")
    x = b.input((1, 4, 8, 8))
    row = b.add("row", Conv2d(4, 4, (8, 1)), x)  # (1, 4, 1, 8)
    field = last(b, b.add("wide", Add(), row, b.add("column", Conv2d(4, 4, (1, 8)), x)))
    assert (field.h, field.w) == (Extent(0, 0, 1, sees_all=True), Extent(0, 0, 1, sees_all=True))
    mixed = last(b, b.add("scale", Multiply(), x, row))
    assert (mixed.stride, mixed.h.sees_all, mixed.w.sees_all) == ((1, 1), True, False)


def test_where_paths_meet_the_field_is_their_union() -> None:
    b = Builder("g")
    x = b.input((1, 4, 16, 16))
    wide = b.add("wide", Conv2d(4, 4, (1, 7), padding=(0, 3)), x)
    tall = b.add("tall", Conv2d(4, 4, (5, 1), padding=(2, 0)), x)
    for joined in (b.add("concat", Concat(), wide, tall), b.add("add", Add(), wide, tall)):
        field = last(b, joined)
        assert (field.low, field.high, field.aligned) == ((-2, -3), (2, 3), True)


def test_paths_with_other_centres_are_not_aligned() -> None:
    b = Builder("g")
    x = b.input((1, 4, 16, 16))
    conv = b.add("conv", Conv2d(4, 4, 3, stride=2, padding=1), x)  # pixels -1 to 1
    pool = b.add("pool", AvgPool2d(2, 2), x)  # pixels 0 to 1: half a pixel further right
    field = last(b, b.add("add", Add(), conv, pool))
    assert (field.low, field.high, field.aligned) == ((-1, -1), (1, 1), False)
    assert not last(b, b.add("act", ReLU(), b.add("again", Add(), conv, pool))).aligned  # and so is all that comes after


def test_paths_with_other_strides_are_not_aligned_and_get_a_box_around_both() -> None:
    b = Builder("g")
    x = b.input((1, 4, 8, 8))
    strided = b.add("strided", Conv2d(4, 4, 1, stride=2), x)  # position i sees 2i
    valid = b.add("valid", Conv2d(4, 4, 5), x)  # position i sees i to i + 4
    field = last(b, b.add("concat", Concat(), strided, valid))
    # i to i + 4 lies within 2i - 3 to 2i + 4 for i = 0 .. 3, and in no smaller box of stride 2
    assert (field.low, field.high, field.stride, field.aligned) == ((-3, -3), (4, 4), (2, 2), False)
    offsets = [pixel - 2 * i for i in range(4) for pixel in (2 * i, i, i + 4)]
    assert (min(offsets), max(offsets)) == (-3, 4)


def test_cells_of_unequal_size_get_a_box_and_are_not_aligned() -> None:
    field = after(AdaptiveAvgPool2d(3), shape=(1, 4, 8, 8))
    cells = [(0, 2), (2, 5), (5, 7)]  # floor(8i / 3) to ceil(8(i + 1) / 3) - 1
    assert field.stride == (2, 2)
    assert field.h.low == min(first - 2 * i for i, (first, _) in enumerate(cells))
    assert field.h.high == max(end - 2 * i for i, (_, end) in enumerate(cells))
    assert not field.aligned
    assert not after(AdaptiveAvgPool2d(9), shape=(1, 4, 8, 8)).is_local  # more cells than positions


def test_images_joined_side_by_side_are_not_aligned() -> None:
    b = Builder("g")
    x = b.input((1, 4, 8, 6))
    field = last(b, b.add("concat", Concat(dim=3), x, x))  # positions 6 to 11 see pixels 0 to 5
    assert (field.low, field.high) == ((0, -6), (0, 0))
    assert (field.h.aligned, field.w.aligned) == (True, False)


def test_one_extent_alone_is_its_own_union() -> None:
    for extent in (Extent(-3, 5, 4, aligned=False), Extent(0, 31, 0, sees_all=True)):
        assert union([extent], 7) == extent


def test_the_image_is_the_first_input_with_four_axes() -> None:
    b = Builder("g")
    words = b.input((1, 4), "words")
    x = b.input((1, 4, 8, 8), "image")
    other = b.input((1, 4, 8, 8), "other")
    embedded = b.add("fc", Linear(4, 4), words)
    far = b.add("far", Conv2d(4, 4, 7, padding=3), other)
    y = b.add("add", Add(), b.add("conv", Conv2d(4, 4, 3, padding=1), x), far)
    graph = b.build(y, embedded)
    fields = dict(zip((node.name for node in graph), receptive_fields(graph), strict=True))
    assert [name for name, field in fields.items() if field is None] == ["words", "other", "fc", "far"]
    assert field_of(graph, "add").size == (3, 3)


def test_a_graph_without_an_image_has_no_fields() -> None:
    b = Builder("g")
    graph = b.build(b.add("fc", Linear(4, 4), b.input((1, 4))))
    assert receptive_fields(graph) == (None, None)
    assert stage_fields(graph) == {}


def test_tensors_of_one_axis_are_taken_too() -> None:
    b = Builder("g")
    x = b.input((1, 4, 8, 8))
    total = b.add("total", Opaque("sum", (1,)), x)
    assert last(b, b.add("twice", Add(), total, total)).size == (8, 8)


def test_stages_without_positions_are_left_out() -> None:
    assert list(stage_fields(build("resnet50"))) == ["stem", "stage1", "stage2", "stage3", "stage4"]
    # The head of VGG-16 begins with a pool of 7 x 7 cells on 7 x 7 positions, which is none.
    assert stage_fields(build("vgg16"))["head"] == stage_fields(build("vgg16"))["stage5"]


def test_the_field_does_not_depend_on_the_size_of_the_image() -> None:
    small, large = (stage_fields(build("shufflenet_v2", input=size)) for size in ((96, 160), (480, 640)))
    assert small == large


@pytest.mark.parametrize("member", MEMBERS)
def test_no_op_of_any_network_narrows_the_field_or_the_stride(member: str) -> None:
    graph = build(member)
    fields = receptive_fields(graph)
    for node, field in zip(graph, fields, strict=True):
        assert field is not None
        for before in (fields[i] for i in node.inputs):
            assert before is not None
            assert not field.is_local or not before.is_local or (field.size >= before.size and field.stride >= before.stride), node.name


def test_every_op_kind_that_reads_anything_has_its_law() -> None:
    assert set(SIGHT) == {OPS[name] for name in KINDS} - {Input, Parameter}
    assert set(FURTHER_SIGHT) == {OPS[name] for name in FURTHER}
