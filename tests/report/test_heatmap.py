"""Heat maps: what stands in which cell, on a page and in a picture."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from archspace.errors import FileError, LawError
from archspace.report.heatmap import LARGEST_SIDE, MOST_NUMBERED, SCALE, HeatMap, color_of, ticks
from archspace.report.heatmap_page import heatmap_figure
from archspace.report.heatmap_png import CELL_PIXELS, heatmap_image, write_heatmap
from archspace.report.html import write_figure

SMALL = HeatMap(
    title="a title",
    subtitle="a subtitle",
    row_axis="target",
    column_axis="source",
    rows=("first", "<b>second"),
    columns=("one", "two", "three"),
    values=((1.0, None, None), (0.25, 0.5, 0.0)),
    texts=(("8", "", ""), ("2", "4", "")),
    hover=(("8 of 8", "", ""), ("2 of 8", "4 < 8", "0 of 8")),
)


def square(side: int) -> HeatMap:
    """A map with ones on the diagonal, zeros below it and nothing above."""
    names = tuple(f"block{i}" for i in range(side))
    values = tuple(tuple(1.0 if i == j else 0.0 if j < i else None for j in range(side)) for i in range(side))
    words = tuple(("",) * side for _ in range(side))
    return replace(SMALL, rows=names, columns=names, values=values, texts=words, hover=words)


def luma(color: tuple[int, int, int]) -> float:
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def test_the_scale_runs_from_nothing_to_all_and_darkens_all_the_way() -> None:
    assert [color_of(at) for at, _ in SCALE] == [color for _, color in SCALE]
    assert (SCALE[0][0], SCALE[-1][0]) == (0.0, 1.0)
    shades = [luma(color_of(i / 100)) for i in range(101)]
    assert all(above > below for above, below in pairwise(shades))


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_number_outside_the_scale_has_no_colour(value: float) -> None:
    with pytest.raises(LawError, match="from 0 to 1"):
        color_of(value)
    with pytest.raises(LawError, match="from 0 to 1"):
        replace(SMALL, values=((value, None, None), (0.25, 0.5, 0.0)))


def test_matrices_have_a_cell_per_name() -> None:
    with pytest.raises(LawError, match="2 by 3"):
        replace(SMALL, texts=(("8", ""), ("2", "4")))
    with pytest.raises(LawError, match="2 by 3"):
        replace(SMALL, hover=SMALL.hover[:1])


def test_a_map_without_cells_or_with_more_than_a_screen_shows_is_refused() -> None:
    with pytest.raises(LawError, match="but got 0 by 0"):
        replace(SMALL, rows=(), columns=(), values=(), texts=(), hover=())
    with pytest.raises(LawError, match=f"1 to {LARGEST_SIDE} rows"):
        replace(SMALL, rows=("row",) * (LARGEST_SIDE + 1))


@pytest.mark.parametrize(("names", "most"), [(1, 1), (19, 40), (64, 40), (1000, 7)])
def test_names_on_an_axis_are_evenly_spaced_and_fit(names: int, most: int) -> None:
    shown = list(ticks(names, most))
    assert shown[0] == 0
    assert len(shown) <= most
    assert len({b - a for a, b in pairwise(shown)}) <= 1


def test_a_page_has_the_cells_their_texts_and_the_first_row_on_top() -> None:
    figure = heatmap_figure(SMALL)
    (trace,) = figure.data
    assert [list(row) for row in trace.z] == [[1.0, None, None], [0.25, 0.5, 0.0]]
    assert [list(row) for row in trace.text] == [["8", "", ""], ["2", "4", ""]]
    assert (trace.zmin, trace.zmax) == (0, 1)
    assert figure.layout.yaxis.autorange == "reversed"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("source", "target")
    assert figure.layout.title.text.startswith("a title<br>")


def test_names_are_words_on_a_page_and_never_markup() -> None:
    figure = heatmap_figure(replace(SMALL, title="<i>title"))
    assert list(figure.layout.yaxis.ticktext) == ["first", "&lt;b&gt;second"]
    assert figure.data[0].hovertext[1][1] == "4 &lt; 8"
    assert figure.layout.title.text.startswith("&lt;i&gt;title")


def test_many_cells_carry_no_texts() -> None:
    assert heatmap_figure(square(MOST_NUMBERED)).data[0].text is not None
    assert heatmap_figure(square(MOST_NUMBERED + 1)).data[0].text is None


def test_a_page_opens_without_a_network(tmp_path: Path) -> None:
    write_figure(heatmap_figure(SMALL), tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert re.findall(r"<(?:script|link)[^>]*\s(?:src|href)\s*=", page) == []
    assert "2 of 8" in page


def test_a_picture_has_each_colour_as_often_as_the_map_has_the_value() -> None:
    """Without texts and gaps a cell is a full square of its colour; the colour bar adds the two ends of the scale."""
    side = MOST_NUMBERED + 1
    image = heatmap_image(square(side))
    pixels = {color: count for count, color in image.getcolors(image.width * image.height)}
    cell = 1600 // side
    bar = {value: pixels[color_of(value)] - cells * cell**2 for value, cells in ((1.0, side), (0.0, side * (side - 1) // 2))}
    assert all(0 < more < cell**2 for more in bar.values())


def test_the_first_row_of_a_picture_is_on_top() -> None:
    image = heatmap_image(square(40))
    dark = [(x, y) for x in range(0, image.width - 150, 5) for y in range(0, image.height, 5) if image.getpixel((x, y)) == color_of(1.0)]
    left, right = min(dark), max(dark)
    assert left[1] < right[1]


def test_a_cell_of_a_picture_keeps_to_its_sizes() -> None:
    least, most = CELL_PIXELS
    assert heatmap_image(square(1)).height < 10 * most
    many = 1601  # more than the pixels that a matrix should have
    line = replace(SMALL, rows=("row",), columns=("c",) * many, values=((0.5,) * many,), texts=(("",) * many,), hover=(("",) * many,))
    assert heatmap_image(line).width >= many * least


def test_a_picture_is_written_as_png_and_over_nothing_unasked(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    write_heatmap(SMALL, path)
    with Image.open(path) as image:
        assert (image.format, image.size) == ("PNG", heatmap_image(SMALL).size)
    first = path.read_bytes()
    with pytest.raises(FileError, match="exists already"):
        write_heatmap(square(3), path)
    assert path.read_bytes() == first
    write_heatmap(square(3), path, force=True)
    assert path.read_bytes() != first


def test_a_long_title_is_inside_the_picture() -> None:
    assert heatmap_image(replace(SMALL, title="wide " * 100)).width > heatmap_image(SMALL).width
