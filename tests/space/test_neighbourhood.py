"""The space around a network: it holds the network itself, and what is near it."""

from __future__ import annotations

import random

import pytest

from archspace.errors import LawError
from archspace.ir.digest import graph_digest
from archspace.space.domains import Choice, Range
from archspace.space.neighbourhood import NEIGHBOURHOODS, neighbourhood
from archspace.zoo import MEMBERS, ZOO, build

NETWORKS = [member for member, (family, _) in MEMBERS.items() if family in NEIGHBOURHOODS]


def test_every_family_with_a_neighbourhood_is_in_the_zoo_and_has_what_varies() -> None:
    for family, varied in NEIGHBOURHOODS.items():
        assert set(varied) <= set(ZOO[family].config.__dataclass_fields__)


@pytest.mark.parametrize("member", NETWORKS)
def test_a_network_lies_in_the_space_around_it(member: str) -> None:
    family, options = MEMBERS[member]
    space, own = neighbourhood(family, options, "around")
    assert graph_digest(space.build(own)) == graph_digest(build(member))
    assert all(parameter.can_be(own[parameter.name]) for parameter in space.parameters)


@pytest.mark.parametrize("family", NEIGHBOURHOODS)
def test_most_of_what_is_near_can_be_built(family: str) -> None:
    space, _ = neighbourhood(family, {}, "around")
    rng = random.Random(0)
    built = 0
    for _ in range(20):
        try:
            space.build(space.options(space.sample(rng)))
            built += 1
        except LawError:
            pass
    assert built >= 10


def test_widths_reach_from_seven_tenths_to_one_and_a_half_in_twentieths() -> None:
    space, own = neighbourhood("shufflenet_v1", {"width": 0.5}, "around")
    (width,) = [parameter for parameter in space.parameters if parameter.name == "width"]
    assert width.domains == (Range(0.35, 0.75, 0.025),)
    assert own["width"] == 0.5


def test_what_is_given_and_does_not_vary_stays() -> None:
    space, own = neighbourhood("shufflenet_v1", {"groups": 8, "input": (96, 96), "num_classes": 10, "arch2": True}, "around")
    assert dict(space.constants) == {"input": [96, 96], "num_classes": 10, "arch2": True}
    assert own["groups"] == 8
    assert [parameter.domains[0] for parameter in space.parameters if parameter.name == "groups"] == [Choice((8, 1, 2, 3, 4))]


def test_shares_per_layer_keep_the_number_of_layers() -> None:
    space, own = neighbourhood("shufflenet_v2", {"split_ratio": (0.5, 0.4) * 6 + (0.5,)}, "around")
    assert "repeats" not in {parameter.name for parameter in space.parameters}
    assert len(own["split_ratio"]) == 13 == 3 + 7 + 3


def test_a_first_stage_that_does_not_expand_goes_on_so() -> None:
    space, own = neighbourhood("mobilenet_v2", {}, "around")
    (expansion,) = [parameter for parameter in space.parameters if parameter.name == "expansion"]
    assert own["expansion"] == (1, 6, 6, 6, 6, 6, 6)
    assert expansion.domains[:2] == (Choice((1,)), Choice((4, 5, 6, 7, 8)))


def test_a_family_without_a_neighbourhood_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(LawError, match=r"known of shufflenet_v1, xception_like, .*, but not of this family"):
        neighbourhood("alexnet", {}, "around")
