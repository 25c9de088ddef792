"""Numbers of architectures: exact, against all options that a space can give."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.space import Choice, Parameter, Range, Space
from archspace.space.counting import Size, architectures

SPACES = Path(__file__).parents[2] / "spaces"


def space(*parameters: Parameter) -> Space:
    return Space("small", "mixed", parameters)


def everything(found: Space) -> set[Any]:
    """Every different options dictionary, by going through all values of all variables."""
    variables = [variable for parameter in found.parameters for variable in parameter.variables]
    lists = [domain.values if isinstance(domain, Choice) else range(int(domain.low), int(domain.high) + 1) for _, domain in variables]
    names = [name for name, _ in variables]
    return {tuple(sorted(found.options(dict(zip(names, point, strict=True))).items())) for point in itertools.product(*lists)}


def choices(n: int) -> Choice:
    return Choice(tuple(range(n)))


def test_without_conditions_it_is_the_product_of_all_domains() -> None:
    found = space(
        Parameter("a", (Range(1, 6),)), Parameter("b", (choices(3), choices(4)), per_stage=True), Parameter("c", (Range(0.25, 1.0, 0.25),))
    )
    assert architectures(found) == Size(6 * 3 * 4 * 4)


def test_an_inactive_parameter_makes_no_difference() -> None:
    """groups 1 has no shuffle: one; groups 2 and 4 have it or not: two each."""
    found = space(Parameter("groups", (Choice((1, 2, 4)),)), Parameter("shuffle", (Choice((True, False)),), when={"groups": (2, 4)}))
    assert architectures(found) == Size(1 + 2 + 2)


def test_stages_are_counted_one_by_one() -> None:
    """In each of three stages: unit v2 with 5 splits, unit v1 with 4 groups, unit fe with nothing more."""
    unit = Parameter("unit", (Choice(("v1", "v2", "fe")),) * 3, per_stage=True)
    split = Parameter("split", (choices(5),) * 3, per_stage=True, when={"unit": ("v2",)}, neutral=(0,) * 3)
    groups = Parameter("groups", (choices(4),) * 3, per_stage=True, when={"unit": ("v1",)}, neutral=(0,) * 3)
    assert architectures(space(unit, split, groups)) == Size((5 + 4 + 1) ** 3)


def test_a_single_option_is_counted_where_any_stage_has_it() -> None:
    """Of 2 x 2 units only (b, b) has no shuffle."""
    unit = Parameter("unit", (Choice(("a", "b")),) * 2, per_stage=True)
    assert architectures(space(unit, Parameter("shuffle", (choices(2),), when={"unit": ("a",)}))) == Size(3 * 2 + 1)


def test_a_continuous_range_is_named_and_not_counted() -> None:
    found = architectures(space(Parameter("a", (choices(3),)), Parameter("x", (Range(0.5, 2.0), Range(1.0, 1.0)), per_stage=True)))
    assert found == Size(3, ("x.0",))
    assert str(found) == "3 x continuous x.0"


def test_a_count_is_written_for_people() -> None:
    assert [str(Size(n)) for n in (12, 1_234_567, 999_999_999_999, 4_567 * 10**18)] == [
        "12", "1,234,567", "999,999,999,999", "4.56 x 10^21",
    ]  # fmt: skip


def test_more_cases_than_can_be_gone_through_give_an_upper_bound() -> None:
    unit = Parameter("unit", (Choice(("a", "b")),) * 20, per_stage=True)
    found = architectures(space(unit, Parameter("shuffle", (choices(2),), when={"unit": ("a",)})))
    assert found == Size(2**21, is_exact=False)
    assert str(found) == "at most 2,097,152"


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_spaces_are_counted_exactly(path: Path) -> None:
    found = architectures(Space.load(path))
    assert found.is_exact
    assert found.count > 10_000


def test_the_mixed_space_is_the_product_of_its_stages() -> None:
    kernels, groups, bottlenecks, splits, expansions, sparsities, reductions = 2, 5, 2, 5, 4, 6, 2
    stage = (kernels * groups * bottlenecks + kernels * splits + kernels * expansions + expansions * sparsities) * reductions
    channels, repeats, widths = 6 * 11 * 14 * 13, 3 * 4 * 4 * 4, 9
    assert architectures(Space.load(SPACES / "mixed.toml")) == Size(widths * channels * repeats * stage**4)


# Any space ------------------------------------------------------------------------------------------------------------------------


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to four parameters of up to three stages, with conditions of all kinds on earlier ones."""
    stages = draw(st.integers(1, 3))
    parameters: list[Parameter] = []
    for i in range(draw(st.integers(1, 4))):
        per_stage = draw(st.booleans())
        domains = tuple(choices(draw(st.integers(1, 3))) for _ in range(stages if per_stage else 1))
        when: dict[str, tuple[Any, ...]] = {}
        for earlier in draw(st.lists(st.sampled_from(parameters), max_size=2, unique_by=lambda p: p.name)) if parameters else []:
            if earlier.per_stage and draw(st.booleans()):
                when[earlier.name] = (
                    tuple(draw(st.sampled_from(domain.values)) for domain in earlier.domains if isinstance(domain, Choice)),
                )
            else:
                when[earlier.name] = tuple(draw(st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True)))
        parameters.append(Parameter(f"p{i}", domains, per_stage, when, (0,) * stages if per_stage and when else ()))
    return space(*parameters)


@given(spaces())
@settings(deadline=None, max_examples=200)
def test_the_number_is_that_of_all_different_options(found: Space) -> None:
    assert architectures(found) == Size(len(everything(found)))
