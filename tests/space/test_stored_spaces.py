"""Spaces that travel without their files: stored, rebuilt, told apart by their digests."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from space_texts import GROUPS, SHIPPED, SPACES, STAGED, V1, load

from archspace.errors import SpaceError
from archspace.space import Choice, Space


@pytest.mark.parametrize("name", SHIPPED)
def test_a_stored_space_is_the_one_that_was_stored(name: str) -> None:
    space = Space.load(SPACES / f"{name}.toml")
    stored = Space.from_stored(json.loads(json.dumps(space.to_dict(), sort_keys=True)))
    assert stored == space
    assert stored.digest == space.digest
    rng = random.Random(1)
    values = space.sample(rng)
    assert stored.options(values) == space.options(values)


def test_a_stored_space_keeps_lists_conditions_and_the_order_of_its_objectives(tmp_path: Path) -> None:
    text = (
        STAGED
        + '[parameters.repeats]\nchoices = [[4, 8, 4], [2, 4, 2]]\n[objectives]\nminimize = ["params", "madds"]\nmaximize = ["acts"]\n'
    )
    space = load(tmp_path, text)
    stored = Space.from_stored(json.loads(json.dumps(space.to_dict())))
    assert stored == space
    assert list(stored.objectives) == list(space.objectives)
    assert stored.parameters[-1].domains[0] == Choice(((4, 8, 4), (2, 4, 2)))


def test_a_digest_is_of_what_a_space_holds_and_not_of_how_it_is_written(tmp_path: Path) -> None:
    space, same = (
        load(tmp_path, V1 + GROUPS),
        load(tmp_path, "# a comment\n" + 'description = "words"\n' + V1 + "[parameters.g]\nchoices = [1,2,4]\n"),
    )
    other = load(tmp_path, V1 + GROUPS.replace("4", "8"))
    assert space.digest == same.digest != other.digest
    assert re.fullmatch(r"[0-9a-f]{64}", space.digest)


@pytest.mark.parametrize("change", [{"parameters": 3}, {"name": None}, {"parameters": [{"name": "width"}]}, {"objectives": [1]}])
def test_what_was_not_stored_by_to_dict_is_refused(change: dict[str, Any]) -> None:
    data = Space.load(SPACES / "shufflenet_v1.toml").to_dict()
    with pytest.raises(SpaceError, match="a stored space has the keys name, family, constants, objectives, parameters"):
        Space.from_stored({**data, **change})
    with pytest.raises(SpaceError, match="a stored space has the keys"):
        Space.from_stored({key: value for key, value in data.items() if key not in change})


def test_a_stored_space_of_a_family_that_is_gone_is_refused_by_name() -> None:
    data = {**Space.load(SPACES / "shufflenet_v1.toml").to_dict(), "family": "shufflenet_v9"}
    with pytest.raises(SpaceError, match=r"^shufflenet_v1: family: unknown family 'shufflenet_v9'|^shufflenet_v1: unknown family"):
        Space.from_stored(data)
