"""Networks on the page: block rows by hand, equal neighbours in one, findings in words."""

from __future__ import annotations

import pytest

from archspace import build
from archspace.ir.ops import AdaptiveAvgPool2d, BatchNorm2d, ChannelShuffle, Conv2d, GroupedShift, Linear, MaxPool2d, Op, ReLU
from archspace.latency import load_profile, predict
from archspace.results.networks import block_rows, network_table, op_text, ops_text


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (Conv2d(3, 24, 3, stride=2), "conv 3x3/2 3→24"),
        (Conv2d(24, 24, (1, 3), stride=(1, 2), groups=24), "dw 1x3/1x2 24"),
        (Conv2d(240, 60, 1, groups=3), "conv 1x1 240→60 in 3 groups"),
        (Linear(1024, 1000), "linear 1024→1000"),
        (MaxPool2d(3, 2), "max pool 3x3/2"),
        (AdaptiveAvgPool2d(1), "global pool"),
        (ChannelShuffle(3), "shuffle"),
        (GroupedShift(3), "grouped shift"),
    ],
)
def test_an_op_in_a_few_words(op: Op, text: str) -> None:
    assert op_text(op) == text


def test_like_neighbours_are_counted_and_what_follows_a_convolution_is_left_out() -> None:
    pointwise = Conv2d(8, 8, 1)
    assert ops_text([pointwise, BatchNorm2d(8), ReLU(), pointwise, ChannelShuffle(2)]) == "2 x conv 1x1 8→8, shuffle"


def test_blocks_that_are_alike_share_a_row_and_the_sum_comes_last() -> None:
    rows = block_rows(build("shufflenet_v2", width=0.5), None)
    assert [row.name for row in rows] == [
        "stem",
        "stage2.unit0",
        "stage2.unit1 to unit3, each",
        "stage3.unit0",
        "stage3.unit1 to unit7, each",
        "stage4.unit0",
        "stage4.unit1 to unit3, each",
        "conv5",
        "head",
        "total",
    ]
    # conv1: 112 x 112 positions of 24 filters of 3 x 3 x 3, pooled to 56 x 56
    assert (rows[0].madds, rows[0].output, rows[0].ms) == (f"{112 * 112 * 24 * 27 / 1e6:.4g}M", "24x56x56", "")
    assert (rows[-1].madds, rows[-1].params) == ("40.48M", "1.367M")


def test_with_a_device_blocks_have_milliseconds_that_add_up() -> None:
    graph, device = build("shufflenet_v2", width=0.5, repeats=(1, 1, 1)), load_profile("sd810")
    rows = block_rows(graph, device)
    latency = predict(graph, device)
    assert rows[-1].ms == f"{latency.ms:.4g}"
    assert sum(float(row.ms) for row in rows[:-1]) + latency.constant_ms == pytest.approx(latency.ms, rel=0.01)


def test_findings_are_counted_by_rule_and_said_in_words_where_asked() -> None:
    graph = build("mobilenet_v2")
    assert network_table(graph, None, with_findings=False).rules == ()
    table = network_table(graph, None, with_findings=True)
    rules = {rule.code: rule for rule in table.rules}
    assert rules["G102"].findings > 0  # its inverted bottlenecks
    assert rules["S102"].findings == 0
    assert all(rule.ms == "" for rule in table.rules)
    assert len(table.messages) == 5
    assert f"by {sum(rule.findings for rule in table.rules)} findings" in table.wasted
