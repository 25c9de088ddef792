"""Multiply-adds in tiles and waves, counted by hand, and where a profile's prediction takes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archspace.errors import FileError
from archspace.ir import Builder, Graph
from archspace.ir.ops import Conv2d, Linear
from archspace.latency import latency_ms, load_profile
from archspace.latency.fusion import fused_kernels
from archspace.latency.profile_json import profile_from_dict, profile_to_dict
from archspace.latency.terms import TERMS, Coefficients, kernel_terms
from archspace.latency.tiles import Tile, tiled_gmadds

TILE = Tile(outputs=4, rows=16, startup_depth=2, processors=3)


def conv(op: Conv2d) -> Graph:
    b = Builder("one")
    return b.build(b.add("op", op, b.input((1, op.in_channels, 5, 5))))


def tiled(op: Conv2d, scale: float = 1) -> float:
    (kernel,) = fused_kernels(conv(op), "none")
    return tiled_gmadds(kernel.work, TILE, scale)


def test_a_convolution_is_one_product_of_pixels_by_channels_in_whole_tiles_and_waves() -> None:
    # 25 pixels are 2 tiles of 16 rows, 9 channels 3 tiles of 4 outputs: 6 tiles, 2 waves of 3; the depth is 6 channels times 3x3.
    waves = 2
    assert tiled(Conv2d(6, 9, 3, padding=1)) == pytest.approx(waves * 3 * 16 * 4 * (6 * 9 + 2) * 1e-9)


def test_a_last_wave_that_is_not_full_takes_as_long_as_a_full_one() -> None:
    # One tile more of outputs: 8 tiles are 3 waves, as 9 would be.
    assert tiled(Conv2d(6, 16, 1)) == tiled(Conv2d(6, 13, 1)) == pytest.approx(3 * 3 * 16 * 4 * (6 + 2) * 1e-9)


def test_each_group_has_tiles_of_its_own() -> None:
    # Three channels a group fill one tile of outputs each: 2 row tiles * 4 groups = 8 tiles, 3 waves; the depth is 12 / 4 channels.
    assert tiled(Conv2d(12, 12, 1, groups=4)) == pytest.approx(3 * 3 * 16 * 4 * (3 + 2) * 1e-9)


def test_a_batch_has_more_rows_and_not_more_startups_than_its_tiles() -> None:
    # 8 images have 200 pixels: 13 tiles of 16, 1 of outputs, 5 waves of 3.
    assert tiled(Conv2d(6, 4, 1), scale=8) == pytest.approx(5 * 3 * 16 * 4 * (6 + 2) * 1e-9)


def test_a_linear_layer_is_a_product_with_one_row_an_image() -> None:
    b = Builder("one")
    (kernel,) = fused_kernels(b.build(b.add("fc", Linear(10, 8), b.input((1, 10)))), "none")
    assert tiled_gmadds(kernel.work, TILE, 8) == pytest.approx(1 * 3 * 16 * 4 * (10 + 2) * 1e-9)  # 2 tiles, one wave of 3


def test_a_tile_takes_the_place_of_the_vector_width() -> None:
    (kernel,) = fused_kernels(conv(Conv2d(6, 9, 1)), "none")
    terms = [kernel_terms(kernel.work, scale=1, element_bytes=4, vector_width=16, tile=tile) for tile in (None, TILE)]
    padded = TERMS.index("ms_per_gmadd_padded")
    assert terms[0][padded] == pytest.approx(25 * 16 * 16 * 1e-9)
    assert terms[1][padded] == tiled_gmadds(kernel.work, TILE, 1)
    assert terms[0][:padded] + terms[0][padded + 1 :] == terms[1][:padded] + terms[1][padded + 1 :]


def test_a_profile_with_a_tile_predicts_by_it_and_comes_back_from_its_json() -> None:
    graph = conv(Conv2d(6, 9, 1))
    free = {"default": Coefficients(), "dense": Coefficients(ms_per_gmadd_padded=2.0)}
    profile = replace(load_profile("gtx1080ti"), tile=TILE, constant_ms=0.0, coefficients=free)
    assert latency_ms(graph, profile, 1) == pytest.approx(2.0 * tiled(Conv2d(6, 9, 1)))
    assert profile_from_dict(profile_to_dict(profile)) == profile


def test_a_tile_in_a_profile_is_of_whole_positive_numbers() -> None:
    data = {**profile_to_dict(load_profile("gtx1080ti")), "tile": {"outputs": 0, "rows": 1, "startup_depth": 1, "processors": 1}}
    with pytest.raises(FileError, match=r"p\.json: tile: outputs must be a whole number of at least 1, but got 0"):
        profile_from_dict(data, "p.json")
