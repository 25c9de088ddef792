"""The report of a study in a real browser without a network: what it draws, and what a click shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opened_page import Opened
from playwright.sync_api import Browser

from archspace import Space, search
from archspace.results import study_report
from archspace.study import StudyResult

pytestmark = pytest.mark.slow

SPACES = Path(__file__).parents[2] / "spaces"
Open = Callable[..., Any]
# Conditional, categorical and constant options, and a list that is chosen as a whole.
CONDITIONAL = {
    "family": "shufflenet_v1",
    "constants": {"num_classes": 100},
    "objectives": {"minimize": ["madds"]},
    "parameters": {
        "groups": {"choices": [1, 3, 8]},
        "shuffle": {"choices": [True, False], "when": {"groups": [3, 8]}},
        "activation": {"choices": ["relu", "hardswish"]},
        "width": {"low": 0.25, "high": 1.0},
    },
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "two objectives": {
        "space": SPACES / "shufflenet_v2.toml",
        "bounds": {"madds": "60M"},
        "objectives": {"stage_channels": "maximize", "latency_ms": "minimize"},
        "device": "sd810",
        "trials": 120,
    },
    "one objective": {"space": CONDITIONAL, "trials": 60},
    "three objectives": {
        "space": SPACES / "fenet.toml",
        "objectives": {"params": "maximize", "mem_elems": "minimize", "receptive_field": "maximize"},
        "trials": 8,
    },
    "nothing within the budget": {"space": SPACES / "shufflenet_v1.toml", "bounds": {"madds": 8_600_000}, "trials": 6},
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[StudyResult, Path]]:
    """Every question's study and its report."""
    found = {}
    for name, question in QUESTIONS.items():
        folder = tmp_path_factory.mktemp("study")
        space = question["space"] if isinstance(question["space"], Path) else Space.from_dict(question["space"], "conditional")
        result = search(**{**question, "space": space}, directory=folder)
        study_report(result, folder / "report.html", notes=["<b>a note</b> of the caller's"])
        found[name] = (result, folder / "report.html")
    return found


@pytest.fixture(scope="module")
def shown(studies: dict[str, tuple[StudyResult, Path]], browser: Browser) -> Opened:
    """The report of the two objectives, for tests that leave it as it is."""
    return Opened(browser, studies["two objectives"][1])


@pytest.fixture
def main(studies: dict[str, tuple[StudyResult, Path]]) -> tuple[StudyResult, Path]:
    return studies["two objectives"]


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_report_opens_in_silence_asks_for_nothing_and_fits_the_screen(
    name: str, studies: dict[str, tuple[StudyResult, Path]], opened: Open
) -> None:
    path = studies[name][1]
    found = opened(path)
    for width in (1280, 390, 1600):
        found.page.set_viewport_size({"width": width, "height": 800})
        found.page.wait_for_function("width => document.querySelector('#pareto .main-svg').clientWidth < width", arg=width)
        assert found.page.evaluate("document.documentElement.scrollWidth") == width
    assert found.said == []
    assert found.asked == [path.as_uri()]


def test_every_measured_candidate_is_a_point_of_its_kind(main: tuple[StudyResult, Path], shown: Opened) -> None:
    result, found = main[0], shown
    winners, feasible = len(result.winners), result.feasible
    assert 0 < winners < feasible < len(result.records)
    drawn = [found.points(name) for name in ("outside", "within", "Pareto")]
    assert drawn == [len(result.records) - feasible, feasible - winners, winners]
    assert found.points("published") == found.page.locator("#compare-reference option").count() > 0
    assert found.text("h1") == "shufflenet_v2: what 120 trials found"
    assert "with madds at most 60M?" in found.text(".question")


def test_the_first_winner_is_shown_at_first(main: tuple[StudyResult, Path], shown: Opened) -> None:
    result = main[0]
    panel = shown.text("#panel")
    assert panel.startswith(f"Trial {result.winners[0].number} on the Pareto front, rank 1")


def test_hovering_says_what_a_point_is_and_a_click_shows_its_architecture(main: tuple[StudyResult, Path], opened: Open) -> None:
    result, path = main
    found = opened(path)
    # From left to right: the fastest winner is the last of those that are ranked by channels.
    record = result.winners[-1]
    found.page.mouse.move(*found.place_of("Pareto", 0))
    found.page.wait_for_selector("#pareto .hoverlayer .hovertext")
    hover = found.page.text_content("#pareto .hoverlayer .hovertext")
    assert f"trial {record.number}, on the Pareto front" in hover
    assert "x".join(map(str, record.options["repeats"])) in hover
    found.click_point("Pareto", 0)
    panel = found.text("#panel")
    assert panel.startswith(f"Trial {record.number} on the Pareto front, rank {len(result.winners)}")
    assert f"{record.metrics['latency_ms']:.4g} ms" in panel
    blocks = found.page.locator("#panel .blocks tbody th").all_inner_texts()
    assert (blocks[0], blocks[-1]) == ("stem", "total")


def test_a_click_on_a_published_network_shows_it(main: tuple[StudyResult, Path], opened: Open) -> None:
    found = opened(main[1])
    names = found.page.locator("#compare-reference option").all_inner_texts()
    found.click_point("published", names.index("shufflenet_v2_0.5x"))
    panel = found.text("#panel")
    assert panel.startswith("shufflenet_v2_0.5x published network")
    assert "ImageNet top-1 error 39.7 %" in panel  # ShuffleNet v2, table 8
    assert "40.48M" in panel  # multiply-adds, as `archspace analyze shufflenet_v2@width=0.5` counts them


def test_candidates_without_kept_blocks_say_how_to_see_them(main: tuple[StudyResult, Path], opened: Open) -> None:
    result, path = main
    found = opened(path)
    record = next(record for record in result.records if not record.feasible)
    found.page.fill("#trial", str(record.number))
    found.page.press("#trial", "Enter")
    panel = found.text("#panel")
    assert panel.startswith(f"Trial {record.number} outside the budget")
    assert "(beyond 60M)" in panel
    assert f"archspace analyze shufflenet_v2@split_ratio={','.join(map(str, record.options['split_ratio']))}" in panel


def test_any_two_metrics_can_be_the_axes_and_a_bound_is_a_line(main: tuple[StudyResult, Path], opened: Open) -> None:
    found = opened(main[1])
    assert found.page.locator("#pareto .shapelayer path").count() == 0  # neither objective is bounded
    found.page.select_option("#pareto-x", "madds")
    found.page.wait_for_selector("#pareto .shapelayer path", state="attached")
    assert found.page.text_content("#pareto .xtitle") == "madds (M multiply-adds)"
    assert found.page.text_content("#pareto .annotation-text") == "at most 60M"
    assert found.said == []


def test_zooming_out_shows_what_lies_far_outside(main: tuple[StudyResult, Path], opened: Open) -> None:
    result, path = main
    found = opened(path)
    highest = "document.getElementById('pareto')._fullLayout.yaxis.range[1]"
    largest = max(record.metrics["stage_channels"] for record in result.records)
    assert found.page.evaluate(highest) < largest
    found.page.check("#pareto-all")
    found.page.wait_for_function(f"{highest} >= {largest}")


def test_parallel_coordinates_have_a_line_per_candidate_and_brushes(main: tuple[StudyResult, Path], opened: Open) -> None:
    result, path = main
    found = opened(path)
    lines = found.page.locator("#parallel .line")
    assert lines.count() == result.feasible
    assert found.page.locator("#parallel .line.state3").count() == len(result.winners)
    axes = found.page.locator("#parallel .axis .name").all_text_contents()
    assert {"width", "repeats.0", "latency_ms", "madds"} <= set(axes)
    # One per variable of the space that the trials vary, and four metrics.
    variables = [name for parameter in result.question.space.parameters for name, _ in parameter.variables]
    assert found.page.locator("#parallel .axis").count() == len(variables) + 4
    # The upper half of the first metric's axis.
    hit = found.page.locator("#parallel .axis .hit").nth(len(variables))
    hit.scroll_into_view_if_needed()
    box = hit.bounding_box()
    found.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 1)
    found.page.mouse.down()
    found.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    found.page.mouse.up()
    channels = [record.metrics["stage_channels"] for record in result.records if record.feasible]
    upper = sum(value >= (min(channels) + max(channels)) / 2 for value in channels)
    assert found.text("#parallel-count") == f"{upper} of {result.feasible} candidates"
    assert found.page.locator("#parallel .line:not(.off)").count() == upper
    found.page.click("#parallel-reset")
    assert found.page.locator("#parallel .line.off").count() == 0
    found.page.check("#parallel-outside")
    assert lines.count() == len(result.records)


def test_a_click_on_a_line_shows_that_candidate(main: tuple[StudyResult, Path], opened: Open) -> None:
    result, path = main
    found = opened(path)
    row = result.winners[1].number
    found.page.locator(f"#parallel .line[data-row='{row}']").dispatch_event("click")
    assert found.text("#panel").startswith(f"Trial {row} ")
    assert found.page.get_attribute("#parallel .chosen", "d") == found.page.get_attribute(f"#parallel .line[data-row='{row}']", "d")


def test_winners_sort_by_any_column_and_stand_beside_a_published_network(main: tuple[StudyResult, Path], opened: Open) -> None:
    result, path = main
    found = opened(path)
    found.page.click("#winners th:has-text('latency_ms') button")
    shown = [float(text.removesuffix(" ms")) for text in found.page.locator("#winners tbody td:nth-child(4)").all_inner_texts()]
    assert shown == sorted(shown)
    assert len(shown) == len(result.winners)
    found.page.locator("#winners tbody tr").first.locator("button").click()
    fastest = result.winners[-1].number
    assert found.text("#panel").startswith(f"Trial {fastest} ")
    assert found.page.locator("#comparison h3").all_inner_texts() == [f"trial {fastest}", "shufflenet_v2_0.5x"]
    assert "G403 separate-movement" in found.text("#rules")
    found.page.select_option("#compare-reference", label="mobilenet_v2_0.35x")
    assert "mobilenet_v2_0.35x" in found.text("#rules")
    assert found.page.locator("#comparison .blocks").count() == 2


def test_importance_and_history_are_drawn(shown: Opened) -> None:
    importances = shown.page.locator(".bars").all()
    assert len(importances) == 2
    for bars in importances:
        shares = [float(text.removesuffix(" %")) for text in bars.locator("td.number").all_inner_texts()]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(100, abs=0.5)
    assert shown.page.locator("#history .js-plotly-plot").count() == 4
    assert shown.page.locator("#history h3").all_inner_texts()[2:] == ["Hypervolume", "Within the budget"]


def test_one_objective_runs_over_the_trials(studies: dict[str, tuple[StudyResult, Path]], opened: Open) -> None:
    result, path = studies["one objective"]
    found = opened(path)
    assert found.page.input_value("#pareto-x") == "trial"
    assert found.points("Pareto") == 1
    assert found.page.locator("#history h3").all_inner_texts() == ["Best madds so far (minimize)", "Within the budget"]
    # Without groups there is no shuffle to choose: those lines run along the rail.
    assert any("shuffle" not in record.options for record in result.records)
    assert found.page.locator("#parallel .axis:has(.name:text('shuffle')) .tick").all_text_contents() == ["False", "True", "inactive"]
    assert found.page.locator("#parallel .axis:has(.name:text('activation')) .tick").all_text_contents() == ["hardswish", "relu"]


def test_what_cannot_be_said_of_few_trials_is_said_to_be_missing(studies: dict[str, tuple[StudyResult, Path]], opened: Open) -> None:
    found = opened(studies["three objectives"][1])
    assert "Importance needs at least 40 candidates within the budget, but there are 8" in found.text("main")
    found = opened(studies["nothing within the budget"][1])
    assert "No candidate meets the budget." in found.text("main")
    assert found.points("outside") == 6
    assert not found.page.is_visible("#compare")
    nearest = min(studies["nothing within the budget"][0].records, key=lambda record: record.metrics["madds"])
    assert found.text("#panel").startswith(f"Trial {nearest.number} outside the budget")
    assert f"No candidate meets the budget. Trial {nearest.number} comes nearest: madds " in found.text(".notes")


def test_notes_are_words_and_never_markup(shown: Opened) -> None:
    notes = shown.page.locator(".notes li").all_inner_texts()
    assert notes[0].startswith("latency_ms is predicted, not measured: one batch of 1 on sd810, ± 19 %")
    assert notes[-1] == "<b>a note</b> of the caller's"
