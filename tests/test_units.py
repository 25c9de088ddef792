"""Quantities as people write them: what is read back is what was printed, and nothing else is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspace.errors import LawError
from archspace.units import format_bytes, format_count, format_share, format_size, parse_count, parse_ms, parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("140M", 140_000_000),
        ("140m", 140_000_000),
        (" 1.4 G ", 1_400_000_000),
        (".5k", 500),
        ("2T", 2 * 10**12),
        ("7", 7),
        ("0.51", 1),
        ("140e6", 140_000_000),
        ("1.4e-3G", 1_400_000),
    ],
)
def test_a_count_may_carry_a_power_of_a_thousand(text: str, expected: int) -> None:
    assert parse_count(text) == expected
    assert type(parse_count(text)) is int


@pytest.mark.parametrize(
    "text", ["", "M", "-1M", "0", "0.0001", ".5", "0.5", "0.0005k", "1,4G", "140 MB", "nan", "inf", "1.4.0M", "1e400", "9" * 5000]
)
def test_what_is_no_positive_count_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(LawError, match="Example: 140M"):
        parse_count(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("30ms", 30.0), ("30", 30.0), ("1.2s", 1200.0), ("250 us", 0.25), ("5MS", 5.0), ("1e-2s", 10.0)]
)
def test_a_time_is_in_ms_unless_it_says_otherwise(text: str, expected: float) -> None:
    assert parse_ms(text) == expected


@pytest.mark.parametrize("text", ["", "ms", "-3ms", "0s", "3 min", "3h", "nan", "1e400s"])
def test_what_is_no_positive_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(LawError, match="Example: 30ms"):
        parse_ms(text)


@pytest.mark.parametrize(("text", "expected"), [("224", (224, 224)), ("480x640", (480, 640)), ("480X640", (480, 640))])
def test_a_size_is_a_side_or_height_by_width(text: str, expected: tuple[int, int]) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-224", "224x", "x224", "1x2x3", "224.0", "224px", "²", "0x224", "9" * 5000])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(LawError, match="Examples: 224, 480x640"):
        parse_size(text)


@given(st.text(alphabet="0123456789.eE+-kmgtusx ", max_size=12))
def test_any_word_is_either_a_positive_quantity_or_a_law_error(text: str) -> None:
    for parse in (parse_count, parse_ms):
        try:
            value = parse(text)
        except LawError:
            continue
        assert 0 < value < float("inf")
    try:
        height, width = parse_size(text)
    except LawError:
        return
    assert min(height, width) >= 1


@given(st.integers(min_value=1, max_value=10**15))
def test_a_printed_count_reads_back_within_its_four_digits(count: int) -> None:
    # Four significant digits: the error is at most half of the fourth, 0.05 % of a number that begins with 1.
    assert abs(parse_count(format_count(count)) - count) <= 0.0005 * count


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_a_printed_size_reads_back_exactly(height: int, width: int) -> None:
    assert parse_size(format_size(height, width)) == (height, width)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (954, "954"), (1000, "1K"), (136_500_672, "136.5M"), (4_089_184_256, "4.089G"), (2 * 10**12, "2T"), (0.0625, "0.0625")],
)
def test_a_count_is_printed_with_four_digits_and_its_suffix(value: float, expected: str) -> None:
    assert format_count(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, "0 B"), (800, "800 B"), (74_000_000, "74 MB"), (1_234_567, "1.235 MB")])
def test_bytes_are_printed_in_powers_of_a_thousand(value: int, expected: str) -> None:
    assert format_bytes(value) == expected


def test_shares_are_printed_in_percent_and_sizes_in_pixels() -> None:
    assert format_share(0.3456) == "34.6 %"
    assert format_share(1) == "100.0 %"
    assert (format_size(224, 224), format_size(480, 640)) == ("224", "480x640")
