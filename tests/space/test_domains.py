"""Domains: what they hold, what they sample, which ones contradict themselves."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspace.errors import SpaceError
from archspace.space import Choice, Range

SEEDS = st.integers(0, 2**32 - 1)


def test_a_choice_needs_a_value() -> None:
    with pytest.raises(SpaceError, match=r"^here: choices must list at least one value, but is empty$"):
        Choice(()).check("here")


def test_a_choice_lists_no_value_twice() -> None:
    with pytest.raises(SpaceError, match=r"^here: choices must differ, but some value of \[2, 3, 2\] is listed twice$"):
        Choice((2, 3, 2)).check("here")


def test_true_and_one_are_two_different_choices() -> None:
    Choice((True, 1, "1")).check("here")


def test_a_range_needs_low_at_most_high() -> None:
    with pytest.raises(SpaceError, match=r"^here: low must not exceed high, but got low=3, high=2$"):
        Range(3, 2).check("here")
    Range(3, 3).check("here")


@pytest.mark.parametrize("step", [0, -1, -0.5])
def test_a_step_must_move_up(step: float) -> None:
    with pytest.raises(SpaceError, match=rf"^here: step must be above 0, but got {step}$"):
        Range(1, 2, step).check("here")


def test_a_step_must_be_a_finite_number() -> None:
    for step in (float("nan"), float("inf")):
        with pytest.raises(SpaceError, match="step"):
            Range(0.5, 2.0, step).check("here")


def test_a_range_is_of_integers_when_all_of_it_is() -> None:
    assert Range(1, 8).is_int
    assert Range(1, 8, 2).is_int
    assert not Range(1.0, 8).is_int
    assert not Range(1, 8.0).is_int
    assert not Range(1, 8, 0.5).is_int


def test_corners_are_all_choices_and_both_ends() -> None:
    assert Choice((3, 1, 2)).corners() == (3, 1, 2)
    assert Range(0.25, 2.0, 0.05).corners() == (0.25, 2.0)


def test_lengths_survive_binary_fractions() -> None:
    assert len(Choice((1, 2, 4))) == 3
    assert len(Range(2, 6)) == 5
    assert len(Range(2, 7, 2)) == 3  # 2, 4, 6
    assert len(Range(0.25, 2.0, 0.05)) == 36  # 1.75 / 0.05 + 1
    assert len(Range(0.1, 0.7, 0.1)) == 7


def test_a_continuous_range_has_no_length() -> None:
    with pytest.raises(SpaceError, match="continuous"):
        len(Range(0.5, 2.0))


def test_a_range_contains_its_ends_and_no_flags_or_words() -> None:
    domain = Range(0.5, 2.0)
    assert all(domain.contains(value) for value in (0.5, 1, 2.0))
    assert not any(domain.contains(value) for value in (0.49, 2.01, True, "1", None))


@given(st.lists(st.one_of(st.integers(), st.text(max_size=3), st.booleans()), min_size=1, unique_by=lambda v: (type(v), v)), SEEDS)
def test_a_sampled_choice_is_listed(values: list[int | str | bool], seed: int) -> None:
    domain = Choice(tuple(values))
    domain.check("here")
    assert domain.contains(domain.sample(random.Random(seed)))


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(1, 50), SEEDS)
def test_a_sampled_integer_is_on_a_step_within_the_range(low: int, extent: int, step: int, seed: int) -> None:
    domain = Range(low, low + extent, step)
    value = domain.sample(random.Random(seed))
    assert isinstance(value, int)
    assert domain.contains(value)
    assert (value - low) % step == 0


@given(st.integers(0, 100), st.integers(0, 200), st.integers(1, 40), SEEDS)
def test_a_sampled_step_of_a_float_range_is_within_the_range(low: int, steps: int, hundredths: int, seed: int) -> None:
    step = hundredths / 100
    domain = Range(low / 100, round(low / 100 + steps * step, 10), step)
    value = domain.sample(random.Random(seed))
    assert isinstance(value, float)
    assert domain.contains(value)


def test_the_last_step_of_the_shipped_sparsity_range_is_its_high_end() -> None:
    """0.4 + 11 * 0.05 is 0.9500000000000001 in binary fractions, and the range ends at 0.95."""
    domain = Range(0.4, 0.95, 0.05)
    values = {domain.sample(random.Random(seed)) for seed in range(300)}
    assert len(values) == len(domain) == 12
    assert max(values) == 0.95  # type: ignore[type-var]


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), SEEDS)
def test_a_sampled_continuous_value_is_within_the_range(low: float, extent: float, seed: int) -> None:
    domain = Range(low, low + extent)
    assert domain.contains(domain.sample(random.Random(seed)))


# Log scales -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("low", [0, -1.0])
def test_a_log_scale_has_no_zero(low: float) -> None:
    with pytest.raises(SpaceError, match=rf"^here: low must be above 0 on a log scale, but got {low}"):
        Range(low, 2.0, log=True).check("here")


def test_a_log_scale_has_no_steps() -> None:
    with pytest.raises(SpaceError, match=r"^here: step is a difference, but log asks for ratios"):
        Range(1, 8, 2, log=True).check("here")


@given(st.floats(1e-9, 1e3), st.floats(1, 1e6), SEEDS)
def test_a_value_on_a_log_scale_is_within_the_range(low: float, ratio: float, seed: int) -> None:
    domain = Range(low, low * ratio, log=True)
    domain.check("here")
    assert domain.contains(domain.sample(random.Random(seed)))


@given(st.integers(1, 50), st.integers(0, 1000), SEEDS)
def test_a_whole_number_on_a_log_scale_is_within_the_range(low: int, extent: int, seed: int) -> None:
    domain = Range(low, low + extent, log=True)
    value = domain.sample(random.Random(seed))
    assert isinstance(value, int)
    assert domain.contains(value)


def test_on_a_log_scale_every_ratio_is_as_likely() -> None:
    """Half of 1e-6 to 1e-2 lies below 1e-4; of whole numbers, 1 of 1 to 7 has log(1.5 / 0.5) of log(7.5 / 0.5): 0.41."""
    rng = random.Random(0)
    drawn = [Range(1e-6, 1e-2, log=True).sample(rng) for _ in range(4000)]
    assert 0.47 < sum(isinstance(value, float) and value < 1e-4 for value in drawn) / 4000 < 0.53
    whole = [Range(1, 7, log=True).sample(rng) for _ in range(4000)]
    assert set(whole) == set(range(1, 8))
    assert 0.37 < whole.count(1) / 4000 < 0.44


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (Choice((3, 5)), "3, 5"),
        (Choice((True, False)), "yes, no"),
        (Choice(((4, 8, 4), (2, 4, 2))), "4x8x4, 2x4x2"),
        (Range(1, 9, 2), "1 to 9 by 2"),
        (Range(0.5, 2.0), "0.5 to 2"),
    ],
)
def test_a_domain_is_written_for_people(domain: Choice | Range, text: str) -> None:
    assert str(domain) == text
