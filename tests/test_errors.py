"""The errors: one tree, one line each, with the way out."""

from __future__ import annotations

import pytest

from archspace import errors
from archspace.errors import ArchspaceError, LawError, MissingPackageError, UnknownNameError, nearest_divisors


def test_every_error_is_an_archspace_error_and_stands_in_the_tree_of_the_docstring() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(classes) == 9
    for kind in classes:
        assert issubclass(kind, ArchspaceError)
        assert kind.__name__ in (errors.__doc__ or "")


def test_a_law_error_gets_its_place_in_front() -> None:
    error = LawError("groups must divide in_channels").at("stage2.unit0.dw")
    assert isinstance(error, LawError)
    assert str(error) == "stage2.unit0.dw: groups must divide in_channels"


def test_an_unknown_name_is_met_with_the_nearest_one() -> None:
    error = UnknownNameError("network", "shuflenet_v2", ["shufflenet_v2", "fenet"])
    assert str(error) == "unknown network 'shuflenet_v2'. Did you mean 'shufflenet_v2'?"


def test_an_unknown_name_that_is_near_nothing_is_met_with_all_names() -> None:
    assert str(UnknownNameError("dtype", "zzz", ["float32", "int8"])) == "unknown dtype 'zzz'. Known: float32, int8."


def test_names_given_as_also_are_matched_but_not_listed() -> None:
    known, also = ["shift"], ["resnet18", "resnet50"]
    near = str(UnknownNameError("network", "resnet51", known, also))
    assert "Did you mean" in near
    assert "'resnet50'" in near
    assert str(UnknownNameError("network", "zzz", known, also)) == "unknown network 'zzz'. Known: shift."


@pytest.mark.parametrize(("written", "near"), [("FENET2", "fenet"), ("cONV", "Conv2d"), ("relu", "ReLU")])
def test_upper_and_lower_case_do_not_keep_a_name_from_its_nearest_one(written: str, near: str) -> None:
    assert str(UnknownNameError("op", written, ["fenet", "Conv2d", "ReLU"])) == f"unknown op {written!r}. Did you mean {near!r}?"


def test_known_names_may_be_an_iterator() -> None:
    assert str(UnknownNameError("dtype", "zzz", iter(["int8"]))) == "unknown dtype 'zzz'. Known: int8."


def test_a_missing_package_says_how_to_get_it() -> None:
    way_out = "Install it, or archspace with its extra 'search': pip install '.[search]' in a clone."
    assert str(MissingPackageError("optuna", "search")) == f"this needs the package 'optuna', which is not installed. {way_out}"


@pytest.mark.parametrize(
    ("number", "wanted", "expected"),
    [
        (58, 3, "2, 29"),  # 58 = 2 * 29
        (240, 7, "6, 8"),
        (7, 2, "1, 7"),  # a prime has only its ends
        (12, 100, "12"),  # nothing above
        (1, 8, "1"),
    ],
)
def test_nearest_divisors_are_the_next_below_and_the_next_above(number: int, wanted: int, expected: str) -> None:
    assert nearest_divisors(number, wanted) == expected
    assert all(number % int(divisor) == 0 for divisor in expected.split(", "))


def test_nearest_divisors_of_a_huge_number_are_found_without_trying_every_number_below_it() -> None:
    class Counted(int):
        """A number that counts how often it is divided."""

        divisions = 0

        def __mod__(self, other: int) -> int:
            Counted.divisions += 1
            assert Counted.divisions < 10_000_000, "over ten million divisions"
            return int(self) % other

    prime = Counted(1_000_000_007)  # the smallest prime of ten digits
    assert nearest_divisors(prime, 3) == "1, 1000000007"
