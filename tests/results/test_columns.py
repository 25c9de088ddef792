"""Records as columns: metrics with their texts, what varies, and options in words."""

from __future__ import annotations

from archspace.results.columns import analyze_command, metric_columns, option_rows, parameter_columns, scalars
from archspace.space import Space
from archspace.study import Question, Record

SPACE = Space.from_dict({"family": "shufflenet_v2", "parameters": {"width": {"choices": [0.5, 1.0]}}}, "halves")
RECORDS = [
    Record(0, {"width": 0.5, "repeats": [4, 8], "shuffle": True, "unit": "v2"}, {"madds": 40_000_000, "params": 1_400_000}, True),
    Record(1, {"width": 1.0, "repeats": [4, 6], "unit": "v1"}, {"madds": 140_000_000, "params": 2_300_000}, False),
    Record(2, {"width": 1.0, "repeats": [4], "unit": "v2"}, {}, False, "broken"),
]


def test_metrics_come_with_texts_bounds_and_directions_objectives_first() -> None:
    question = Question(SPACE, {"params": "minimize"}, {"madds": 60e6})
    params, madds = metric_columns(question, RECORDS)
    assert (params.name, params.values, params.texts) == ("params", [1_400_000, 2_300_000, None], ["1.4M", "2.3M", ""])
    assert (params.direction, params.bound, madds.direction, madds.bound, madds.bound_text) == ("minimize", None, None, 60e6, "60M")


def test_options_have_a_name_per_scalar_however_deep() -> None:
    assert scalars({"a": [1, [2, 3]], "b": None}) == {"a.0": 1, "a.1.0": 2, "a.1.1": 3, "b": None}


def test_what_varies_is_numbers_or_places_among_words_and_none_where_it_is_not_active() -> None:
    columns = {column.name: column for column in parameter_columns(RECORDS)}
    assert list(columns) == ["width", "repeats.1", "shuffle", "unit"]
    assert columns["width"].values == [0.5, 1.0, 1.0]
    assert columns["repeats.1"].values == [8, 6, None]
    assert (columns["shuffle"].values, columns["shuffle"].words) == ([0, None, None], ["True"])
    assert (columns["unit"].values, columns["unit"].words) == ([1, 0, 1], ["v1", "v2"])


def test_options_in_words_are_empty_where_they_are_not_active() -> None:
    names, rows = option_rows(RECORDS)
    assert names == ["width", "repeats", "shuffle", "unit"]
    assert rows[1] == ["1.0", "4x6", "", "v1"]


def test_the_command_that_shows_a_candidate_is_a_model_of_the_command_line() -> None:
    options = {"width": 0.5, "split_ratio": [0.3, 0.6, 0.35], "residual": True}
    command = "archspace analyze shufflenet_v2@width=0.5,split_ratio=0.3,0.6,0.35,residual=True --per block"
    assert analyze_command("shufflenet_v2", options) == command
