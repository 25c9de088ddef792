"""Pages of surveys: every value is drawn once, in the bin or at the height that it has."""

from __future__ import annotations

import pytest

from archspace.report.space_page import BINS, Curve, Histogram, comparison_figure, description_figure


def test_a_histogram_has_every_candidate_in_a_bin_and_the_bound_as_a_line() -> None:
    within, outside = [1.0, 2.0, 4.0, 8.0], [16.0, 100.0]
    figure = description_figure("a <space>", [Histogram("madds", within, outside, 10.0)], ["note"], is_bounded=True)
    inside, beyond = figure.data
    assert (sum(inside.y), sum(beyond.y)) == (4, 2)
    assert (inside.name, beyond.name) == ("within the budget", "outside")
    assert len(inside.x) == BINS
    assert figure.layout.xaxis.type == "log"  # the values span two decades
    assert figure.layout.shapes[0].x0 == 10.0
    assert "a &lt;space&gt;" in figure.layout.title.text


def test_bins_touch_each_other_on_both_scales() -> None:
    for values in ([1.0, 1000.0], [1.0, 2.0]):
        (bars,) = description_figure("x", [Histogram("params", values, [], None)], [], is_bounded=False).data
        assert sum(bars.width) == pytest.approx(max(values) - min(values))
        assert not bars.showlegend


def test_values_that_are_all_alike_are_drawn() -> None:
    (bars,) = description_figure("x", [Histogram("params", [3.0, 3.0], [], None)], [], is_bounded=False).data
    assert sum(bars.y) == 2


def test_each_metric_has_a_panel() -> None:
    histograms = [Histogram(name, [1.0, 2.0], [3.0], None) for name in ("madds", "params", "mem_elems")]
    figure = description_figure("x", histograms, [], is_bounded=True)
    assert [figure.layout[f"xaxis{n}"].title.text for n in ("", 2, 3)] == ["madds", "params", "mem_elems"]
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False, False, False]


def test_a_curve_rises_from_nothing_to_all_members() -> None:
    figure = comparison_figure({"params": [Curve("a", [1.0, 2.0, 2.0, 5.0]), Curve("b", [3.0])]}, {"params": "minimize"}, ["note"])
    first, second = figure.data
    assert list(first.x) == [1.0, 1.0, 2.0, 2.0, 5.0]
    assert list(first.y) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert (first.name, second.name) == ("a (4)", "b (1)")
    assert first.line.color != second.line.color
    assert figure.layout.annotations[0].text == "params: less is better, further left"
