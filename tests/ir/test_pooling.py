"""Pooling: windows as the convolution's, nothing learned, every element read once."""

from __future__ import annotations

import pytest

from archspace.errors import LawError
from archspace.ir import Counts
from archspace.ir.ops import AdaptiveAvgPool2d, AvgPool2d, Conv2d, MaxPool2d, Op

WINDOWED = [MaxPool2d, AvgPool2d]
X = (2, 24, 112, 112)


@pytest.mark.parametrize("kind", WINDOWED)
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (2, 2, 0), ((3, 2), (1, 2), (0, 1)), (7, 7, 3)])
def test_windows_lie_where_a_convolutions_do(kind: type[MaxPool2d | AvgPool2d], kernel: int, stride: int, padding: int) -> None:
    conv = Conv2d(24, 24, kernel, stride=stride, padding=padding, groups=24)
    assert kind(kernel, stride, padding).out_shape(X) == conv.out_shape(X)


@pytest.mark.parametrize("kind", WINDOWED)
def test_ceil_mode_keeps_the_last_pixels(kind: type[MaxPool2d | AvgPool2d]) -> None:
    # 112 pixels, windows of 3 at stride 2: 55 cover pixels 0 to 110; one more covers pixel 111.
    assert kind(3, 2).out_shape(X) == (2, 24, 55, 55)
    assert kind(3, 2, ceil_mode=True).out_shape(X) == (2, 24, 56, 56)


@pytest.mark.parametrize("kind", WINDOWED)
def test_padding_is_at_most_half_the_kernel(kind: type[MaxPool2d | AvgPool2d]) -> None:
    assert kind(2, 1, padding=1).out_shape(X) == (2, 24, 113, 113)
    with pytest.raises(LawError) as caught:
        kind(3, 2, padding=2).out_shape(X)
    assert str(caught.value) == f"{kind.__name__}: padding must be at most half of kernel_size, but got padding=2, kernel_size=3"


@pytest.mark.parametrize("kind", WINDOWED)
def test_padding_is_not_negative(kind: type[MaxPool2d | AvgPool2d]) -> None:
    with pytest.raises(LawError, match="padding"):
        kind(3, 2, padding=-1).out_shape(X)


@pytest.mark.parametrize("kind", WINDOWED)
def test_the_window_must_fit(kind: type[MaxPool2d | AvgPool2d]) -> None:
    with pytest.raises(LawError, match="the kernel must fit the padded input, but a kernel of 9 meets 8 pixels"):
        kind(9, 1).out_shape((1, 1, 8, 8))
    with pytest.raises(LawError, match="stride must be at least 1, but got 0"):
        kind(3, 0).out_shape(X)


def test_global_pooling_leaves_one_cell() -> None:
    assert AdaptiveAvgPool2d().out_shape(X) == (2, 24, 1, 1)
    assert AdaptiveAvgPool2d((7, 5)).out_shape(X) == (2, 24, 7, 5)


@pytest.mark.parametrize("size", [0, (1, 0), (-1, 3)])
def test_global_pooling_leaves_a_cell_at_least(size: int | tuple[int, int]) -> None:
    with pytest.raises(LawError, match="AdaptiveAvgPool2d: output_size must be at least 1"):
        AdaptiveAvgPool2d(size).out_shape(X)


@pytest.mark.parametrize(
    ("op", "out_pixels"), [(MaxPool2d(3, 2, 1), 56 * 56), (AvgPool2d(2, 2), 56 * 56), (AdaptiveAvgPool2d(1), 1), (AdaptiveAvgPool2d(7), 49)]
)
def test_pooling_reads_its_input_writes_its_output_and_learns_nothing(op: Op, out_pixels: int) -> None:
    counts = op.counts((X,), op.out_shape(X))
    assert counts == Counts(in_elems=2 * 24 * 112 * 112, out_elems=2 * 24 * out_pixels)
