"""Printed speeds as they are read: each field, and how many there are of each table."""

from __future__ import annotations

import pytest

from archspace.zoo import MEMBERS
from archspace.zoo.published_speeds import PRINTED_TWICE, SHUFFLENET_V2, UNITS_TABLE, Speed, published_speeds


def test_a_row_is_read_field_by_field() -> None:
    rows = published_speeds(SHUFFLENET_V2, "appendix table 1a", "arm")
    assert Speed("mobilenet_v2_0.15x_reimpl", SHUFFLENET_V2, "appendix table 1a", "arm", (480, 640), 1, 3.8, "images/s") in rows


def test_a_batch_that_is_not_printed_is_none() -> None:
    assert {row.batch for row in published_speeds(SHUFFLENET_V2, "table 1", "gpu")} == {None}


def test_the_table_of_units_has_families_and_channels() -> None:
    first = published_speeds(SHUFFLENET_V2, UNITS_TABLE, "gpu")[0]
    assert first == Speed("shufflenet_v2", SHUFFLENET_V2, UNITS_TABLE, "gpu", (56, 56), 1, 216, "batches/s", 64)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("table 1", 4 * 3),
        ("table 2", 4 * 3),
        ("table 3", 5 * 3),
        ("table 4", 4 * 3),
        ("appendix table 1a", 3 * 4 * 4),
        (UNITS_TABLE, 2 * 4 * 3),
    ],
)
def test_both_platforms_have_every_row_of_a_table(table: str, rows: int) -> None:
    assert [len(published_speeds(SHUFFLENET_V2, table, platform)) for platform in ("gpu", "arm")] == [rows, rows]


def test_what_nobody_printed_is_empty() -> None:
    assert published_speeds(SHUFFLENET_V2, "table 1", "tpu") == ()


def test_networks_printed_twice_are_members() -> None:
    assert {*PRINTED_TWICE, *PRINTED_TWICE.values()} <= set(MEMBERS)
