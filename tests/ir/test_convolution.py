"""Conv2d and Linear: shapes against counted windows, counts by hand, equations 1 and 2 of ShuffleNet v2."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archspace.errors import LawError
from archspace.ir import Counts
from archspace.ir.ops import Conv2d, Linear, Op, Shape
from archspace.ir.ops.convolution import window_count

X = (1, 64, 28, 28)
small = st.integers(1, 12)


def count(op: Op, *shapes: Shape) -> Counts:
    return op.counts(shapes, op.out_shape(*shapes))


def windows(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many windows fit, tried one by one: from the left padding, at every stride, while the last tap stays in the right padding."""
    found, start = 0, -padding
    while start + dilation * (kernel - 1) <= size - 1 + padding:
        found, start = found + 1, start + stride
    return found


@given(size=st.integers(1, 40), kernel=small, stride=small, padding=st.integers(0, 6), dilation=st.integers(1, 4))
def test_as_many_windows_are_counted_as_can_be_placed(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    expected = windows(size, kernel, stride, padding, dilation)
    if expected:
        assert window_count(size, kernel, stride, padding, dilation) == expected
    else:
        span = dilation * (kernel - 1) + 1
        with pytest.raises(LawError) as caught:
            window_count(size, kernel, stride, padding, dilation)
        law = "the kernel must fit the padded input"
        assert str(caught.value) == f"{law}, but a kernel of {span} meets {size + 2 * padding} pixels. Use a larger input."


@given(size=st.integers(1, 40), kernel=small, stride=small, data=st.data())
def test_ceil_mode_adds_a_last_window_that_starts_on_the_image(size: int, kernel: int, stride: int, data: st.DataObject) -> None:
    padding = data.draw(st.integers(0, kernel // 2))  # the law of pooling
    whole = windows(size, kernel, stride, padding, 1)
    assume(whole)
    next_start = whole * stride - padding
    last_end = next_start - stride + kernel  # one past the last whole window's last pixel
    expected = whole + (last_end < size + padding and next_start < size)
    assert window_count(size, kernel, stride, padding, ceil_mode=True) == expected


@pytest.mark.parametrize("field", ["kernel_size", "stride", "dilation"])
def test_a_window_of_nothing_breaks_a_law(field: str) -> None:
    given_fields = {"kernel_size": 3, "stride": 1, "dilation": 1, field: 0}
    with pytest.raises(LawError, match=f"^{field} must be at least 1, but got 0$"):
        Conv2d(64, 8, **given_fields).out_shape(X)


def test_height_and_width_go_their_own_ways() -> None:
    conv = Conv2d(3, 8, kernel_size=(3, 5), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    # h: 9 + 2 - 3 = 8, in strides of 2: 5 windows. w: the kernel spans 9 of 20 pixels: 12 windows.
    assert conv.out_shape((2, 3, 9, 20)) == (2, 8, 5, 12)


def test_a_convolution_is_counted_by_hand() -> None:
    counts = count(Conv2d(3, 24, 3, stride=2, padding=1), (1, 3, 224, 224))
    out, weights = 24 * 112 * 112, 24 * 3 * 9
    assert counts == Counts(
        madds=out * 3 * 9, params=weights, acts=out, in_elems=3 * 224 * 224, weight_elems=weights, out_elems=out, elementwise_elems=0
    )
    assert counts.madds == 8_128_512


def test_a_bias_is_a_parameter_per_output_channel_and_element_wise_work() -> None:
    bare, biased = (count(Conv2d(64, 32, 1, bias=bias), X) for bias in (False, True))
    assert biased.params - bare.params == biased.weight_elems - bare.weight_elems == biased.elementwise_elems == 32
    assert (biased.madds, biased.acts) == (bare.madds, bare.acts)
    assert bare.elementwise_elems == 0


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_groups_divide_madds_and_weights_and_leave_the_feature_maps(groups: int) -> None:
    dense, grouped = (count(Conv2d(64, 64, 3, padding=1, groups=g), X) for g in (1, groups))
    assert grouped.madds == dense.madds // groups == 64 * 64 * 9 // groups * 28 * 28
    assert grouped.params == dense.params // groups == 64 * 64 * 9 // groups
    assert (grouped.in_elems, grouped.out_elems) == (dense.in_elems, dense.out_elems) == (64 * 28 * 28, 64 * 28 * 28)


def test_a_depthwise_convolution_is_element_wise_work_as_a_whole() -> None:
    counts = count(Conv2d(64, 64, 3, padding=1, groups=64), X)
    assert counts.madds == 64 * 9 * 28 * 28
    assert counts.elementwise_elems == counts.mem_elems == 2 * 64 * 28 * 28 + 64 * 9


def test_depthwise_means_a_group_per_channel_and_more_than_one() -> None:
    assert Conv2d(64, 64, 3, groups=64).is_depthwise
    assert Conv2d(64, 128, 3, groups=64).is_depthwise  # two filters per channel
    assert not Conv2d(64, 64, 3, groups=32).is_depthwise
    assert not Conv2d(1, 1, 3).is_depthwise
    assert count(Conv2d(1, 1, 3), (1, 1, 8, 8)).elementwise_elems == 0


def test_channels_must_be_those_of_the_input() -> None:
    with pytest.raises(LawError) as caught:
        Conv2d(32, 8, 3).out_shape(X)
    assert str(caught.value) == "Conv2d: in_channels must equal the input's channels, but got in_channels=32, input channels 64"


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ((58, 60), "groups must divide in_channels, but got groups=3, in_channels=58. Divisors near 3: 2, 29."),
        ((60, 58), "groups must divide out_channels, but got groups=3, out_channels=58. Divisors near 3: 2, 29."),
    ],
)
def test_groups_must_divide_both_channels(channels: tuple[int, int], message: str) -> None:
    with pytest.raises(LawError) as caught:
        Conv2d(*channels, 1, groups=3).out_shape((1, channels[0], 8, 8))
    assert str(caught.value) == message


@pytest.mark.parametrize(("field", "value"), [("in_channels", 0), ("out_channels", 0), ("groups", 0), ("groups", -1)])
def test_channels_and_groups_start_at_one(field: str, value: int) -> None:
    op = Conv2d(**{"in_channels": 64, "out_channels": 8, "kernel_size": 1, field: value})
    with pytest.raises(LawError, match=f"^Conv2d: {field} must be at least 1, but got {value}$"):
        op.out_shape(X)


def test_padding_is_not_negative() -> None:
    with pytest.raises(LawError, match="padding"):
        Conv2d(64, 8, 3, padding=-1).out_shape(X)
    with pytest.raises(LawError, match="padding"):
        Conv2d(64, 8, 3, padding=(0, -1)).out_shape(X)


@given(c1=st.integers(1, 512), c2=st.integers(1, 512), h=small, w=small)
def test_equation_1_bounds_the_memory_access_of_a_pointwise_convolution(c1: int, c2: int, h: int, w: int) -> None:
    # ShuffleNet v2, equation 1: MAC >= 2 sqrt(hw B) + B / hw, where B = hw c1 c2. Squared, so that it stays in integers.
    counts = count(Conv2d(c1, c2, 1), (1, c1, h, w))
    hw, b = h * w, counts.madds
    assert b == hw * c1 * c2
    assert b // hw == counts.weight_elems
    feature_maps = counts.mem_elems - b // hw
    assert feature_maps**2 >= 4 * hw * b
    assert (feature_maps**2 == 4 * hw * b) == (c1 == c2)


@given(k1=st.integers(1, 64), k2=st.integers(1, 64), g=st.sampled_from([1, 2, 3, 4, 8]), h=small, w=small)
def test_equation_2_is_the_memory_access_of_a_pointwise_group_convolution(k1: int, k2: int, g: int, h: int, w: int) -> None:
    # ShuffleNet v2, equation 2: MAC = hw c1 + B g / c1 + B / hw, where B = hw c1 c2 / g.
    c1, c2, hw = g * k1, g * k2, h * w
    counts = count(Conv2d(c1, c2, 1, groups=g), (1, c1, h, w))
    b = counts.madds
    assert b == hw * c1 * c2 // g
    assert counts.mem_elems == hw * c1 + Fraction(b * g, c1) + Fraction(b, hw)


def test_at_a_fixed_input_and_madds_more_groups_read_and_write_more() -> None:
    # Equation 2 again (G2): c2 grows with g so that B = hw c1 c2 / g stays.
    mems = [(c := count(Conv2d(240, 240 * g, 1, groups=g), (1, 240, 28, 28))).mem_elems for g in (1, 2, 4, 8)]
    assert c.madds == 240 * 240 * 28 * 28
    assert mems == sorted(set(mems))


def test_a_linear_layer_is_counted_by_hand() -> None:
    counts = count(Linear(1536, 1000), (1, 1536))
    params = 1536 * 1000 + 1000
    assert counts == Counts(
        madds=1536 * 1000, params=params, acts=1000, in_elems=1536, weight_elems=params, out_elems=1000, elementwise_elems=1000
    )


def test_a_linear_layer_works_along_the_last_axis() -> None:
    assert Linear(6, 4).out_shape((2, 5, 6)) == (2, 5, 4)
    assert count(Linear(6, 4, bias=False), (2, 5, 6)) == Counts(
        madds=2 * 5 * 4 * 6, params=24, acts=40, in_elems=60, weight_elems=24, out_elems=40
    )


def test_a_linear_layer_must_fit_the_last_axis() -> None:
    with pytest.raises(LawError) as caught:
        Linear(6, 4).out_shape((2, 5))
    assert str(caught.value) == "Linear: in_features must equal the input's last axis, but got in_features=6, input shape (2, 5)"
    for op in (Linear(0, 4), Linear(6, 0)):
        with pytest.raises(LawError, match="must be at least 1, but got 0"):
            op.out_shape((1, 6))
