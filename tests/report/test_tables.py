"""Records as data frames and as words."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

from archspace.report.tables import option_text, options_text, records_frame

RECORDS: list[dict[str, Any]] = [
    {
        "number": 0, "options": {"groups": 3, "repeats": [4, 8, 4]}, "metrics": {"madds": 137, "params": 2},
        "feasible": True, "problem": "", "digest": "a0",
    },
    {
        "number": 1, "options": {"groups": 5, "repeats": [1, 1, 1]}, "metrics": {},
        "feasible": False, "problem": "groups=5", "digest": "",
    },
    {
        "number": 2, "options": {"groups": 2, "repeats": (2, 2, 2)}, "metrics": {"madds": 140, "params": 3},
        "feasible": False, "problem": "", "digest": "c2",
    },
]  # fmt: skip


def test_a_frame_has_a_row_per_record_with_metrics_and_options_as_columns() -> None:
    frame = records_frame(RECORDS)
    assert list(frame.columns) == ["number", "feasible", "madds", "params", "option.groups", "option.repeats", "problem", "digest"]
    assert list(frame["number"]) == [0, 1, 2]
    assert list(frame["feasible"]) == [True, False, False]
    assert list(frame["option.repeats"]) == ["4x8x4", "1x1x1", "2x2x2"]


def test_a_candidate_without_metrics_has_gaps_and_its_problem() -> None:
    row = records_frame(RECORDS).loc[1]
    assert pd.isna(row["madds"])
    assert row["problem"] == "groups=5"


def test_counts_stay_whole_numbers_in_the_csv_beside_candidates_without_metrics() -> None:
    lines = records_frame(RECORDS).to_csv(index=False).splitlines()
    assert lines[1:] == ["0,True,137,2,3,4x8x4,,a0", "1,False,,,5,1x1x1,groups=5,", "2,False,140,3,2,2x2x2,,c2"]


def test_a_frame_reads_back_from_csv() -> None:
    frame = records_frame([RECORDS[0], RECORDS[2]])
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)), keep_default_na=False)
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


def test_no_records_are_an_empty_frame() -> None:
    assert len(records_frame([])) == 0


@pytest.mark.parametrize(("value", "text"), [([4, 8, 4], "4x8x4"), ((1,), "1"), (0.5, 0.5), ("shift", "shift"), (True, True), (None, None)])
def test_lists_become_words_and_the_rest_stays(value: Any, text: Any) -> None:
    assert option_text(value) == text


def test_options_are_written_as_a_person_would_without_those_left_out() -> None:
    options = {"groups": 8, "width": 0.5, "repeats": (4, 8, 4), "shuffle": True}
    assert options_text(options, ["shuffle"]) == "groups=8 width=0.5 repeats=4x8x4"
    assert options_text({}) == ""


def test_a_metric_and_an_option_of_one_name_keep_columns_of_their_own() -> None:
    record = {**RECORDS[0], "options": {"stage_channels": [76, 120, 992]}, "metrics": {"stage_channels": 992}}
    frame = records_frame([record])
    assert list(frame["stage_channels"]) == [992]
    assert list(frame["option.stage_channels"]) == ["76x120x992"]
