"""The stacks of units: their multiply-adds by hand, and channels that make them equal."""

from __future__ import annotations

import pytest

from archspace.timing.unit_stacks import UNITS, equal_channels, unit_stack


def madds(family: str, channels: int, **options: int) -> int:
    graph = unit_stack(family, channels, (1, 1), **options)
    return sum(graph.counts(node).madds for node in graph)


def test_the_multiply_adds_of_a_unit_are_those_of_its_convolutions() -> None:
    # Per pixel; a depthwise 3x3 has 9 per channel.
    assert madds("shufflenet_v2", 64, repeats=1) == 2 * 32 * 32 + 9 * 32
    assert madds("shufflenet_v1", 48, repeats=1) == 2 * 48 * 12 // 3 + 9 * 12
    assert madds("mobilenet_v2", 10, repeats=1) == 2 * 10 * 60 + 9 * 60
    assert madds("xception_light", 144, repeats=1) == 9 * 144 + 144 * 32 + 9 * 32 + 32 * 32 + 9 * 32 + 32 * 144


def test_ten_units_are_stacked() -> None:
    assert madds("shufflenet_v2", 64) == 10 * madds("shufflenet_v2", 64, repeats=1)


def test_a_stack_keeps_its_shape() -> None:
    for family in UNITS:
        graph = unit_stack(family, 12, (7, 5), batch=2)
        assert graph.input_shape == (2, 12, 7, 5)
        assert graph.nodes[graph.outputs[0]].shape == (2, 12, 7, 5)


@pytest.mark.parametrize("family", UNITS)
@pytest.mark.parametrize("channels", [64, 128, 256])
def test_no_neighbouring_number_of_channels_comes_nearer(family: str, channels: int) -> None:
    wanted = madds("shufflenet_v2", channels)
    found, step = equal_channels(family, channels), UNITS[family].multiple
    misses = [abs(madds(family, c) - wanted) for c in (found - step, found, found + step)]
    assert misses[1] == min(misses)


def test_the_reference_keeps_its_channels() -> None:
    assert equal_channels("shufflenet_v2", 128) == 128
